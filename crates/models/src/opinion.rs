//! Second opinions: a first failure is looked at by another prober, whose success voids it.
//!
//! The failure that begins a streak counts at once, so that an outage is told no later than
//! without this rule; and it is doubted: the processor asks for a probe of kind `confirm` by
//! another prober. If that one succeeds in time, the fault was the first prober's, and the failure
//! becomes inconclusive. A voided failure may leave a streak that begins with another one, which
//! is doubted in turn. So what only one prober sees does not add up to an outage, and what all see
//! is told as soon as ever.
//!
//! The order of arrival: a confirm is asked for in the transaction that stores its failure, so it
//! cannot come before. One whose failure is not there voids nothing, then or later.

mod pending;

use chrono::TimeDelta;

use crate::Time;
use crate::probe::{Answers, Outcome, ProbeKind, ProbeResult};

pub use pending::{doubtful_since, in_doubt};

/// How long a second opinion may take to begin, beyond the timeout that the failed probe may have
/// used up. Later the target may have come back by itself.
pub const PATIENCE: TimeDelta = TimeDelta::seconds(15);

/// A failure, as far as a second opinion cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubted {
    /// Its kind.
    pub kind: ProbeKind,
    /// When it was due.
    pub scheduled_at: Time,
    /// When it was started.
    pub checked_at: Time,
    /// The configuration that it was probed with.
    pub config_version: i32,
    /// What its row says. Only `Down` can be voided.
    pub outcome: Outcome,
    /// Whether it counts in sums.
    pub counted: bool,
    /// Whether it moves status and streak.
    pub moves_state: bool,
    /// Whether it was voided before.
    pub voided: bool,
    /// Who failed.
    pub prober: String,
}

impl Doubted {
    /// A result that moves the state.
    #[must_use]
    pub fn of(result: &ProbeResult) -> Self {
        Self {
            kind: result.kind,
            scheduled_at: result.scheduled_at,
            checked_at: result.checked_at,
            config_version: result.config_version,
            outcome: result.outcome,
            counted: result.kind.counts(),
            moves_state: true,
            voided: false,
            prober: result.prober.clone(),
        }
    }

    /// What a probe that answers it carries.
    #[must_use]
    pub fn answers(&self) -> Answers {
        Answers {
            kind: self.kind,
            scheduled_at: self.scheduled_at,
        }
    }

    /// The last moment at which a probe that could void it may be started.
    #[must_use]
    pub fn deadline(&self, timeout_ms: u32) -> Time {
        self.checked_at + TimeDelta::milliseconds(timeout_ms.into()) + PATIENCE
    }

    /// Whether a second opinion can still come to anything at `now`, of a service whose present
    /// configuration is `current` (`None` while it is paused).
    #[must_use]
    pub fn is_open(&self, current: Option<i32>, timeout_ms: u32, now: Time) -> bool {
        self.outcome == Outcome::Down
            && self.moves_state
            && !self.voided
            && current == Some(self.config_version)
            && now <= self.deadline(timeout_ms)
    }
}

/// What a probe of kind `confirm` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// Another prober succeeded in time: the failure is void.
    Voids,
    /// It failed, too.
    Agrees,
    /// It could not judge.
    Inconclusive,
    /// It was the prober whose failure is in doubt.
    SameProber,
    /// There is no such failure of the service's present configuration, or it was voided before,
    /// or the success came too late.
    Moot,
}

impl Opinion {
    /// Weighs `confirm` against the failure that it answers. `current` and `timeout_ms` are the
    /// service's, `current` is `None` while it is paused.
    #[must_use]
    pub fn of(
        confirm: &ProbeResult,
        failure: Option<&Doubted>,
        current: Option<i32>,
        timeout_ms: u32,
    ) -> Self {
        match confirm.outcome {
            Outcome::Down => return Self::Agrees,
            Outcome::Inconclusive => return Self::Inconclusive,
            Outcome::Up => {}
        }
        let Some(failure) = failure else {
            return Self::Moot;
        };
        let is_answered = confirm.kind == ProbeKind::Confirm
            && confirm.answers.as_ref() == Some(&failure.answers())
            && confirm.config_version == failure.config_version
            && failure.is_open(current, timeout_ms, confirm.checked_at);
        if !is_answered {
            return Self::Moot;
        }
        if confirm.prober == failure.prober || confirm.second_prober == Some(false) {
            return Self::SameProber;
        }
        Self::Voids
    }

    /// As a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voids => "voids",
            Self::Agrees => "agrees",
            Self::Inconclusive => "inconclusive",
            Self::SameProber => "same_prober",
            Self::Moot => "moot",
        }
    }
}

#[cfg(test)]
mod tests;
