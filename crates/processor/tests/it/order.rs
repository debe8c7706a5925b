//! Late results join what they belong to, and nothing else.

use models::probe::Outcome::{Down, Inconclusive, Up};
use models::probe::ProbeKind;

use crate::world::World;

#[tokio::test]
async fn a_late_success_shortens_the_streak_and_closes_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world
        .take(&service.slots(&[Down, Down, Down, Down]), 4)
        .await;
    world.take(&[service.slot(25, Up)], 5).await;
    assert_eq!(world.streak().await, 2);
    assert_eq!(world.status().await, "down");
    world.take(&[service.slot(50, Down)], 6).await;
    assert_eq!(world.alerts().await, "failure_streak pending");
    let checks = "SELECT failed_checks::bigint FROM incidents";
    assert_eq!(world.count(checks).await, 5);
    world.take(&[service.slot(60, Up)], 7).await;
    assert_eq!(
        world.alerts().await,
        "failure_streak pending, recovery pending"
    );
}

#[tokio::test]
async fn a_late_failure_completes_a_streak_and_the_mail_tells_its_beginning() {
    let world = World::running(1).await;
    let service = world.service().await;
    let seen = [
        service.slot(10, Up),
        service.slot(30, Down),
        service.slot(40, Down),
    ];
    world.take(&seen, 3).await;
    assert_eq!(world.alerts().await, "");
    world.take(&[service.slot(20, Down)], 4).await;
    assert_eq!(world.alerts().await, "failure_streak pending");
    assert_eq!(
        world.text("SELECT cause_message FROM incidents").await,
        "refused after 20 s"
    );
    assert_eq!(
        world
            .text("SELECT facts->'last'->>'message' FROM alerts")
            .await,
        "refused after 40 s"
    );
}

#[tokio::test]
async fn a_streak_that_began_in_another_batch_tells_how_it_began() {
    let world = World::running(1).await;
    let service = world.service().await;
    for (n, failure) in (1..).zip(service.slots(&[Down, Down, Down])) {
        world.take(&[failure], n).await;
    }
    assert_eq!(
        world.text("SELECT cause_message FROM incidents").await,
        "refused after 10 s"
    );
}

#[tokio::test]
async fn what_cannot_be_judged_and_what_was_asked_for_by_hand_move_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    let results = [
        service.slot(10, Down),
        service.slot(20, Down),
        service.slot(30, Inconclusive),
        service.found(ProbeKind::Manual, 35, Down),
        service.found(ProbeKind::Confirm, 36, Up),
    ];
    world.take(&results, 5).await;
    assert_eq!(world.streak().await, 2);
    let sums = "SELECT judged || ' ' || failed || ' ' || inconclusive FROM health";
    assert_eq!(world.text(sums).await, "2 2 1");
    let last = "SELECT (last_checked_at = (SELECT max(checked_at) FROM probe_results))::int::bigint \
                FROM health";
    assert_eq!(world.count(last).await, 1);
}
