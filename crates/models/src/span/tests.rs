use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::interval::Interval;

fn ms(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms).unwrap()
}

fn span(config_version: i32, interval_ms: u32, from: i64, to: Option<i64>) -> Span {
    Span {
        config_version,
        interval_ms,
        phase_ms: 7 % interval_ms,
        from_at: ms(from),
        to_at: to.map(ms),
    }
}

#[test]
fn a_span_holds_its_first_moment_and_not_its_last() {
    let closed = span(1, 1_000, 1_007, Some(3_007));
    assert!(closed.has_slot(ms(1_007)));
    assert!(closed.has_slot(ms(2_007)));
    assert!(!closed.has_slot(ms(3_007)));
    assert!(!closed.has_slot(ms(2_000)), "inside, but no slot");
    assert_eq!(closed.due(ms(0), ms(9_000)), 2);
    assert_eq!(closed.due(ms(2_007), ms(2_008)), 1);
    assert_eq!(closed.due(ms(4_000), ms(9_000)), 0);
}

#[test]
fn a_span_closed_before_it_began_holds_nothing() {
    let empty = span(1, 1_000, 5_000, Some(5_000));
    assert_eq!(empty.due(ms(0), ms(10_000)), 0);
    assert!(!empty.contains(ms(5_000)));
}

proptest! {
    /// Edits and pauses at any time: each slot of the schedule belongs to one span, and is due in
    /// exactly one of any row of windows.
    #[test]
    fn every_slot_is_due_in_exactly_one_window_across_spans(
        stretches in prop::collection::vec(
            (prop::sample::select(&Interval::ALL[..8]), 0_i64..120_000, 0_i64..9_000), 1..8,
        ),
        still_open in any::<bool>(),
        ticks in prop::collection::vec(1_u32..30_000, 1..40),
    ) {
        let mut spans = Vec::new();
        let (mut at, mut version) = (1_000_000_i64, 1);
        for (interval, length, gap) in &stretches {
            spans.push(span(version, interval.ms(), at, Some(at + length)));
            at += length + gap;
            version += 1;
        }
        if still_open && let Some(last) = spans.last_mut() {
            last.to_at = None;
        }
        let start = 990_000_i64;
        let mut windows = vec![start];
        for tick in ticks {
            windows.push(windows.last().unwrap() + i64::from(tick));
        }
        let mut dispatched = Vec::new();
        for window in windows.windows(2) {
            for span in &spans {
                let slots = Slots::new(span.interval_ms, span.phase_ms);
                let due = slots
                    .in_window(ms(window[0]), ms(window[1]))
                    .filter(|&slot| span.contains(slot));
                dispatched.extend(due.map(|slot| (slot, span.config_version)));
            }
        }
        let end = ms(*windows.last().unwrap()) + TimeDelta::milliseconds(1);
        let total = due(&spans, ms(start + 1), end);
        prop_assert_eq!(total, u64::try_from(dispatched.len()).unwrap());
        let mut once = dispatched.clone();
        once.sort_unstable();
        once.dedup_by_key(|(slot, _)| *slot);
        prop_assert_eq!(once.len(), dispatched.len(), "a slot belongs to one span only");
    }
}
