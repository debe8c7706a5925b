use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn seconds(from: i64) -> Time {
    DateTime::from_timestamp(from, 0).unwrap()
}

#[test]
fn a_day_is_24_whole_hours_and_the_open_one() {
    let parts = Window::DAY.at(at("2026-03-10T14:25:00Z"));
    assert_eq!(parts.from(), at("2026-03-09T14:00:00Z"));
    assert_eq!(
        parts.edges,
        [
            (at("2026-03-09T14:00:00Z"), at("2026-03-10T14:00:00Z")),
            (at("2026-03-10T14:00:00Z"), at("2026-03-10T14:00:00Z")),
        ]
    );
    assert_eq!(parts.open_hour, at("2026-03-10T14:00:00Z"));
}

#[test]
fn a_month_is_edge_hours_whole_days_and_edge_hours() {
    let parts = Window::days(30).at(at("2026-03-31T14:25:00Z"));
    assert_eq!(
        parts.edges,
        [
            (at("2026-03-01T14:00:00Z"), at("2026-03-02T00:00:00Z")),
            (at("2026-03-31T00:00:00Z"), at("2026-03-31T14:00:00Z")),
        ]
    );
    assert_eq!(
        parts.days,
        (at("2026-03-02T00:00:00Z"), at("2026-03-31T00:00:00Z"))
    );
}

#[test]
fn longer_windows_begin_at_a_whole_day() {
    for (name, first) in [
        ("90d", "2025-12-31T00:00:00Z"),
        ("365d", "2025-03-31T00:00:00Z"),
    ] {
        let parts = Window::from_name(name)
            .unwrap()
            .at(at("2026-03-31T14:25:00Z"));
        assert_eq!(parts.from(), at(first), "{name}");
        assert_eq!(parts.days, (at(first), at("2026-03-31T00:00:00Z")));
    }
    assert_eq!(Window::from_name("2d"), None);
    assert_eq!(Window::days(0), Window::DAY);
    assert_eq!(Window::days(9_999).hours(), 365 * 24);
}

#[test]
fn young_slots_are_due_only_with_a_result() {
    let span = Span {
        config_version: 1,
        interval_ms: 10_000,
        phase_ms: 0,
        from_at: seconds(0),
        to_at: None,
    };
    let spans = [span];
    // Slots 0, 10, … 410 are older than three minutes at 600 s; 420 is not.
    assert_eq!(due(&spans, seconds(0), seconds(600), 0), 42);
    assert_eq!(due(&spans, seconds(0), seconds(600), 5), 47);
    assert_eq!(due(&spans, seconds(0), seconds(601), 0), 43);
}

proptest! {
    #[test]
    fn the_parts_of_a_window_touch_and_end_at_the_open_hour(
        now in 0_i64..4_000_000_000, named in 0_usize..6,
    ) {
        let now = seconds(now);
        let window = Window::NAMED[named].1;
        let parts = window.at(now);
        let [before, after] = parts.edges;
        let ranges = if parts.days.0 == parts.days.1 {
            vec![before, after]
        } else {
            vec![before, parts.days, after]
        };
        let mut end = parts.from();
        for (from, to) in ranges {
            prop_assert_eq!(from, end);
            prop_assert!(from <= to);
            end = to;
        }
        prop_assert_eq!(end, parts.open_hour);
        prop_assert!(parts.open_hour <= now && now < parts.open_hour + TimeDelta::hours(1));
        prop_assert!(now - parts.from() >= TimeDelta::hours(i64::from(window.hours())));
        for day in [parts.days.0, parts.days.1] {
            prop_assert_eq!(day, day_of(day));
        }
        if window > LONGEST_HOURLY {
            prop_assert_eq!(before.0, before.1, "hours are kept 35 days only");
        }
    }

    #[test]
    fn due_is_judged_inconclusive_missed_and_excluded(
        interval in prop::sample::select(&[1_000_u32, 10_000, 60_000, 300_000][..]),
        phase in any::<u32>(), length in 0_i64..20_000, verdicts in any::<u64>(),
    ) {
        use crate::sla::Checks;
        use crate::slot::Slots;
        let (from, now) = (seconds(1_000_000), seconds(1_000_000 + length));
        let span = Span {
            config_version: 1, interval_ms: interval, phase_ms: phase % interval,
            from_at: from, to_at: None,
        };
        // Every slot gets one of four fates; only those with a result can make a young slot due.
        let mut sums = Checks::default();
        let (mut young, mut lost) = (0, 0);
        let slots = Slots::new(interval, phase);
        for (slot, n) in slots.in_window(from - TimeDelta::milliseconds(1), now).zip(0_u32..) {
            let is_young = slot >= settled_at(now);
            match verdicts.rotate_left(n * 7) % 4 {
                0 => sums.judged += 1,
                1 => sums.inconclusive += 1,
                2 => sums.excluded += 1,
                _ => { lost += u64::from(!is_young); continue; }
            }
            young += u64::from(is_young);
        }
        let due = due(&[span], from, now, young);
        prop_assert_eq!(sums.missed(due), lost);
        prop_assert_eq!(sums.judged + sums.inconclusive + sums.excluded + lost, due);
    }
}
