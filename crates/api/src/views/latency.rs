//! The latency series: a window cut into steps.

use chrono::TimeDelta;
use models::Time;
use models::window::{Window, hour_of};
use serde::Serialize;

use crate::openapi::values::{Milliseconds, Timestamp};
use crate::views::figures::count;
use crate::views::format;
use crate::views::sums::Sums;
use utoipa::ToSchema;

/// The most points of one answer.
pub(crate) const MAX_POINTS: i64 = 500;

/// What a step may be, by name, in seconds. Each divides a day, so that steps begin at even times.
pub(crate) const STEPS: [(&str, i32); 12] = [
    ("1m", 60),
    ("2m", 120),
    ("5m", 300),
    ("10m", 600),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", HOUR),
    ("2h", 2 * HOUR),
    ("3h", 3 * HOUR),
    ("6h", 6 * HOUR),
    ("12h", 12 * HOUR),
    ("24h", DAY),
];

const HOUR: i32 = 3_600;
const DAY: i32 = 24 * HOUR;

/// Hours are kept for 35 days, so longer windows have whole days only.
const LONGEST_HOURLY: Window = Window::days(30);

/// A window and the steps it is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// First moment of the first step.
    pub(crate) from: Time,
    /// Length of a step in seconds.
    pub(crate) step_seconds: i32,
    /// How many steps, the one that holds `now` included: 1 to [`MAX_POINTS`].
    pub(crate) points: i64,
}

/// Where the points of a series are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Raw results: steps under an hour.
    Results,
    /// Closed hours and the open one.
    Hours,
    /// Closed days and the open hours of today.
    Days,
}

impl Cut {
    /// Cuts `window` at `now`; without a step, into the finest that gives a readable number of points.
    ///
    /// # Errors
    /// A sentence on why this step does not go with this window.
    pub(crate) fn new(window: Window, step: Option<i32>, now: Time) -> Result<Self, String> {
        let step_seconds = step.unwrap_or_else(|| usual(window));
        if step_seconds < HOUR && window > Window::DAY {
            return Err("must be at least 1h for windows over 24h".to_owned());
        }
        if step_seconds < DAY && window > LONGEST_HOURLY {
            return Err("must be 24h for windows over 30d".to_owned());
        }
        let begin = if step_seconds < HOUR {
            now - TimeDelta::hours(i64::from(window.hours()))
        } else {
            window.at(now).from()
        };
        let from = floor(begin, step_seconds);
        let points = (now - from).num_seconds() / i64::from(step_seconds) + 1;
        if points > MAX_POINTS {
            return Err(format!(
                "gives {points} points, and {MAX_POINTS} is the most: take a longer one"
            ));
        }
        Ok(Self {
            from,
            step_seconds,
            points,
        })
    }

    /// Where its points are read from.
    #[must_use]
    pub(crate) const fn source(&self) -> Source {
        if self.step_seconds < HOUR {
            Source::Results
        } else if self.step_seconds < DAY {
            Source::Hours
        } else {
            Source::Days
        }
    }

    /// First moment after the series.
    #[must_use]
    pub(crate) fn to(&self) -> Time {
        self.start_of(self.points)
    }

    /// First moment of the `n`th step.
    #[must_use]
    pub(crate) fn start_of(&self, n: i64) -> Time {
        self.from + TimeDelta::seconds(n * i64::from(self.step_seconds))
    }

    /// Which step `time` lies in.
    #[must_use]
    pub(crate) fn index_of(&self, time: Time) -> Option<usize> {
        let index = (time - self.from)
            .num_seconds()
            .div_euclid(i64::from(self.step_seconds));
        usize::try_from(index)
            .ok()
            .filter(|_| index < self.points && time >= self.from)
    }
}

/// 60 points of the last hour, at most some hundreds of longer windows.
fn usual(window: Window) -> i32 {
    match window.hours() {
        0..=1 => 60,
        2..=24 => 300,
        25..=168 => HOUR,
        169..=720 => 3 * HOUR,
        _ => DAY,
    }
}

fn floor(time: Time, seconds: i32) -> Time {
    let hour = hour_of(time);
    let seconds = i64::from(seconds);
    let into = if seconds <= i64::from(HOUR) {
        (time - hour).num_seconds() / seconds * seconds
    } else {
        hour.timestamp().div_euclid(seconds) * seconds - hour.timestamp()
    };
    hour + TimeDelta::seconds(into)
}

/// One step. Latencies are those of the successes, `null` where there were none.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = LatencyPoint)]
pub(crate) struct Point {
    /// When the step begins.
    #[schema(value_type = Timestamp)]
    pub(crate) at: String,
    /// Judged checks in it.
    pub(crate) checks: u64,
    /// Of those, the failed.
    pub(crate) failures: u64,
    /// Of the successes; `null` where there were none.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) avg_ms: Option<f64>,
    /// Of the same.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p50_ms: Option<f64>,
    /// Of the same.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p95_ms: Option<f64>,
    /// Of the same.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p99_ms: Option<f64>,
}

impl Point {
    /// A step without results.
    #[must_use]
    pub(crate) fn empty(at: Time) -> Self {
        Self::of_sums(at, &Sums::default())
    }

    /// From closed and open hours.
    #[must_use]
    pub(crate) fn of_sums(at: Time, sums: &Sums) -> Self {
        Self {
            at: format::time(at),
            checks: sums.checks.judged,
            failures: sums.checks.failed,
            avg_ms: sums.latency.average_ms(),
            p50_ms: sums.latency.percentile_ms(50),
            p95_ms: sums.latency.percentile_ms(95),
            p99_ms: sums.latency.percentile_ms(99),
        }
    }

    /// From raw results.
    #[must_use]
    pub(crate) fn of_results(step: &db::results::page::Step) -> Self {
        let percentile = |index: usize| {
            let us = *step.percentiles_us.as_ref()?.get(index)?;
            us.and_then(|us| u32::try_from(us).ok()).map(format::ms)
        };
        Self {
            at: format::time(step.at),
            checks: count(step.checks),
            failures: count(step.failures),
            avg_ms: step
                .avg_us
                .and_then(|us| u32::try_from(us).ok())
                .map(format::ms),
            p50_ms: percentile(0),
            p95_ms: percentile(1),
            p99_ms: percentile(2),
        }
    }
}

#[cfg(test)]
mod tests;
