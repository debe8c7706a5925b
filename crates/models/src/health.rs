//! How a service is, seen from one region: its streak, its newest results and its open hour.
//!
//! Sums do not depend on the order of arrival: a row adds to its own hour, whenever it comes. The
//! streak does not either: a row older than the newest one is *late*, and then the streak is told
//! anew by the rows ([`RowsSay`]) wherever its place among them is in doubt.

use crate::Time;
use crate::alert::FailedCheck;
use crate::histogram::Histogram;
use crate::id::ServiceId;
use crate::opinion::Doubted;
use crate::probe::{Outcome, ProbeResult};
use crate::sla::Checks;
use crate::span::Span;
use crate::window::hour_of;

/// What the counted slots of some stretch of time came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many, by outcome.
    pub checks: Checks,
    /// Latencies of the successful ones, in microseconds, added up.
    pub latency_sum_us: u64,
    /// The shortest of them.
    pub latency_min_us: Option<u32>,
    /// The longest.
    pub latency_max_us: Option<u32>,
    /// All of them.
    pub histogram: Histogram,
}

impl Sums {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checks == Checks::default()
    }

    /// Counts one slot. Only a success feeds the latency.
    pub fn count(&mut self, outcome: Outcome, latency_us: Option<u32>) {
        self.checks.count(outcome);
        if let (Outcome::Up, Some(latency)) = (outcome, latency_us) {
            self.latency_sum_us += u64::from(latency);
            self.latency_min_us = lesser(self.latency_min_us, Some(latency));
            self.latency_max_us = self.latency_max_us.max(Some(latency));
            self.histogram.record(latency);
        }
    }

    /// Adds all of `other`; the order of merges does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.checks = self.checks.plus(other.checks);
        self.latency_sum_us = self.latency_sum_us.saturating_add(other.latency_sum_us);
        self.latency_min_us = lesser(self.latency_min_us, other.latency_min_us);
        self.latency_max_us = self.latency_max_us.max(other.latency_max_us);
        self.histogram.merge(&other.histogram);
    }
}

/// Unlike `Option::min`, `None` is not the least but nothing.
fn lesser(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The sums of one UTC hour that is not open any more: to be added to its rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedHour {
    /// Its first moment.
    pub hour: Time,
    /// What to add.
    pub sums: Sums,
}

/// The row that changes with every result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Of which service.
    pub service_id: ServiceId,
    /// Seen from where.
    pub region: String,
    /// Failures after the newest success, of the rows since [`Self::streak_since`] that move state.
    pub streak: u32,
    /// Older rows move nothing: set by create and resume.
    pub streak_since: Time,
    /// The newest row that moved state, voided or not.
    pub last_scheduled_at: Option<Time>,
    /// The outcome, up or down, of the newest that was not voided.
    pub last_outcome: Option<Outcome>,
    /// The newest failure that moved state, voided or not.
    pub last_failure_at: Option<Time>,
    /// The newest success that moved state.
    pub last_success_at: Option<Time>,
    /// When the newest probe of any kind was started.
    pub last_checked_at: Option<Time>,
    /// The open hour, if one is open.
    pub hour: Option<Time>,
    /// Its sums.
    pub open: Sums,
}

impl Health {
    /// As a service has it before its first result.
    #[must_use]
    pub fn new(service_id: ServiceId, region: String, streak_since: Time) -> Self {
        Self {
            service_id,
            region,
            streak: 0,
            streak_since,
            last_scheduled_at: None,
            last_outcome: None,
            last_failure_at: None,
            last_success_at: None,
            last_checked_at: None,
            hour: None,
            open: Sums::default(),
        }
    }

    /// Whether a row of this time comes after a newer one: then the streak is told by the rows.
    #[must_use]
    pub fn is_late(&self, scheduled_at: Time) -> bool {
        self.last_scheduled_at
            .is_some_and(|newest| scheduled_at <= newest)
    }

    /// Counts one slot in its hour. Answers with what the rollups have to take: the hour that was
    /// open, if this slot opens a later one, or the slot itself, if its hour is no longer open.
    pub fn count(&mut self, result: &ProbeResult) -> Option<ClosedHour> {
        let hour = hour_of(result.scheduled_at);
        match self.hour {
            Some(open) if open == hour => {
                self.open.count(result.outcome, result.latency_us);
                None
            }
            Some(open) if open > hour => {
                let mut sums = Sums::default();
                sums.count(result.outcome, result.latency_us);
                Some(ClosedHour { hour, sums })
            }
            _ => {
                let closed = self.close_hour();
                self.hour = Some(hour);
                self.open.count(result.outcome, result.latency_us);
                closed
            }
        }
    }

    /// Ends the open hour; answers with what the rollups have to take.
    pub fn close_hour(&mut self) -> Option<ClosedHour> {
        let hour = self.hour.take()?;
        let sums = std::mem::take(&mut self.open);
        Some(ClosedHour { hour, sums })
    }

    /// Applies a row that moves state and is newer than all before it.
    pub fn advance(&mut self, scheduled_at: Time, outcome: Outcome) {
        match outcome {
            Outcome::Up => {
                self.streak = 0;
                self.last_success_at = Some(scheduled_at);
            }
            Outcome::Down => {
                self.streak = self.streak.saturating_add(1);
                self.last_failure_at = Some(scheduled_at);
            }
            Outcome::Inconclusive => return,
        }
        self.last_scheduled_at = Some(scheduled_at);
        self.last_outcome = Some(outcome);
    }

    /// Whether a late failure of this time finds its place in the streak without the rows: it is
    /// older than the newest row, and not of the same moment as the newest success.
    #[must_use]
    pub fn places_failure(&self, scheduled_at: Time) -> bool {
        self.last_scheduled_at
            .is_some_and(|newest| scheduled_at < newest)
            && self.last_success_at != Some(scheduled_at)
    }

    /// A late failure that [`Self::places_failure`] joins the streak, if it is newer than the newest
    /// success.
    pub fn join_streak(&mut self, scheduled_at: Time) {
        if self
            .last_success_at
            .is_none_or(|success| success < scheduled_at)
        {
            self.streak = self.streak.saturating_add(1);
        }
    }

    /// Takes over what the rows say, after late ones joined them or some were voided.
    pub fn retell(&mut self, rows: &RowsSay) {
        self.streak = rows.failures;
        // A success without a row is older than what is kept.
        let kept_success = self.last_success_at >= Some(self.streak_since);
        self.last_outcome = rows
            .newest_outcome
            .or_else(|| kept_success.then_some(Outcome::Up));
    }

    /// A counted failure is inconclusive after all. Answers with its hour where that is not the
    /// open one: its rollups have to follow.
    pub fn void(&mut self, scheduled_at: Time) -> Option<Time> {
        let hour = hour_of(scheduled_at);
        if self.hour != Some(hour) {
            return Some(hour);
        }
        self.open.checks.void_failure();
        None
    }

    /// A late row may still be the newest of its outcome.
    pub fn note_late(&mut self, scheduled_at: Time, outcome: Outcome) {
        let newest = match outcome {
            Outcome::Up => &mut self.last_success_at,
            Outcome::Down => &mut self.last_failure_at,
            Outcome::Inconclusive => return,
        };
        *newest = (*newest).max(Some(scheduled_at));
    }
}

/// The streak, read from the rows: of one service and region, those that move state, are neither
/// voided nor inconclusive, and lie in `[streak_since, last_scheduled_at]`, ordered by
/// (`scheduled_at`, kind).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsSay {
    /// Outcome of the newest row.
    pub newest_outcome: Option<Outcome>,
    /// Rows after the newest success: all of them failures.
    pub failures: u32,
    /// The oldest of these.
    pub first: Option<FailedCheck>,
    /// The same one, as a second opinion sees it.
    pub doubted: Option<Doubted>,
    /// The newest of these.
    pub last: Option<FailedCheck>,
}

/// What one row may do; stored with it, and never changed by a later configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// It counts in sums.
    pub counted: bool,
    /// It may move status and streak.
    pub moves_state: bool,
}

impl Verdict {
    /// `span` is the one of the result's own `config_version`; `current` the configuration that an
    /// active service has now, `None` while it is paused.
    #[must_use]
    pub fn of(
        result: &ProbeResult,
        span: Option<&Span>,
        current: Option<i32>,
        streak_since: Time,
    ) -> Self {
        let in_span = span.is_some_and(|span| {
            span.config_version == result.config_version && span.contains(result.scheduled_at)
        });
        Self {
            counted: result.kind.counts() && in_span,
            moves_state: result.kind.moves_state()
                && current == Some(result.config_version)
                && result.scheduled_at >= streak_since,
        }
    }
}

#[cfg(test)]
mod tests;
