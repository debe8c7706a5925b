//! How often a service is probed: one of a fixed list.

use std::fmt;
use std::str::FromStr;

/// One of the intervals that a service may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    ms: u32,
    text: &'static str,
}

const SECOND: u32 = 1_000;
const MINUTE: u32 = 60 * SECOND;
const HOUR: u32 = 60 * MINUTE;

const fn every(ms: u32, text: &'static str) -> Interval {
    Interval { ms, text }
}

impl Interval {
    /// Every interval there is, shortest first. Each divides a day, so that a day's slots are a fixed number.
    pub const ALL: [Self; 23] = [
        every(SECOND, "1s"),
        every(2 * SECOND, "2s"),
        every(5 * SECOND, "5s"),
        every(10 * SECOND, "10s"),
        every(15 * SECOND, "15s"),
        every(20 * SECOND, "20s"),
        every(30 * SECOND, "30s"),
        every(MINUTE, "1m"),
        every(2 * MINUTE, "2m"),
        every(3 * MINUTE, "3m"),
        every(5 * MINUTE, "5m"),
        every(10 * MINUTE, "10m"),
        every(15 * MINUTE, "15m"),
        every(20 * MINUTE, "20m"),
        every(30 * MINUTE, "30m"),
        every(HOUR, "1h"),
        every(2 * HOUR, "2h"),
        every(3 * HOUR, "3h"),
        every(4 * HOUR, "4h"),
        every(6 * HOUR, "6h"),
        every(8 * HOUR, "8h"),
        every(12 * HOUR, "12h"),
        every(24 * HOUR, "24h"),
    ];

    /// One minute: what a service gets that names none.
    pub const DEFAULT: Self = every(MINUTE, "1m");

    /// The length in milliseconds, 1 000 to 86 400 000.
    #[must_use]
    pub const fn ms(self) -> u32 {
        self.ms
    }

    /// The length in whole seconds, 1 to 86 400.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.ms / SECOND
    }

    /// As written by people: `30s`, `5m`, `1h`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.text
    }

    /// The interval of exactly this many milliseconds, if the list holds it.
    #[must_use]
    pub fn from_ms(ms: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.ms == ms)
    }

    /// The intervals of at least `min_seconds`, for error messages and documentation.
    pub fn allowed(min_seconds: u32) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |interval| interval.seconds() >= min_seconds)
    }
}

/// The text is not in the list of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of the intervals that exist")]
pub struct UnknownInterval;

impl FromStr for Interval {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.text == text)
            .ok_or(UnknownInterval)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_divides_a_day_and_reads_back() {
        for interval in Interval::ALL {
            assert_eq!(86_400_000 % interval.ms(), 0, "{interval}");
            assert_eq!(interval.as_str().parse(), Ok(interval));
            assert_eq!(Interval::from_ms(interval.ms()), Some(interval));
        }
        assert!("7s".parse::<Interval>().is_err());
        assert!(Interval::ALL.is_sorted());
    }
}
