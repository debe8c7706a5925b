//! A recovery is the second word, never the first and never alone.

use chrono::TimeDelta;
use testkit::resend::Answer;

use crate::world::{Raise, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_waits_until_its_failure_was_sent() {
    let world = World::new().await;
    world.resend.script([Answer::TryAgainAfter(600)]);
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let failure = world.raise(Raise::failure(service).of(incident)).await;
    let recovery = Raise::recovery(service, failure).of(incident);
    let recovery = world.raise(recovery).await;
    let alerter = world.start();
    world.until_requests(1).await;
    world.until(failure, "pending").await;
    let (_, marker) = world.failure().await;
    world.until(marker, "sent").await;
    assert_eq!(world.status(recovery).await, "pending");
    world.move_time(TimeDelta::minutes(16));
    world.until(recovery, "sent").await;
    alerter.stop().await;
    let told = world.resend.subjects_to(&service.owner());
    assert_eq!(told, ["Down: Shop", "Up again after 12 min: Shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_that_it_is_up_who_was_not_told_that_it_was_down() {
    let world = World::new().await;
    world.resend.script([Answer::Status(422)]);
    let (service, failure) = world.failure().await;
    let recovery = world.raise(Raise::recovery(service, failure)).await;
    let alerter = world.start();
    world.until(failure, "failed").await;
    world.until(recovery, "suppressed").await;
    alerter.stop().await;
    assert!(world.resend.accepted().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_over_is_told_all_the_same_from_when_to_when() {
    let world = World::new().await;
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let failure = world.raise(Raise::failure(service).of(incident)).await;
    world.close_incident(service).await;
    let recovery = Raise::recovery(service, failure).of(incident);
    let recovery = world.raise(recovery).await;
    let alerter = world.start();
    world.until(recovery, "sent").await;
    alerter.stop().await;
    let accepted = world.resend.accepted();
    assert_eq!(accepted.len(), 2);
    let first = accepted[0].field("text");
    assert!(first.contains("Shop was down"), "{first}");
    assert!(first.contains("Up again since"), "{first}");
    assert!(accepted[1].field("subject").starts_with("Up again"));
}
