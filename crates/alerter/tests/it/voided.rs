//! What nobody wants to hear any more is not sent.

use chrono::TimeDelta;
use testkit::resend::Answer;

use crate::world::{Raise, World};

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_deleted_services_and_locked_owners_are_never_mailed() {
    let world = World::new().await;
    let mut ended = Vec::new();
    for change in [
        "UPDATE services SET is_active = false WHERE id = '{id}'",
        "DELETE FROM services WHERE id = '{id}'",
        "UPDATE users SET locked_at = created_at WHERE id = '{user}'",
        "DELETE FROM users WHERE id = '{user}'",
    ] {
        let (service, delivery) = world.failure().await;
        let change = change
            .replace("{id}", &service.id.to_string())
            .replace("{user}", &service.user.to_string());
        world.db.execute(&change).await;
        ended.push(delivery);
    }
    let alerter = world.start();
    for delivery in ended {
        world.until(delivery, "suppressed").await;
        assert_ne!(world.column("last_error", delivery).await, "");
    }
    alerter.stop().await;
    assert!(world.resend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_alert_of_a_paused_service_is_not_let_go() {
    let world = World::new().await;
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let failure = Raise {
        held_until: Some(world.now() + TimeDelta::minutes(30)),
        ..Raise::failure(service).of(incident)
    };
    let failure = world.raise(failure).await;
    let id = service.id;
    world
        .db
        .execute(&format!(
            "UPDATE services SET is_active = false WHERE id = '{id}'"
        ))
        .await;
    world.move_time(TimeDelta::minutes(31));
    let alerter = world.start();
    world.until(failure, "suppressed").await;
    alerter.stop().await;
    assert!(world.resend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_sent_when_its_service_was_paused_is_not_tried_again() {
    let world = World::new().await;
    world.resend.script([Answer::Hold]);
    let (service, delivery) = world.failure().await;
    let killed = world.start();
    world.until_requests(1).await;
    killed.kill().await;
    // Paused, and resumed before the lease is over.
    let mut conn = world.db.conn().await;
    let voided = db::deliveries::suppress_of(&mut conn, service.id).await;
    assert_eq!(voided.unwrap(), 1);
    drop(conn);
    world.move_time(TimeDelta::seconds(61));
    let other = world.start();
    let (_, marker) = world.failure().await;
    world.until(marker, "sent").await;
    other.stop().await;
    assert_eq!(world.status(delivery).await, "suppressed");
    assert_eq!(world.resend.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_cannot_be_read_fails_alone() {
    let world = World::new().await;
    let (service, broken) = world.failure().await;
    let id = service.id;
    let sql = format!("UPDATE alerts SET facts = '{{}}' WHERE service_id = '{id}'");
    world.db.execute(&sql).await;
    let (_, fine) = world.failure().await;
    let alerter = world.start();
    world.until(broken, "failed").await;
    world.until(fine, "sent").await;
    alerter.stop().await;
    let error = world.column("last_error", broken).await;
    assert!(error.starts_with("cannot be sent"), "{error}");
}
