//! Slots: the moments at which a service is due, by arithmetic alone.
//!
//! A service's slots are `phase + n × interval` on the Unix time line, with `phase = hash(id) mod
//! interval`. So load is spread evenly, and a restart or an edit shifts nothing.

use chrono::{DateTime, TimeDelta};

use crate::Time;
use crate::id::ServiceId;

/// How many cursors the schedule is cut into.
pub const SHARDS: u8 = 16;

/// Which of the [`SHARDS`] a service belongs to.
#[must_use]
pub fn shard(id: ServiceId) -> u8 {
    u8::try_from(id.hash62() % u64::from(SHARDS)).unwrap_or(0)
}

/// Where in its interval a service is due, in milliseconds: 0 to `interval_ms` − 1.
#[must_use]
pub fn phase_ms(id: ServiceId, interval_ms: u32) -> u32 {
    u32::try_from(id.hash62() % u64::from(interval_ms.max(1))).unwrap_or(0)
}

/// One service's slots: all times `phase + n × interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    interval_ms: i64,
    phase_ms: i64,
}

impl Slots {
    /// `interval_ms` is taken as at least 1; `phase_ms` is reduced modulo it.
    #[must_use]
    pub fn new(interval_ms: u32, phase_ms: u32) -> Self {
        let interval_ms = i64::from(interval_ms.max(1));
        Self {
            interval_ms,
            phase_ms: i64::from(phase_ms) % interval_ms,
        }
    }

    /// The slots of the service with this id.
    #[must_use]
    pub fn of(id: ServiceId, interval_ms: u32) -> Self {
        Self::new(interval_ms, phase_ms(id, interval_ms))
    }

    /// Number of the newest slot at or before `ms`.
    const fn index_at(self, ms: i64) -> i64 {
        (ms - self.phase_ms).div_euclid(self.interval_ms)
    }

    const fn ms_of(self, index: i64) -> i64 {
        index * self.interval_ms + self.phase_ms
    }

    /// The first slot later than `time`.
    #[must_use]
    pub fn next_after(self, time: Time) -> Time {
        from_ms(self.ms_of(self.index_at(floor_ms(time)) + 1))
    }

    /// The newest slot at or before `time`.
    #[must_use]
    pub fn last_at(self, time: Time) -> Time {
        from_ms(self.ms_of(self.index_at(floor_ms(time))))
    }

    /// Whether `time` is a slot, to the millisecond.
    #[must_use]
    pub fn contains(self, time: Time) -> bool {
        self.last_at(time) == time
    }

    /// The slots in the window `(after, through]`, oldest first.
    pub fn in_window(self, after: Time, through: Time) -> impl Iterator<Item = Time> {
        let first = self.index_at(floor_ms(after)) + 1;
        let last = self.index_at(floor_ms(through));
        (first..=last).map(move |index| from_ms(self.ms_of(index)))
    }

    /// How many slots lie in the half-open `[from, to)`; 0 if it is empty.
    #[must_use]
    pub fn count(self, from: Time, to: Time) -> u64 {
        let before = |time| self.index_at(ceil_ms(time) - 1);
        u64::try_from(before(to) - before(from)).unwrap_or(0)
    }
}

/// The phases that have a slot in the window `(after, through]`, for services of one interval: at most
/// two ranges, both ends inclusive, in milliseconds. This is what due services are looked up by.
#[must_use]
pub fn due_phases(interval_ms: u32, after: Time, through: Time) -> Vec<(u32, u32)> {
    let interval = i64::from(interval_ms.max(1));
    let (after, through) = (floor_ms(after), floor_ms(through));
    let last = interval - 1;
    let ranges = if through <= after {
        Vec::new()
    } else if through - after >= interval {
        vec![(0, last)]
    } else {
        let first = after.rem_euclid(interval) + 1;
        let end = through.rem_euclid(interval);
        if first <= end {
            vec![(first, end)]
        } else if first > last {
            vec![(0, end)]
        } else {
            vec![(0, end), (first, last)]
        }
    };
    let narrow = |phase: i64| u32::try_from(phase).unwrap_or(0);
    ranges
        .into_iter()
        .map(|(from, to)| (narrow(from), narrow(to)))
        .collect()
}

fn floor_ms(time: Time) -> i64 {
    time.timestamp_millis()
}

fn ceil_ms(time: Time) -> i64 {
    let floor = floor_ms(time);
    if from_ms(floor) < time {
        floor + 1
    } else {
        floor
    }
}

fn from_ms(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

/// No slot is probed later than this after it was due.
pub const MAX_START_DELAY: TimeDelta = TimeDelta::minutes(1);

/// When a job for this slot has become too old to run: half an interval after it, at most
/// [`MAX_START_DELAY`].
#[must_use]
pub fn not_after(scheduled_at: Time, interval_ms: u32) -> Time {
    let half = TimeDelta::milliseconds(i64::from(interval_ms) / 2);
    scheduled_at + half.min(MAX_START_DELAY)
}

#[cfg(test)]
mod tests;
