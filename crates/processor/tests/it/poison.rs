//! One bad result costs its neighbours nothing.

use chrono::TimeDelta;
use models::id::ServiceId;
use models::message::ResultBatch;
use models::probe::Outcome::Up;
use serde_json::json;
use testkit::eventually;
use uuid::Uuid;

use crate::world::{World, signed};

const DEAD: &str = "probe-results.dead";

#[tokio::test]
async fn bad_items_are_buried_one_by_one_and_their_neighbours_are_stored() {
    let world = World::running(1).await;
    let service = world.service().await;
    let good = service.slots(&[Up, Up]).iter().map(signed).collect();
    let mut batch = serde_json::to_value(ResultBatch { results: good }).unwrap();
    let results = batch["results"].as_array_mut().unwrap();
    let mut ancient = service.slot(0, Up);
    ancient.scheduled_at -= TimeDelta::days(40);
    results.insert(1, json!({"probe_id": "of no result"}));
    results.push(serde_json::to_value(ancient).unwrap());
    world.publish_body(batch.to_string().into_bytes()).await;
    world.rows(2).await;
    eventually(|| async { world.bus.depth(DEAD).await.unwrap() == 2 }).await;
    let mut reasons: Vec<String> = Vec::new();
    for letter in world.vhost.take(DEAD, 2).await {
        reasons.push(letter.header("x-pulsemon-reason").to_owned());
    }
    reasons.sort();
    assert!(
        reasons[0].contains("probe_id") || reasons[0].contains("UUID"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("scheduled_at"), "{reasons:?}");
}

#[tokio::test]
async fn a_message_that_is_no_batch_is_buried_and_the_next_one_is_read() {
    let world = World::running(1).await;
    let service = world.service().await;
    for body in ["", "not json", "[]", "{}"] {
        world.publish_body(body.as_bytes().to_vec()).await;
    }
    world.take(&service.slots(&[Up]), 1).await;
    eventually(|| async { world.bus.depth(DEAD).await.unwrap() == 4 }).await;
}

#[tokio::test]
async fn a_result_that_only_the_database_refuses_is_found_among_its_neighbours() {
    let world = World::running(1).await;
    let (bad, good) = (world.service().await, world.service().await);
    // As a row would be that a newer release wrote.
    world
        .execute(&format!(
            "UPDATE health SET histogram = '\\xff00' WHERE service_id = '{}'",
            bad.id
        ))
        .await;
    let mut both = bad.slots(&[Up]);
    both.extend(good.slots(&[Up, Up, Up]));
    world.take(&both, 3).await;
    eventually(|| async { world.bus.depth(DEAD).await.unwrap() == 1 }).await;
    let letters = world.vhost.take(DEAD, 1).await;
    assert!(letters[0].body.contains(&bad.id.to_string()));
    let reason = letters[0].header("x-pulsemon-reason");
    assert!(reason.contains("histogram"), "{reason}");
    assert_eq!(
        world
            .count("SELECT judged::bigint FROM health WHERE judged > 0")
            .await,
        3
    );
}

#[tokio::test]
async fn what_the_database_cannot_do_for_anybody_is_held_and_told_and_never_poison() {
    let world = World::running(1).await;
    let service = world.service().await;
    let rename = "ALTER TABLE probe_results RENAME TO";
    world.execute(&format!("{rename} elsewhere")).await;
    world.publish(&service.slots(&[Up, Up])).await;
    eventually(|| async { world.readiness(0).await.contains("results are held") }).await;
    assert_eq!(world.bus.depth(DEAD).await.unwrap(), 0);
    world
        .execute("ALTER TABLE elsewhere RENAME TO probe_results")
        .await;
    world.rows(2).await;
    eventually(|| async { world.readiness(0).await == "ready" }).await;
    assert_eq!(world.bus.depth(DEAD).await.unwrap(), 0);
}

#[tokio::test]
async fn a_result_that_fails_while_its_neighbours_pass_is_buried_even_if_they_come_later() {
    let world = World::running(1).await;
    let (bad, good) = (world.service().await, world.service().await);
    world
        .execute(&format!(
            "CREATE FUNCTION no_luck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 RAISE EXCEPTION 'an index is broken' USING ERRCODE = 'XX002'; END $$; \
             CREATE TRIGGER no_luck BEFORE INSERT ON probe_results FOR EACH ROW \
                 WHEN (NEW.service_id = '{}') EXECUTE FUNCTION no_luck()",
            bad.id
        ))
        .await;
    world.publish(&bad.slots(&[Up])).await;
    eventually(|| async { world.readiness(0).await.contains("results are held") }).await;
    assert_eq!(world.bus.depth(DEAD).await.unwrap(), 0, "it is alone");
    world.take(&good.slots(&[Up, Up]), 2).await;
    eventually(|| async { world.bus.depth(DEAD).await.unwrap() == 1 }).await;
    let letters = world.vhost.take(DEAD, 1).await;
    assert!(letters[0].body.contains(&bad.id.to_string()));
    let reason = letters[0].header("x-pulsemon-reason");
    assert!(reason.contains("an index is broken"), "{reason}");
}

#[tokio::test]
async fn results_of_a_service_that_is_gone_are_dropped() {
    let world = World::running(1).await;
    let service = world.service().await;
    let mut stranger = service;
    stranger.id = ServiceId(Uuid::new_v4());
    let mut results = stranger.slots(&[Up, Up]);
    results.extend(service.slots(&[Up]));
    world.take(&results, 1).await;
    assert_eq!(world.bus.depth(DEAD).await.unwrap(), 0);
}
