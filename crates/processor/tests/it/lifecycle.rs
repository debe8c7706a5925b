//! Results of yesterday's configuration.

use chrono::TimeDelta;
use models::probe::Outcome::{Down, Up};
use models::probe::{ProbeKind, probe_id};

use crate::world::World;

#[tokio::test]
async fn a_paused_service_keeps_its_rows_and_its_sums_and_alerts_nobody() {
    let world = World::running(1).await;
    let service = world.service_with("is_active = false").await;
    let end = (world.start + TimeDelta::seconds(25)).to_rfc3339();
    world
        .execute(&format!("UPDATE service_spans SET to_at = '{end}'"))
        .await;
    world
        .take(&service.slots(&[Down, Down, Down, Down]), 4)
        .await;
    assert_eq!(world.alerts().await, "");
    assert_eq!(world.status().await, "unknown");
    let verdicts = "SELECT string_agg(counted::int || '' || moves_state::int, ' ' \
                    ORDER BY scheduled_at) FROM probe_results";
    assert_eq!(
        world.text(verdicts).await,
        "10 10 00 00",
        "counted in its span"
    );
}

#[tokio::test]
async fn results_of_an_older_configuration_count_and_move_nothing() {
    let world = World::running(1).await;
    let service = world.service_with("config_version = 2").await;
    let edit = (world.start + TimeDelta::seconds(25)).to_rfc3339();
    world.execute(&format!(
            "UPDATE service_spans SET to_at = '{edit}';
             INSERT INTO service_spans SELECT service_id, 2, interval_ms, phase_ms, regions, '{edit}', NULL
                 FROM service_spans"
        ))
        .await;
    let mut first = service.found(ProbeKind::First, 26, Up);
    first.config_version = 2;
    first.probe_id = probe_id(
        first.service_id,
        &first.region,
        first.kind,
        first.scheduled_at,
        2,
    );
    let mut results = service.slots(&[Down, Down, Down]);
    results.push(first);
    world.take(&results, 4).await;
    assert_eq!(world.streak().await, 0);
    assert_eq!(world.status().await, "up");
    let sums = "SELECT judged || ' ' || failed FROM health";
    assert_eq!(world.text(sums).await, "2 2");
}

#[tokio::test]
async fn a_resume_begins_a_streak_of_its_own() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Down, Down]), 2).await;
    let resumed = (world.start + TimeDelta::seconds(25)).to_rfc3339();
    world
        .execute(&format!(
            "UPDATE health SET streak = 0, streak_since = '{resumed}'"
        ))
        .await;
    world
        .take(&[service.slot(30, Down), service.slot(50, Down)], 4)
        .await;
    assert_eq!(world.streak().await, 2);
    world.take(&[service.slot(40, Up)], 5).await;
    assert_eq!(world.streak().await, 1);
    world.take(&[service.slot(15, Up)], 6).await;
    assert_eq!(world.streak().await, 1, "before the resume");
}
