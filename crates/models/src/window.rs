//! Rolling windows: which days and hours make one up, and which slots are due in it.
//!
//! A window is whole UTC hours plus the open one, so it covers at least its name; one longer than
//! 30 days begins at a whole UTC day, because hours are not kept that long.

use chrono::{DateTime, TimeDelta};

use crate::Time;
use crate::span::{self, Span};

/// How far back a window reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    hours: u16,
}

const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
const DAY_HOURS: u16 = 24;

/// Longer windows begin at a whole UTC day.
const LONGEST_HOURLY: Window = Window::days(30);

impl Window {
    /// The last hour.
    pub const HOUR: Self = Self { hours: 1 };
    /// The last 24 hours.
    pub const DAY: Self = Self::days(1);
    /// Longest window there is: daily sums are kept for 400 days.
    pub const MAX_DAYS: u16 = 365;

    /// What a client may ask for, by name.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("1h", Self::HOUR),
        ("24h", Self::DAY),
        ("7d", Self::days(7)),
        ("30d", Self::days(30)),
        ("90d", Self::days(90)),
        ("365d", Self::days(365)),
    ];

    /// So many days: 1 to [`Self::MAX_DAYS`], others are taken as the nearest of these.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        let days = if days == 0 {
            1
        } else if days > Self::MAX_DAYS {
            Self::MAX_DAYS
        } else {
            days
        };
        Self {
            hours: days * DAY_HOURS,
        }
    }

    /// The window of this name, one of [`Self::NAMED`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED
            .into_iter()
            .find(|named| named.0 == name)
            .map(|named| named.1)
    }

    /// Its length in hours, the open one not counted.
    #[must_use]
    pub const fn hours(self) -> u16 {
        self.hours
    }

    /// What makes it up at `now`.
    #[must_use]
    pub fn at(self, now: Time) -> Parts {
        let open_hour = hour_of(now);
        let back = |time: Time| time - TimeDelta::hours(i64::from(self.hours));
        let from = if self > LONGEST_HOURLY {
            back(day_of(now))
        } else {
            back(open_hour)
        };
        let last_day = day_of(open_hour);
        let first_day = ceil_day(from).min(last_day);
        if first_day == last_day {
            return Parts {
                edges: [(from, open_hour), (open_hour, open_hour)],
                days: (last_day, last_day),
                open_hour,
            };
        }
        Parts {
            edges: [(from, first_day), (last_day, open_hour)],
            days: (first_day, last_day),
            open_hour,
        }
    }
}

/// A window at one moment: edge hours, whole days, edge hours, and the open hour. All pairs are
/// half-open, may be empty, and do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Hours (of the hourly sums) before and after the whole days.
    pub edges: [(Time, Time); 2],
    /// Days (of the daily sums).
    pub days: (Time, Time),
    /// The hour not over yet.
    pub open_hour: Time,
}

impl Parts {
    /// First moment of the window.
    #[must_use]
    pub const fn from(&self) -> Time {
        self.edges[0].0
    }
}

/// A slot younger than this may still be under way, so only its result makes it due.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(3);

/// Slots before this moment are due whether or not a result came.
#[must_use]
pub fn settled_at(now: Time) -> Time {
    now - SETTLED_AFTER
}

/// How many slots were due since `from`: the settled ones, and of the younger (at or after
/// [`settled_at`]) those `young_counted` that already have a counted result.
#[must_use]
pub fn due(spans: &[Span], from: Time, now: Time, young_counted: u64) -> u64 {
    span::due(spans, from, settled_at(now)).saturating_add(young_counted)
}

/// The UTC hour that `time` lies in.
#[must_use]
pub fn hour_of(time: Time) -> Time {
    floor_to(time, HOUR_SECONDS)
}

/// The UTC day that `time` lies in.
#[must_use]
pub fn day_of(time: Time) -> Time {
    floor_to(time, DAY_SECONDS)
}

fn ceil_day(time: Time) -> Time {
    let day = day_of(time);
    if day == time {
        day
    } else {
        day + TimeDelta::days(1)
    }
}

fn floor_to(time: Time, seconds: i64) -> Time {
    let floor = time.timestamp().div_euclid(seconds) * seconds;
    DateTime::from_timestamp(floor, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
