//! Cooldowns, and SLA breaches.

use chrono::TimeDelta;
use models::probe::Outcome::{Down, Up};

use crate::world::World;

#[tokio::test]
async fn a_second_failure_in_the_cooldown_is_held_and_its_recovery_follows_it() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Down, Down, Down, Up]), 4).await;
    let again: Vec<_> = [(50, Down), (60, Down), (70, Down), (80, Up)]
        .into_iter()
        .map(|(seconds, outcome)| service.slot(seconds, outcome))
        .collect();
    world.take(&again, 8).await;
    assert_eq!(
        world.alerts().await,
        "failure_streak pending, recovery pending, failure_streak held, recovery pending"
    );
    let hold = "SELECT count(*) FROM alerts a JOIN service_state s USING (service_id) \
                WHERE a.held_until = s.failure_alerted_at + interval '30 minutes'";
    assert_eq!(world.count(hold).await, 1);
    let followed = "SELECT string_agg(f.status, ', ' ORDER BY r.created_at) FROM deliveries r \
                    JOIN deliveries f ON f.id = r.follows";
    assert_eq!(world.text(followed).await, "pending, held");

    world.shift.advance(TimeDelta::minutes(31));
    let third: Vec<_> = [90, 100, 110]
        .into_iter()
        .map(|seconds| service.slot(seconds, Down))
        .collect();
    world.take(&third, 11).await;
    let unheld = "SELECT count(*) FROM alerts WHERE alert_type = 'failure_streak' \
                  AND held_until IS NULL";
    assert_eq!(world.count(unheld).await, 2, "the cooldown is over");
}

#[tokio::test]
async fn without_a_cooldown_every_incident_is_told_at_once() {
    let world = World::with("ALERT_COOLDOWN_MINUTES", "0").await;
    let service = world.service().await;
    let results = service.slots(&[Down, Down, Down, Up, Down, Down, Down]);
    world.take(&results, 7).await;
    let held = "SELECT count(*) FROM alerts WHERE held_until IS NOT NULL";
    assert_eq!(world.count(held).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM alerts").await, 3);
}

#[tokio::test]
async fn the_threshold_is_the_operators() {
    let world = World::with("FAILURE_STREAK_THRESHOLD", "1").await;
    let service = world.service().await;
    world.take(&service.slots(&[Up, Down]), 2).await;
    assert_eq!(world.alerts().await, "failure_streak pending");
    assert_eq!(
        world.text("SELECT message FROM alerts").await,
        "shop is down: a check failed (refused after 20 s)"
    );
}

#[tokio::test]
async fn an_sla_breach_is_told_when_it_happens_and_again_after_it_was_back() {
    let world = World::running(1).await;
    let service = world.service_with("sla_target = 9000").await;
    world.shift.advance(TimeDelta::minutes(15)); // no slot of these is in doubt any more
    let mut outcomes = vec![Up; 18];
    outcomes.extend([Down, Up]); // 19 of 20
    world.take(&service.slots(&outcomes), 20).await;
    let breached = "SELECT sla_breached::int::bigint FROM service_state";
    assert_eq!(world.count(breached).await, 0);
    outcomes.extend([Down, Up, Down]); // 20 of 23: 86.95 %
    world.take(&service.slots(&outcomes), 23).await;
    assert_eq!(world.count(breached).await, 1);
    assert_eq!(world.alerts().await, "sla_breach pending");
    assert_eq!(
        world.text("SELECT message FROM alerts").await,
        "shop is below its SLA target: 86.95 % of the last 30 days, target 90.00 %"
    );
    outcomes.extend([Up; 10]); // 30 of 33: 90.90 %
    world.take(&service.slots(&outcomes), 33).await;
    assert_eq!(world.count(breached).await, 0);
    outcomes.extend([Down]); // 30 of 34: 88.23 %
    world.take(&service.slots(&outcomes), 34).await;
    assert_eq!(world.alerts().await, "sla_breach pending, sla_breach held");
}

#[tokio::test]
async fn an_sla_falls_below_its_target_by_the_windows_move_alone() {
    let world = World::with("SLA_WINDOW_DAYS", "1").await;
    let service = world.service_with("sla_target = 5000").await;
    // An hour of successes, then one of failures, of which too few to breach while both count.
    let mut results: Vec<_> = (0..20).map(|n| service.slot(n * 10, Up)).collect();
    results.extend((0..10).map(|n| service.slot(3600 + n * 10, Down)));
    results.push(service.slot(3600 + 100, Up));
    world.take(&results, 31).await;
    let alerts = "SELECT count(*) FROM alerts WHERE alert_type = 'sla_breach'";
    assert_eq!(world.count(alerts).await, 0);
    let failures_reach = world.start + TimeDelta::hours(25);
    world
        .shift
        .set(failures_reach + TimeDelta::minutes(30) - world.now);
    world.becomes(alerts, 1).await;
}
