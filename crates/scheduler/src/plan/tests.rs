use chrono::DateTime;

use super::*;

fn at(seconds: i64) -> Time {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn held(through: Option<i64>) -> Held {
    Held {
        shard: 0,
        scheduled_through: through.map(at),
        now: at(0),
    }
}

#[test]
fn a_window_goes_on_where_the_last_one_ended() {
    let next = window(&held(Some(1)));
    assert_eq!((next.after, next.through), (at(1), at(2)));
    assert_eq!(next.skipped, TimeDelta::zero());
    assert!(!next.reset);
}

#[test]
fn at_most_thirty_seconds_are_caught_up_in_windows_of_eight() {
    let mut through = Some(-1_000);
    let mut ends = Vec::new();
    let mut skipped = Vec::new();
    for _ in 0..4 {
        let next = window(&held(through));
        assert_eq!(next.after, at(through.unwrap().max(-30)));
        through = Some((next.through - at(0)).num_seconds());
        ends.push(through.unwrap());
        skipped.push(next.skipped.num_seconds());
    }
    assert_eq!(ends, [-22, -14, -6, 2]);
    assert_eq!(skipped, [970, 0, 0, 0]);
}

#[test]
fn a_cursor_that_never_moved_begins_thirty_seconds_ago() {
    let migrated = Held {
        scheduled_through: Some(Time::UNIX_EPOCH),
        ..held(None)
    };
    for never in [held(None), migrated] {
        let first = window(&never);
        assert_eq!(first.after, at(-30));
        assert_eq!(first.skipped, TimeDelta::zero());
        assert!(!first.reset);
    }
}

#[test]
fn a_cursor_absurdly_far_ahead_is_reset_and_one_a_little_ahead_is_not() {
    let absurd = window(&held(Some(63)));
    assert!(absurd.reset);
    assert_eq!(absurd.after, at(-30));
    let ahead = window(&held(Some(62)));
    assert!(!ahead.reset);
    assert_eq!((ahead.after, ahead.through), (at(62), at(62)));
    assert!(phase_ranges(&ahead).is_empty());
}

#[test]
fn only_slots_inside_the_span_are_due() {
    let service = DueService {
        id: uuid::Uuid::nil(),
        user_id: uuid::Uuid::nil(),
        url: String::new(),
        interval_ms: 1_000,
        phase_ms: 0,
        timeout_ms: 1_000,
        expected_status: 200,
        follow_redirects: true,
        config_version: 1,
        regions: Vec::new(),
        span_from_at: at(-27),
        span_to_at: Some(at(-24)),
    };
    let due: Vec<Time> = slots(&service, &window(&held(None))).collect();
    assert_eq!(due, [at(-27), at(-26), at(-25)]);
}
