//! Spans: stretches of time in which a service was active with one configuration.
//!
//! They make "due" a computation for any past window, at any time.

use crate::Time;
use crate::slot::Slots;

/// A half-open stretch `[from_at, to_at)` with one configuration; `to_at` is `None` while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The configuration that was current in it.
    pub config_version: i32,
    /// Interval in milliseconds.
    pub interval_ms: u32,
    /// Phase in milliseconds.
    pub phase_ms: u32,
    /// First moment that belongs to it.
    pub from_at: Time,
    /// First moment that no longer does.
    pub to_at: Option<Time>,
}

impl Span {
    /// Whether `time` lies in it.
    #[must_use]
    pub fn contains(&self, time: Time) -> bool {
        self.from_at <= time && self.to_at.is_none_or(|to| time < to)
    }

    /// Whether `time` lies in it and is one of its slots.
    #[must_use]
    pub fn has_slot(&self, time: Time) -> bool {
        self.contains(time) && Slots::new(self.interval_ms, self.phase_ms).contains(time)
    }

    /// How many of its slots lie in the half-open `[from, to)`.
    #[must_use]
    pub fn due(&self, from: Time, to: Time) -> u64 {
        let from = from.max(self.from_at);
        let to = self.to_at.map_or(to, |end| end.min(to));
        if from >= to {
            0
        } else {
            Slots::new(self.interval_ms, self.phase_ms).count(from, to)
        }
    }
}

/// How many slots of all `spans` lie in the half-open `[from, to)`. Spans of one service never overlap.
#[must_use]
pub fn due(spans: &[Span], from: Time, to: Time) -> u64 {
    spans.iter().map(|span| span.due(from, to)).sum()
}

#[cfg(test)]
mod tests;
