//! Alerts that a cooldown held back are judged again at its end.

use chrono::TimeDelta;
use models::alert::AlertEvent;
use models::cooldown::breach_key;

use crate::world::{Raise, World};

const COOLDOWN: TimeDelta = TimeDelta::minutes(30);

fn held(world: &World, raise: Raise) -> Raise {
    Raise {
        held_until: Some(world.now() + COOLDOWN),
        ..raise
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_failure_that_is_still_true_goes_at_the_cooldowns_end_and_begins_a_new_one() {
    let world = World::new().await;
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let failure = held(&world, Raise::failure(service).of(incident));
    let ends = failure.held_until.unwrap();
    let failure = world.raise(failure).await;
    let running = [world.start(), world.start()];
    let (_, marker) = world.failure().await;
    world.until(marker, "sent").await;
    assert_eq!(world.status(failure).await, "held");

    world.move_time(COOLDOWN);
    world.until(failure, "sent").await;
    for alerter in running {
        alerter.stop().await;
    }
    assert_eq!(world.resend.requests().len(), 2);
    let id = service.id;
    let sql = format!(
        "SELECT failure_alerted_at >= '{ends}' AND sla_alerted_at IS NULL \
         FROM service_state WHERE service_id = '{id}'"
    );
    assert!(world.db.value::<bool>(&sql).await, "a new cooldown began");
    let sql = format!("SELECT held_until IS NULL FROM alerts WHERE service_id = '{id}'");
    assert!(world.db.value::<bool>(&sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_failure_that_is_over_is_suppressed_and_so_is_its_recovery() {
    let world = World::new().await;
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let failure = held(&world, Raise::failure(service).of(incident));
    let failure = world.raise(failure).await;
    world.close_incident(service).await;
    let recovery = Raise::recovery(service, failure).of(incident);
    let recovery = world.raise(recovery).await;
    // Down again, with an incident of its own: the old alert does not speak for it.
    world.open_incident(service).await;
    let alerter = world.start();
    let (_, marker) = world.failure().await;
    world.until(marker, "sent").await;
    assert_eq!(world.status(recovery).await, "pending", "it waits");

    world.move_time(COOLDOWN);
    world.until(failure, "suppressed").await;
    world.until(recovery, "suppressed").await;
    alerter.stop().await;
    assert!(world.resend.subjects_to(&service.owner()).is_empty());
    let sql = format!(
        "SELECT failure_alerted_at IS NULL FROM service_state WHERE service_id = '{}'",
        service.id
    );
    assert!(world.db.value::<bool>(&sql).await, "no cooldown began");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_breach_goes_only_while_it_is_the_breach_that_lasts() {
    let world = World::new().await;
    let service = world.service().await;
    let id = service.id;
    let breach = |number| Raise {
        dedupe_key: breach_key(number),
        ..Raise::new(
            service,
            AlertEvent::SlaBreach {
                sla: 9987,
                target: 9990,
                judged: 1000,
                failed: 2,
                window_days: 30,
            },
        )
    };
    let old = world.raise(held(&world, breach(1))).await;
    let new = world.raise(held(&world, breach(2))).await;
    world
        .db
        .execute(&format!(
            "UPDATE service_state SET sla_breached = true, sla_breaches = 2 \
             WHERE service_id = '{id}'"
        ))
        .await;
    world.move_time(COOLDOWN);
    let alerter = world.start();
    world.until(old, "suppressed").await;
    world.until(new, "sent").await;
    alerter.stop().await;
    let sql = format!(
        "SELECT sla_alerted_at IS NOT NULL AND failure_alerted_at IS NULL \
         FROM service_state WHERE service_id = '{id}'"
    );
    assert!(world.db.value::<bool>(&sql).await);
}
