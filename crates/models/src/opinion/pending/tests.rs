use super::*;
use Outcome::{Down, Up};

const NOW: i64 = 20;
const NONE: [i64; 0] = [];

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn row(kind: ProbeKind, seconds: i64, outcome: Outcome) -> Doubted {
    Doubted {
        kind,
        scheduled_at: at(seconds),
        checked_at: at(seconds),
        config_version: 4,
        outcome,
        counted: kind.counts(),
        moves_state: kind.moves_state(),
        voided: false,
        prober: String::from("p"),
    }
}

fn slot(seconds: i64, outcome: Outcome) -> Doubted {
    row(ProbeKind::Slot, seconds, outcome)
}

fn void(seconds: i64) -> Doubted {
    Doubted {
        voided: true,
        ..slot(seconds, Down)
    }
}

fn confirm(seconds: i64, outcome: Outcome) -> Doubted {
    row(ProbeKind::Confirm, seconds, outcome)
}

/// Of a service with configuration 4 and a timeout of 5 s.
fn doubtful_at(now: i64, rows: &[Doubted]) -> Vec<i64> {
    let doubts = in_doubt(rows, Some(4), 5_000, at(now));
    let times = doubts.iter().map(|doubt| doubt.scheduled_at - at(0));
    times.map(|time| time.num_seconds()).collect()
}

fn doubtful(rows: &[Doubted]) -> Vec<i64> {
    doubtful_at(NOW, rows)
}

#[test]
fn a_streak_is_in_doubt_with_its_first_failure() {
    assert_eq!(doubtful(&[slot(0, Up)]), NONE);
    assert_eq!(doubtful(&[slot(5, Up), slot(10, Down)]), [10]);
    let streak = [slot(5, Up), slot(10, Down), slot(12, Down), slot(14, Up)];
    assert_eq!(doubtful(&streak), [10, 12], "though it is over");
    assert_eq!(doubtful_at(30, &streak), [10, 12]);
    assert_eq!(doubtful_at(31, &streak), NONE, "no success can void it now");
}

#[test]
fn an_answer_of_any_kind_ends_it() {
    for outcome in [Up, Down, Outcome::Inconclusive] {
        let rows = [slot(10, Down), confirm(11, outcome), slot(12, Down)];
        assert_eq!(doubtful(&rows), NONE, "{outcome:?}");
    }
}

#[test]
fn a_void_failure_takes_its_own_answer_with_it() {
    // Both failures were there before the first answer came.
    let rows = [slot(5, Up), void(10), slot(11, Down), confirm(12, Up)];
    assert_eq!(doubtful(&rows), [11], "asked for only now");
    let answered = [rows.as_slice(), &[confirm(14, Down)]].concat();
    assert_eq!(doubtful(&answered), NONE);
}

#[test]
fn each_answer_ends_one_doubt() {
    let mut rows = vec![slot(8, Down), slot(10, Up), slot(12, Down), slot(14, Up)];
    assert_eq!(doubtful(&rows), [8, 12]);
    rows.insert(1, confirm(9, Down));
    assert_eq!(doubtful(&rows), [12]);
    rows.push(confirm(15, Down));
    assert_eq!(doubtful(&rows), NONE);
    rows.remove(1);
    assert_eq!(doubtful(&rows), [8], "the later one");
}

#[test]
fn what_no_second_opinion_can_void_is_in_no_doubt() {
    let streak = [slot(10, Down), slot(12, Down)];
    let of = |rows: &[Doubted], current| in_doubt(rows, current, 5_000, at(NOW)).len();
    assert_eq!(of(&streak, Some(4)), 2);
    assert_eq!(of(&streak, Some(5)), 0, "edited");
    assert_eq!(of(&streak, None), 0, "paused");
    let first = row(ProbeKind::First, 9, Down);
    assert_eq!(of(&[first, slot(10, Down)], Some(4)), 1, "in no sum");
    let old = slot(-60, Down);
    assert_eq!(of(&[old, slot(10, Down)], Some(4)), 0, "its streak is old");
}

#[test]
fn what_is_too_old_to_be_in_doubt_need_not_be_read() {
    let since = doubtful_since(5_000, at(NOW));
    assert_eq!(since, at(NOW - 5 - 15 - 60));
}
