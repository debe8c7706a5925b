//! Single stories, as a tenant would tell them.

use super::*;
use AlertKind::{FailureStreak, Recovery};
use Outcome::{Down, Inconclusive, Up};

fn told(outcomes: &[(i64, Outcome)]) -> World {
    let mut world = World::new(1);
    for (seconds, outcome) in outcomes {
        world.batch(&[slot(*seconds, *outcome)]);
    }
    world
}

#[test]
fn one_failed_probe_is_failing_and_never_down() {
    let world = told(&[(0, Up), (10, Down)]);
    assert_eq!(world.state.status, Status::Failing);
    assert_eq!(told(&[(0, Up), (10, Down), (20, Down)]).kinds(), []);
}

#[test]
fn the_third_failure_in_a_row_opens_one_incident_and_a_success_closes_it() {
    let mut world = told(&[(0, Up), (10, Down), (20, Down), (30, Down), (40, Down)]);
    assert_eq!(world.state.status, Status::Down);
    assert_eq!(world.kinds(), [FailureStreak]);
    world.batch(&[slot(50, Up)]);
    assert_eq!(world.state.status, Status::Up);
    assert_eq!(world.kinds(), [FailureStreak, Recovery]);
    let incident = world.incidents.values().next().unwrap();
    assert_eq!(
        (incident.started_at, incident.ended_at),
        (at(10), Some(at(50)))
    );
    assert_eq!(
        (incident.failed_checks, incident.last_failure_at),
        (4, at(40))
    );
    assert_eq!(incident.cause_message, "refused at 10");
    assert_eq!(
        world.alerts[0].message,
        "shop is down: 3 checks in a row failed (refused at 30)"
    );
    assert_eq!(world.alerts[1].message, "shop is up again after 40 s");
    let AlertEvent::FailureStreak {
        started_at,
        last_success_at,
        ..
    } = &world.alerts[0].event
    else {
        panic!("{:?}", world.alerts[0]);
    };
    assert_eq!((*started_at, *last_success_at), (at(10), Some(at(0))));
    let AlertEvent::Recovery { cause_message, .. } = &world.alerts[1].event else {
        panic!("{:?}", world.alerts[1]);
    };
    assert_eq!(cause_message, "refused at 10");
}

#[test]
fn a_batch_tells_all_the_incidents_that_its_results_would_have_one_at_a_time() {
    let mut world = World::new(1);
    let outcomes = [Down, Down, Down, Up, Down, Down, Down, Up];
    let results: Vec<_> = (0..).zip(outcomes).map(|(n, o)| slot(n * 10, o)).collect();
    world.batch(&results);
    assert_eq!(
        world.kinds(),
        [FailureStreak, Recovery, FailureStreak, Recovery]
    );
    assert_eq!(world.incidents.len(), 2);
}

#[test]
fn a_late_success_inside_the_streak_closes_nothing() {
    let mut world = told(&[(10, Down), (20, Down), (30, Down), (40, Down)]);
    world.batch(&[slot(25, Up)]);
    assert_eq!(world.health.streak, 2);
    assert_eq!(world.state.status, Status::Down);
    assert_eq!(world.kinds(), [FailureStreak]);
    world.batch(&[slot(50, Down)]);
    assert_eq!(world.kinds(), [FailureStreak], "one is open already");
    world.batch(&[slot(60, Up)]);
    assert_eq!(world.kinds(), [FailureStreak, Recovery]);
}

#[test]
fn a_late_failure_completes_a_streak() {
    let mut world = told(&[(10, Up), (30, Down), (40, Down)]);
    world.batch(&[slot(20, Down)]);
    assert_eq!(world.health.streak, 3);
    let incident = world.incidents.values().next().unwrap();
    assert_eq!(
        (incident.started_at, incident.last_failure_at),
        (at(20), at(40))
    );
    assert_eq!(world.kinds(), [FailureStreak]);
}

#[test]
fn a_late_failure_before_the_last_success_changes_no_state() {
    let mut world = told(&[(10, Down), (20, Down), (40, Up)]);
    world.batch(&[slot(30, Down)]);
    assert_eq!((world.health.streak, world.state.status), (0, Status::Up));
    assert_eq!(world.health.last_failure_at, Some(at(30)));
    assert_eq!(world.kinds(), []);
}

#[test]
fn a_late_failure_of_an_outage_that_was_told_is_placed_without_its_rows() {
    let world = told(&[(10, Up), (20, Down), (30, Down), (50, Down), (60, Down)]);
    let needs = |late: &ProbeResult| {
        let verdict = verdict(late);
        let result = late;
        needs_rows(&world.health, true, &[Arrived { result, verdict }])
    };
    assert!(!needs(&slot(40, Down)));
    assert!(!needs(&slot(5, Down)));
    assert!(needs(&slot(40, Up)), "how much of the streak is left?");
    for tie in [10, 60] {
        let late = result(ProbeKind::First, tie, Down);
        assert!(needs(&late), "before or after the slot of {tie}?");
    }
}

#[test]
fn what_cannot_be_judged_neither_breaks_nor_prolongs_a_streak() {
    let world = told(&[(10, Down), (20, Down), (30, Inconclusive), (40, Down)]);
    assert_eq!(world.kinds(), [FailureStreak]);
    assert_eq!(world.health.open.checks.inconclusive, 1);
    assert_eq!(told(&[(0, Inconclusive)]).state.status, Status::Unknown);
}

#[test]
fn a_manual_probe_is_seen_and_moves_nothing() {
    let mut world = told(&[(10, Up)]);
    for seconds in [20, 21, 22] {
        world.batch(&[result(ProbeKind::Manual, seconds, Down)]);
    }
    assert_eq!((world.health.streak, world.state.status), (0, Status::Up));
    assert_eq!(world.health.last_checked_at, Some(at(22)));
    assert_eq!(world.health.open.checks.judged, 1);
}

#[test]
fn first_and_catchup_move_the_status_and_count_in_no_sum() {
    let mut world = World::new(1);
    world.batch(&[result(ProbeKind::First, 1, Up)]);
    assert_eq!(world.state.status, Status::Up);
    world.batch(&[result(ProbeKind::Catchup, 2, Down)]);
    assert_eq!(world.state.status, Status::Failing);
    assert!(world.health.open.is_empty());
}

#[test]
fn an_sla_breach_is_told_once_until_it_was_back_at_its_target() {
    let mut world = World::new(9_000);
    let mut tell = |range: std::ops::Range<i64>, outcome| {
        // Never three failures in a row: this is about the SLA alone.
        for n in range {
            world.now = at(n * 10 + 30); // all doubts are over
            world.batch(&[slot(n * 10, outcome)]);
        }
        (world.state.sla_breached, world.kinds().len())
    };
    assert_eq!(tell(0..8, Up), (false, 0));
    assert_eq!(tell(8..9, Down), (false, 0), "too few judged");
    assert_eq!(tell(9..10, Up), (false, 0), "exactly at target: 9 of 10");
    assert_eq!(tell(10..11, Down), (true, 1));
    assert_eq!(tell(11..12, Down), (true, 1), "told already");
    assert_eq!(tell(12..30, Up), (false, 1), "27 of 30: back at the target");
    assert_eq!(tell(30..31, Down), (true, 2), "27 of 31");
    let keys: Vec<_> = world.alerts.iter().map(|alert| &alert.dedupe_key).collect();
    assert_eq!(keys, ["1", "2"]);
    assert_eq!(
        world.alerts[0].message,
        "shop is below its SLA target: 81.81 % of the last 30 days, target 90.00 %"
    );
}

#[test]
fn a_breach_while_paused_is_told_after_the_resume_if_it_lasts() {
    let mut world = World::new(9_000);
    let outcomes = (0..12).map(|n| slot(n * 10, if n % 3 == 0 { Down } else { Up }));
    world.service.is_active = false;
    for result in outcomes {
        world.batch(&[result]);
    }
    assert_eq!((world.state.sla_breached, world.kinds().len()), (false, 0));
    world.service.is_active = true;
    world.now = at(150);
    world.batch(&[slot(120, Up)]);
    assert_eq!(world.kinds(), [AlertKind::SlaBreach]);
}

#[test]
fn one_failure_never_breaches_an_sla_and_neither_does_a_young_service() {
    let mut world = World::new(9_999);
    for n in 0..20 {
        world.batch(&[slot(n * 10, if n == 3 { Down } else { Up })]);
    }
    assert!(!world.state.sla_breached);
    let mut young = World::new(9_999);
    for n in 0..9 {
        young.batch(&[slot(n * 10, if n % 2 == 0 { Down } else { Up })]);
    }
    assert!(!young.state.sla_breached);
}
