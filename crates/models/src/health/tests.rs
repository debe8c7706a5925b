use chrono::TimeDelta;

use super::*;
use crate::probe::{Phases, ProbeKind};
use uuid::Uuid;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn slot(seconds: i64, outcome: Outcome) -> ProbeResult {
    ProbeResult {
        probe_id: Uuid::nil().into(),
        service_id: Uuid::nil().into(),
        kind: ProbeKind::Slot,
        region: String::from("default"),
        scheduled_at: at(seconds),
        config_version: 2,
        checked_at: at(seconds),
        outcome,
        status_code: None,
        latency_us: (outcome == Outcome::Up).then_some(5_000),
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: String::from("p"),
        answers: None,
        second_prober: None,
        proof: None,
    }
}

fn fresh() -> Health {
    Health::new(Uuid::nil().into(), String::from("default"), at(0))
}

#[test]
fn a_later_hour_closes_the_open_one_and_a_late_slot_goes_straight_to_its_own() {
    let mut health = fresh();
    assert_eq!(health.count(&slot(10, Outcome::Up)), None);
    assert_eq!(health.count(&slot(20, Outcome::Down)), None);
    let closed = health.count(&slot(3_610, Outcome::Up)).unwrap();
    assert_eq!(closed.hour, at(0));
    assert_eq!(
        (closed.sums.checks.judged, closed.sums.checks.failed),
        (2, 1)
    );
    assert_eq!(health.hour, Some(at(3_600)));
    let late = health.count(&slot(30, Outcome::Inconclusive)).unwrap();
    assert_eq!((late.hour, late.sums.checks.inconclusive), (at(0), 1));
    assert_eq!(health.open.checks.judged, 1);
    assert_eq!(health.close_hour().unwrap().sums.checks.judged, 1);
    assert_eq!((health.hour, health.open.is_empty()), (None, true));
    assert_eq!(health.close_hour(), None);
}

#[test]
fn only_a_success_feeds_the_latency() {
    let mut sums = Sums::default();
    for outcome in [Outcome::Up, Outcome::Down, Outcome::Inconclusive] {
        sums.count(outcome, Some(7_000));
    }
    assert_eq!(sums.histogram.total(), 1);
    assert_eq!(sums.latency_sum_us, 7_000);
    assert_eq!(
        (sums.latency_min_us, sums.latency_max_us),
        (Some(7_000), Some(7_000))
    );
}

#[test]
fn a_result_counts_in_the_span_of_its_version_and_moves_state_in_the_current_one() {
    let span = Span {
        config_version: 2,
        interval_ms: 10_000,
        phase_ms: 0,
        from_at: at(0),
        to_at: Some(at(60)),
    };
    let of = |result: &ProbeResult, current| {
        let verdict = Verdict::of(result, Some(&span), current, at(0));
        (verdict.counted, verdict.moves_state)
    };
    let mut result = slot(10, Outcome::Up);
    assert_eq!(of(&result, Some(2)), (true, true));
    assert_eq!(of(&result, Some(3)), (true, false), "an edit came between");
    assert_eq!(of(&result, None), (true, false), "paused");
    result.scheduled_at = at(60);
    assert_eq!(of(&result, Some(2)), (false, true), "after the span's end");
    result.scheduled_at = at(0) - TimeDelta::seconds(1);
    assert_eq!(of(&result, Some(2)), (false, false), "before the resume");
    result.scheduled_at = at(10);
    for (kind, moves) in [
        (ProbeKind::First, true),
        (ProbeKind::Catchup, true),
        (ProbeKind::Manual, false),
        (ProbeKind::Confirm, false),
    ] {
        result.kind = kind;
        assert_eq!(of(&result, Some(2)), (false, moves), "{kind:?}");
    }
    let verdict = Verdict::of(&slot(10, Outcome::Up), None, Some(2), at(0));
    assert!(!verdict.counted, "no span at all");
}
