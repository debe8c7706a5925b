//! Which window of time a cursor's next pass covers, and which slots of a service lie in it:
//! arithmetic only.

use chrono::TimeDelta;
use db::cursor::{DueService, Held, PhaseRange};
use models::Time;
use models::interval::Interval;
use models::slot::{self, Slots};
use models::span::Span;

/// Jobs are published so long before their slot: the hop over the broker happens before it is due.
pub(crate) const LEAD: TimeDelta = TimeDelta::seconds(2);
/// A cursor is taken when it lacks this much of its lead: windows of about a second.
pub(crate) const STEP: TimeDelta = TimeDelta::seconds(1);
/// Slots older than this are not caught up with; almost all of them would be stale.
pub(crate) const CATCH_UP: TimeDelta = TimeDelta::seconds(30);
/// A cursor this far beyond its lead was written by a clock that has been set back since.
pub(crate) const ABSURD: TimeDelta = TimeDelta::seconds(60);
/// One pass covers no more, so that it fits into the time a cursor may be held.
const LONGEST: TimeDelta = TimeDelta::seconds(8);

/// What a pass covers: `(after, through]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) after: Time,
    pub(crate) through: Time,
    /// Before `after`, this much was never looked at and is missed.
    pub(crate) skipped: TimeDelta,
    /// The cursor lay absurdly far ahead; what it said is ignored.
    pub(crate) reset: bool,
}

/// The next window of a held cursor.
pub(crate) fn window(held: &Held) -> Window {
    let earliest = held.now - CATCH_UP;
    // A new installation's cursors stand at the epoch: nothing was skipped since.
    let moved = held
        .scheduled_through
        .filter(|through| *through > Time::UNIX_EPOCH);
    let through_then = moved.filter(|through| *through <= held.now + LEAD + ABSURD);
    let reset = moved.is_some() && through_then.is_none();
    let after = through_then.map_or(earliest, |through| through.max(earliest));
    Window {
        after,
        through: (held.now + LEAD).min(after + LONGEST).max(after),
        skipped: through_then.map_or(TimeDelta::zero(), |through| after - through),
        reset,
    }
}

/// Which services may be due in the window: one or two phase ranges for each interval there is.
pub(crate) fn phase_ranges(window: &Window) -> Vec<PhaseRange> {
    let signed = |ms: u32| i32::try_from(ms).unwrap_or(i32::MAX);
    let of = |interval: Interval| {
        slot::due_phases(interval.ms(), window.after, window.through)
            .into_iter()
            .map(move |(from, to)| PhaseRange {
                interval_ms: signed(interval.ms()),
                from_ms: signed(from),
                to_ms: signed(to),
            })
    };
    Interval::ALL.into_iter().flat_map(of).collect()
}

/// The slots of `service` that lie in the window and in its span, oldest first.
pub(crate) fn slots(service: &DueService, window: &Window) -> impl Iterator<Item = Time> {
    let unsigned = |ms: i32| u32::try_from(ms).unwrap_or(0);
    let span = Span {
        config_version: service.config_version,
        interval_ms: unsigned(service.interval_ms),
        phase_ms: unsigned(service.phase_ms),
        from_at: service.span_from_at,
        to_at: service.span_to_at,
    };
    Slots::new(span.interval_ms, span.phase_ms)
        .in_window(window.after, window.through)
        .filter(move |slot| span.contains(*slot))
}

#[cfg(test)]
mod tests;
