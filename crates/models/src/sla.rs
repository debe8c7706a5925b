//! Counts of checks, and the percentages that follow from them: integers, always rounded down.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::probe::Outcome;
use crate::service::SlaTarget;

/// Hundredths of a percent, 0 to 10 000, as shown: never rounded up, so that 100 means all.
///
/// Serialises as a number of at most two decimals: 9 999 as `99.99`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hundredths(u16);

impl Hundredths {
    /// All of it.
    pub const ALL: Self = Self(10_000);

    /// The plain number of hundredths of a percent.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// As a percentage.
    #[must_use]
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Hundredths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.percent())
    }
}

/// `part` of `whole`, rounded down; `None` of nothing. A part above the whole is taken as the whole.
#[must_use]
pub fn percent_floor(part: u64, whole: u64) -> Option<Hundredths> {
    if whole == 0 {
        return None;
    }
    let hundredths = u128::from(part.min(whole)) * 10_000 / u128::from(whole);
    u16::try_from(hundredths).ok().map(Hundredths)
}

/// What became of the slots of some stretch of time; voided failures count as inconclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Checks {
    /// Found up or down, outside maintenance.
    pub judged: u64,
    /// Of the judged, found down.
    pub failed: u64,
    /// The prober could not judge.
    pub inconclusive: u64,
    /// Found up or down, inside maintenance.
    pub excluded: u64,
    /// Of the excluded, found down.
    pub excluded_failed: u64,
}

impl Checks {
    /// Counts one slot.
    pub const fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Up => self.judged += 1,
            Outcome::Down => {
                self.judged += 1;
                self.failed += 1;
            }
            Outcome::Inconclusive => self.inconclusive += 1,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            judged: self.judged.saturating_add(other.judged),
            failed: self.failed.saturating_add(other.failed),
            inconclusive: self.inconclusive.saturating_add(other.inconclusive),
            excluded: self.excluded.saturating_add(other.excluded),
            excluded_failed: self.excluded_failed.saturating_add(other.excluded_failed),
        }
    }

    /// One failure is inconclusive after all.
    pub const fn void_failure(&mut self) {
        *self = self.without_failures(1);
    }

    /// As if so many of the failures were inconclusive.
    #[must_use]
    pub const fn without_failures(self, failures: u64) -> Self {
        Self {
            judged: self.judged.saturating_sub(failures),
            failed: self.failed.saturating_sub(failures),
            inconclusive: self.inconclusive.saturating_add(failures),
            ..self
        }
    }

    /// Successful ÷ judged, maintenance left out; `None` until something was judged.
    #[must_use]
    pub fn sla(self) -> Option<Hundredths> {
        percent_floor(self.judged.saturating_sub(self.failed), self.judged)
    }

    /// Successful ÷ judged, maintenance included; `None` until something was judged.
    #[must_use]
    pub fn uptime(self) -> Option<Hundredths> {
        let whole = self.judged.saturating_add(self.excluded);
        let failed = self.failed.saturating_add(self.excluded_failed);
        percent_floor(whole.saturating_sub(failed), whole)
    }

    /// (Judged + excluded) ÷ due: how much of the time was watched; `None` if nothing was due.
    #[must_use]
    pub fn coverage(self, due: u64) -> Option<Hundredths> {
        percent_floor(self.judged.saturating_add(self.excluded), due)
    }

    /// Due slots that nothing is known of: due − judged − inconclusive − excluded.
    #[must_use]
    pub const fn missed(self, due: u64) -> u64 {
        due.saturating_sub(self.judged)
            .saturating_sub(self.inconclusive)
            .saturating_sub(self.excluded)
    }

    /// Whether the SLA is below its target: exactly when the shown figure is, with at least
    /// `min_checks` judged and [`MIN_FAILED`] failed.
    #[must_use]
    pub fn breaches(self, target: SlaTarget, min_checks: u64) -> bool {
        self.judged >= min_checks
            && self.failed >= MIN_FAILED
            && self
                .sla()
                .is_some_and(|shown| shown.get() < target.hundredths())
    }
}

/// One failure alone never breaches an SLA: over few checks it weighs too much.
pub const MIN_FAILED: u64 = 2;

#[cfg(test)]
mod tests;
