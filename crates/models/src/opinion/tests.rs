use uuid::Uuid;

use super::*;
use crate::probe::Phases;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn failure() -> Doubted {
    Doubted {
        kind: ProbeKind::Slot,
        scheduled_at: at(0),
        checked_at: at(1),
        config_version: 4,
        outcome: Outcome::Down,
        counted: true,
        moves_state: true,
        voided: false,
        prober: String::from("one"),
    }
}

/// A success of another prober, started `seconds` after the failure was due.
fn success(seconds: i64) -> ProbeResult {
    ProbeResult {
        probe_id: Uuid::nil().into(),
        service_id: Uuid::nil().into(),
        kind: ProbeKind::Confirm,
        region: String::from("default"),
        scheduled_at: at(seconds),
        config_version: 4,
        checked_at: at(seconds),
        outcome: Outcome::Up,
        status_code: Some(200),
        latency_us: None,
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: String::from("two"),
        answers: Some(failure().answers()),
        second_prober: Some(true),
        proof: None,
    }
}

/// Of a service with configuration 4 and a timeout of 5 s.
fn opinion(confirm: &ProbeResult, failure: &Doubted) -> Opinion {
    Opinion::of(confirm, Some(failure), Some(4), 5_000)
}

#[test]
fn a_success_of_another_prober_in_time_voids_the_failure() {
    assert_eq!(opinion(&success(3), &failure()), Opinion::Voids);
    // The failure's start, the timeout, and fifteen seconds.
    assert_eq!(opinion(&success(21), &failure()), Opinion::Voids);
    assert_eq!(opinion(&success(22), &failure()), Opinion::Moot);
}

#[test]
fn the_same_prober_voids_nothing_by_its_name_or_by_its_own_word() {
    let mut same = success(3);
    same.prober = failure().prober;
    assert_eq!(opinion(&same, &failure()), Opinion::SameProber);
    let mut owned = success(3);
    owned.second_prober = Some(false);
    assert_eq!(opinion(&owned, &failure()), Opinion::SameProber);
}

#[test]
fn only_a_success_voids() {
    for (outcome, expected) in [
        (Outcome::Down, Opinion::Agrees),
        (Outcome::Inconclusive, Opinion::Inconclusive),
    ] {
        let mut confirm = success(3);
        confirm.outcome = outcome;
        assert_eq!(opinion(&confirm, &failure()), expected);
    }
}

#[test]
fn only_the_failure_that_it_answers_is_voided_and_only_once() {
    type Change = fn(&mut ProbeResult, &mut Doubted);
    let changes: [(&str, Change); 9] = [
        ("manual", |confirm, _| confirm.kind = ProbeKind::Manual),
        ("nothing", |confirm, _| confirm.answers = None),
        ("another slot", |_, failure| failure.scheduled_at = at(1)),
        ("another kind", |_, failure| failure.kind = ProbeKind::First),
        ("another version", |confirm, _| confirm.config_version = 5),
        ("an older version", |confirm, failure| {
            confirm.config_version = 3;
            failure.config_version = 3;
        }),
        ("a success", |_, failure| failure.outcome = Outcome::Up),
        ("a bystander", |_, failure| failure.moves_state = false),
        ("again", |_, failure| failure.voided = true),
    ];
    for (what, change) in changes {
        let (mut confirm, mut failure) = (success(3), failure());
        change(&mut confirm, &mut failure);
        assert_eq!(opinion(&confirm, &failure), Opinion::Moot, "{what}");
    }
    let confirm = success(3);
    assert_eq!(Opinion::of(&confirm, None, Some(4), 5_000), Opinion::Moot);
    let paused = Opinion::of(&confirm, Some(&failure()), None, 5_000);
    assert_eq!(paused, Opinion::Moot);
}

#[test]
fn a_failure_is_doubted_as_its_result_tells_it() {
    let mut result = success(7);
    result.outcome = Outcome::Down;
    result.checked_at = at(9);
    for (kind, counted) in [(ProbeKind::Slot, true), (ProbeKind::First, false)] {
        result.kind = kind;
        let doubted = Doubted::of(&result);
        let expected = Doubted {
            kind,
            scheduled_at: at(7),
            checked_at: at(9),
            counted,
            prober: String::from("two"),
            ..failure()
        };
        assert_eq!(doubted, expected);
        assert_eq!(doubted.deadline(5_000), at(9 + 5 + 15));
    }
}
