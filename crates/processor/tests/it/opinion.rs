//! First failures are looked at by another prober, whose success voids them.

use chrono::TimeDelta;
use models::probe::Outcome::{self, Down, Up};
use models::probe::{Answers, ProbeKind, ProbeResult};

use crate::world::{Service, World};

/// What `prober` finds at `seconds` about the failed slot at `failed`.
fn confirm(
    service: &Service,
    seconds: i64,
    failed: i64,
    outcome: Outcome,
    prober: &str,
) -> ProbeResult {
    ProbeResult {
        prober: prober.to_owned(),
        answers: Some(Answers {
            kind: ProbeKind::Slot,
            scheduled_at: service.slot(failed, Down).scheduled_at,
        }),
        second_prober: Some(true),
        ..service.found(ProbeKind::Confirm, seconds, outcome)
    }
}

const ASKED: &str = "SELECT coalesce(string_agg(concat_ws(' ', kind, avoid_prober, answers->>'kind', \
         (answers->>'scheduled_at')::timestamptz - (SELECT min(scheduled_at) FROM probe_results), \
         config_version, dispatch_at = created_at), ', ' ORDER BY scheduled_at), '') \
     FROM extra_probes";
const SUMS: &str = "SELECT judged || ' ' || failed || ' ' || inconclusive FROM health";

#[tokio::test]
async fn a_first_failure_asks_another_prober_at_once_and_once() {
    let world = World::running(1).await;
    let service = world.service().await;
    let now = (world.now - world.start).num_seconds();
    let failure = service.slot(now, Down);
    world.take(std::slice::from_ref(&failure), 1).await;
    assert_eq!(world.status().await, "failing", "it counts at once");
    assert_eq!(
        world.text(ASKED).await,
        "confirm prober-1 slot 00:00:00 1 t"
    );
    testkit::eventually(async || {
        let nudges = world.vhost.take("probe-requests.v1", 10).await;
        nudges.len() == 1 && nudges[0].body.contains(&service.id.to_string())
    })
    .await;
    // Again, and the next one of the streak.
    world.publish(&[failure]).await;
    world.take(&[service.slot(now + 10, Down)], 2).await;
    world.flush().await;
    assert_eq!(
        world.text(ASKED).await,
        "confirm prober-1 slot 00:00:00 1 t"
    );
}

#[tokio::test]
async fn two_first_failures_of_one_batch_ask_twice_at_moments_of_their_own() {
    let world = World::running(1).await;
    let service = world.service().await;
    let now = (world.now - world.start).num_seconds();
    let results = [
        service.slot(now, Down),
        service.slot(now + 1, Up),
        service.slot(now + 2, Down),
    ];
    world.take(&results, 3).await;
    assert_eq!(
        world.text(ASKED).await,
        "confirm prober-1 slot 00:00:00 1 t, confirm prober-1 slot 00:00:02 1 t"
    );
    // As fine as the probe's id has them.
    let finer = "SELECT count(*) FROM extra_probes \
                 WHERE scheduled_at <> date_trunc('milliseconds', scheduled_at)";
    assert_eq!(world.count(finer).await, 0);
}

#[tokio::test]
async fn a_failure_that_is_long_over_asks_nobody() {
    let world = World::running(1).await;
    let service = world.service().await;
    let now = (world.now - world.start).num_seconds();
    world.take(&[service.slot(now - 60, Down)], 1).await;
    assert_eq!(world.text(ASKED).await, "");
}

#[tokio::test]
async fn a_success_of_another_prober_voids_the_failure_once_however_often_it_comes() {
    let mut world = World::new().await;
    world.start_processors(2);
    let service = world.service().await;
    world.take(&[service.slot(10, Up)], 1).await;
    world.take(&[service.slot(20, Down)], 2).await;
    assert_eq!(world.text(SUMS).await, "2 1 0");
    let second = confirm(&service, 21, 20, Up, "prober-2");
    let again = confirm(&service, 22, 20, Up, "prober-3");
    for _ in 0..3 {
        world.publish(&[second.clone(), again.clone()]).await;
        world.publish(&[service.slot(20, Down)]).await;
        world.publish(std::slice::from_ref(&again)).await;
    }
    world.rows(4).await;
    world.flush().await;
    assert_eq!(world.text(SUMS).await, "1 0 1");
    assert_eq!(
        (world.status().await.as_str(), world.streak().await),
        ("up", 0)
    );
    let voided = "SELECT string_agg(kind || ' ' || outcome, ', ') FROM probe_results WHERE voided";
    assert_eq!(world.text(voided).await, "0 0");
    // Two more failures are two, and no alert.
    world.take(&[service.slot(30, Down)], 5).await;
    world.take(&[service.slot(40, Down)], 6).await;
    assert_eq!(
        (world.alerts().await.as_str(), world.streak().await),
        ("", 2)
    );
}

#[tokio::test]
async fn the_same_prober_is_shown_and_voids_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&[service.slot(10, Down)], 1).await;
    let mut by_word = confirm(&service, 12, 10, Up, "prober-2");
    by_word.second_prober = Some(false);
    let results = [
        confirm(&service, 11, 10, Up, "prober-1"),
        by_word,
        confirm(&service, 13, 10, Down, "prober-2"),
        confirm(&service, 31, 10, Up, "prober-2"),
    ];
    world.take(&results, 5).await;
    assert_eq!(world.text(SUMS).await, "1 1 0");
    assert_eq!(
        (world.status().await.as_str(), world.streak().await),
        ("failing", 1)
    );
    let voided = "SELECT count(*) FROM probe_results WHERE voided";
    assert_eq!(world.count(voided).await, 0);
}

#[tokio::test]
async fn a_confirm_before_its_failure_or_beside_it_voids_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world
        .take(&[confirm(&service, 11, 10, Up, "prober-2")], 1)
        .await;
    world.take(&[service.slot(10, Down)], 2).await;
    let both = [
        service.slot(20, Down),
        confirm(&service, 21, 20, Up, "prober-2"),
    ];
    world.take(&both, 4).await;
    assert_eq!(world.text(SUMS).await, "2 2 0");
    assert_eq!(world.streak().await, 2);
    // It comes again after its failure: the row is there, and that is that.
    world
        .publish(&[confirm(&service, 11, 10, Up, "prober-2")])
        .await;
    world.flush().await;
    assert_eq!(world.streak().await, 2);
}

#[tokio::test]
async fn a_failure_of_an_hour_that_is_closed_moves_in_its_rollups_and_windows() {
    let world = World::running(1).await;
    let service = world.service().await;
    let results = [service.slot(-15, Up), service.slot(-5, Down)];
    world.take(&results, 2).await;
    world.take(&[service.slot(5, Up)], 3).await;
    let hours = "SELECT string_agg(judged || ' ' || failed || ' ' || inconclusive, ', ') FROM ";
    let (hourly, daily) = (
        format!("{hours} rollup_hourly"),
        format!("{hours} rollup_daily"),
    );
    assert_eq!(world.text(&hourly).await, "2 1 0");
    world
        .take(&[confirm(&service, 2, -5, Up, "prober-2")], 4)
        .await;
    assert_eq!(world.text(&hourly).await, "1 0 1");
    assert_eq!(world.text(&daily).await, "1 0 1");
    assert_eq!(
        world.text(SUMS).await,
        "1 0 0",
        "the open hour is as it was"
    );
    let window = "SELECT sla_judged || ' ' || sla_failed || ' ' || sla_inconclusive || ' ' \
                  || day_judged || ' ' || day_failed FROM service_state";
    assert_eq!(world.text(window).await, "1 0 1 1 0");
}

#[tokio::test]
async fn an_incident_that_opened_meanwhile_stays_until_a_newer_success() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Down, Down, Down]), 3).await;
    world
        .take(&[confirm(&service, 25, 10, Up, "prober-2")], 4)
        .await;
    assert_eq!(
        (world.status().await.as_str(), world.streak().await),
        ("down", 2)
    );
    assert_eq!(world.alerts().await, "failure_streak pending");
    let failed_checks = "SELECT failed_checks::bigint FROM incidents";
    assert_eq!(world.count(failed_checks).await, 2, "one was none");
    world.take(&[service.slot(40, Up)], 5).await;
    assert_eq!(
        world.alerts().await,
        "failure_streak pending, recovery pending"
    );
    assert_eq!(world.status().await, "up");
}

#[tokio::test]
async fn what_a_void_failure_leaves_of_a_streak_is_doubted_in_turn() {
    let world = World::running(1).await;
    let service = world.service().await;
    let now = (world.now - world.start).num_seconds();
    world.take(&[service.slot(now, Down)], 1).await;
    world.take(&[service.slot(now + 1, Down)], 2).await;
    world
        .take(&[confirm(&service, now + 2, now, Up, "prober-2")], 3)
        .await;
    assert_eq!(world.streak().await, 1);
    assert_eq!(
        world.text(ASKED).await,
        "confirm prober-1 slot 00:00:00 1 t, confirm prober-1 slot 00:00:01 1 t"
    );
}

#[tokio::test]
async fn a_success_after_a_pause_voids_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&[service.slot(10, Down)], 1).await;
    world.execute("UPDATE services SET is_active = false").await;
    world
        .take(&[confirm(&service, 11, 10, Up, "prober-2")], 2)
        .await;
    assert_eq!(world.text(SUMS).await, "1 1 0");
}

#[tokio::test]
async fn a_success_that_answers_a_former_configuration_voids_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&[service.slot(10, Down)], 1).await;
    world
        .execute("UPDATE services SET config_version = 2")
        .await;
    world
        .take(&[confirm(&service, 11, 10, Up, "prober-2")], 2)
        .await;
    assert_eq!(world.text(SUMS).await, "1 1 0");
    assert_eq!(world.streak().await, 1);
}

#[tokio::test]
async fn a_void_failure_raises_no_sla_breach_and_repeats_none() {
    let (world, service, now) = one_failure_long_ago().await;
    let breached = "SELECT sla_breached::int::bigint FROM service_state";
    let mut rows = 22;
    for n in 0..3 {
        rows += 3;
        blip(&world, &service, now - 30 + n * 3, rows).await;
        assert_eq!(
            (world.alerts().await.as_str(), world.count(breached).await),
            ("", 0)
        );
    }
    // A real one is told when the other prober has failed, too.
    world.take(&[service.slot(now - 20, Down)], rows + 1).await;
    assert_eq!(world.alerts().await, "", "in doubt");
    let agrees = confirm(&service, now - 19, now - 20, Down, "prober-2");
    world.take(&[agrees], rows + 2).await;
    assert_eq!(world.alerts().await, "sla_breach pending");
    let told = "SELECT facts->>'judged' || ' ' || (facts->>'failed') FROM alerts";
    assert_eq!(world.text(told).await, "26 2", "void ones are none");
    world.take(&[service.slot(now - 18, Up)], rows + 3).await;
    rows += 3;
    for n in 0..3 {
        rows += 3;
        blip(&world, &service, now - 15 + n * 3, rows).await;
        assert_eq!(world.count(breached).await, 1);
    }
    assert_eq!(world.alerts().await, "sla_breach pending", "told once");
}

/// Each failure in doubt would be the second of a breach. Returns the seconds from the world's start to now.
async fn one_failure_long_ago() -> (World, Service, i64) {
    let world = World::running(1).await;
    // A confirm has 45 s: longer than a test takes.
    let service = world
        .service_with("sla_target = 9500, timeout_ms = 30000")
        .await;
    let now = (world.now - world.start).num_seconds();
    let mut results: Vec<_> = (0..20)
        .map(|n| service.slot(now - 400 + n * 10, Up))
        .collect();
    results.push(service.slot(now - 200, Down));
    results.push(service.slot(now - 190, Up));
    world.take(&results, 22).await;
    (world, service, now)
}

/// A failure that another prober voids, and a success; then there are so many rows.
async fn blip(world: &World, service: &Service, seconds: i64, rows: i64) {
    world.take(&[service.slot(seconds, Down)], rows - 2).await;
    let voids = confirm(service, seconds + 1, seconds, Up, "prober-2");
    world.take(&[voids], rows - 1).await;
    world.take(&[service.slot(seconds + 2, Up)], rows).await;
}

#[tokio::test]
async fn a_breach_whose_second_opinion_never_comes_is_told_by_the_next_result_after_its_time() {
    let (world, service, now) = one_failure_long_ago().await;
    let results = [service.slot(now, Down), service.slot(now + 1, Up)];
    world.take(&results, 24).await;
    assert_eq!(world.alerts().await, "");
    world.shift.advance(TimeDelta::minutes(1));
    world.take(&[service.slot(now + 2, Up)], 25).await;
    assert_eq!(world.alerts().await, "sla_breach pending");
}
