//! A result counts once, whoever brings it and however often.

use models::probe::Outcome::{Down, Up};

use crate::world::World;

#[tokio::test]
async fn the_same_result_a_hundred_times_over_four_processors_counts_once() {
    let world = World::running(4).await;
    let service = world.service().await;
    let failure = service.slot(10, Down);
    for _ in 0..100 {
        world.publish(std::slice::from_ref(&failure)).await;
    }
    world.flush().await;
    assert_eq!(world.count("SELECT count(*) FROM probe_results").await, 1);
    assert_eq!(world.streak().await, 1);
    let sums = "SELECT judged || ' ' || failed FROM health";
    assert_eq!(world.text(sums).await, "1 1");
    assert_eq!(world.status().await, "failing");
}

#[tokio::test]
async fn three_failures_over_four_processors_raise_one_alert_and_their_end_another() {
    let world = World::running(4).await;
    let service = world.service().await;
    for failure in service.slots(&[Down, Down, Down]) {
        for _ in 0..3 {
            world.publish(std::slice::from_ref(&failure)).await;
        }
    }
    world.rows(3).await;
    assert_eq!(world.status().await, "down");
    for _ in 0..3 {
        world.publish(&[service.slot(40, Up)]).await;
    }
    world.flush().await;
    assert_eq!(
        world.alerts().await,
        "failure_streak pending, recovery pending"
    );
    let incident = "SELECT string_agg(end_reason || ' ' || cause || ' ' || cause_message, ', ') \
                    FROM incidents";
    assert_eq!(
        world.text(incident).await,
        "recovered connect_refused refused after 10 s"
    );
    let follows = "SELECT count(*) FROM deliveries r JOIN deliveries f ON f.id = r.follows \
                   JOIN alerts a ON a.id = f.alert_id WHERE a.alert_type = 'failure_streak'";
    assert_eq!(world.count(follows).await, 1);
    assert_eq!(world.status().await, "up");
    let owner = "SELECT string_agg(DISTINCT d.recipient, ',') = 'Owner@' || min(d.user_id::text) || '.example' \
                 FROM deliveries d";
    assert!(world.is(owner).await);
    testkit::eventually(|| async { world.bus.depth("alerts.v1").await.unwrap() == 2 }).await;
}

#[tokio::test]
async fn a_thousand_results_at_once_are_each_counted() {
    let mut world = World::new().await;
    let mut results = Vec::new();
    for _ in 0..40 {
        let service = world.service().await;
        results.extend(service.slots(&[Up; 25]));
    }
    world.publish(&results).await;
    world.start_processors(2);
    world.rows(1000).await;
    world.flush().await;
    let wrong = "SELECT count(*) FROM health WHERE judged <> 25 OR streak <> 0 \
                 OR octet_length(histogram) = 0";
    assert_eq!(world.count(wrong).await, 0);
}
