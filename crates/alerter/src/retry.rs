//! What follows from an attempt: sent, tried again at a time, or given up. Pure.

use std::time::Duration;

use chrono::TimeDelta;
use models::Time;
use runtime::Backoff;

use crate::channels::Attempt;

/// Ceilings of the waits between attempts; each wait is a random share of its ceiling, so that a
/// provider that comes back meets no herd.
const WAITS: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(15 * 60));
/// No wait is shorter, however the dice fall.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// A `Retry-After` is honoured up to here; beyond it we ask again and learn.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// Attempts end this long after the first one: an hour inside the day for which Resend remembers
/// an idempotency key, so that no attempt can become a second mail.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(23);

/// What is written down after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The provider took it.
    Sent {
        /// The provider's name for it.
        provider_id: Option<String>,
    },
    /// Again, not before this time.
    Retry {
        /// When.
        at: Time,
        /// Why, for the ledger.
        error: String,
    },
    /// Never again.
    Failed {
        /// Why, for the ledger.
        error: String,
    },
}

/// Decides after attempt number `attempts` (1 is the first), the first of which was at `first`.
/// `random` lies in 0..1.
#[must_use]
pub fn next(attempt: Attempt, attempts: u32, first: Time, now: Time, random: f64) -> Next {
    match attempt {
        Attempt::Accepted { provider_id } => Next::Sent { provider_id },
        Attempt::Refused { error, .. } => Next::Failed { error },
        Attempt::Deferred {
            error, retry_after, ..
        } => {
            let at = now + wait(attempts, retry_after, random);
            if at >= first + GIVE_UP_AFTER {
                let error = format!("given up after {attempts} attempts: {error}");
                return Next::Failed { error };
            }
            Next::Retry { at, error }
        }
    }
}

/// Whether a delivery that was tried before is too old to be tried again.
#[must_use]
pub fn is_over(first: Option<Time>, now: Time) -> bool {
    first.is_some_and(|first| now >= first + GIVE_UP_AFTER)
}

fn wait(attempts: u32, retry_after: Option<Duration>, random: f64) -> TimeDelta {
    let jittered = WAITS
        .delay(attempts.saturating_sub(1), random)
        .max(SHORTEST_WAIT);
    let wait = match retry_after {
        // On top of what the provider asked for, or all would be back in the same instant.
        Some(asked) => asked.min(MAX_RETRY_AFTER) + jittered,
        None => jittered,
    };
    TimeDelta::from_std(wait).unwrap_or(GIVE_UP_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn deferred(retry_after: Option<u64>) -> Attempt {
        Attempt::Deferred {
            error: "503".into(),
            retry_after: retry_after.map(Duration::from_secs),
            alarm: false,
        }
    }

    fn wait_after(attempts: u32, retry_after: Option<u64>, random: f64) -> i64 {
        let now = at("2026-01-01T00:00:00Z");
        match next(deferred(retry_after), attempts, now, now, random) {
            Next::Retry { at, .. } => (at - now).num_seconds(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waits_grow_from_a_second_to_a_quarter_of_an_hour() {
        assert_eq!(wait_after(1, None, 0.0), 1);
        assert_eq!(wait_after(1, None, 1.0), 2);
        assert_eq!(wait_after(2, None, 1.0), 4);
        assert_eq!(wait_after(5, None, 0.5), 16);
        assert_eq!(wait_after(40, None, 1.0), 900);
        assert_eq!(wait_after(40, None, 0.0), 1);
    }

    #[test]
    fn what_the_provider_asks_for_is_waited_for_within_an_hour() {
        assert_eq!(wait_after(1, Some(30), 0.0), 31);
        assert_eq!(wait_after(1, Some(999_999), 0.0), 3601);
    }

    #[test]
    fn it_is_given_up_before_the_provider_forgets_the_key() {
        let first = at("2026-01-01T00:00:00Z");
        let late = first + GIVE_UP_AFTER - TimeDelta::milliseconds(500);
        let next = next(deferred(None), 90, first, late, 0.0);
        let error = "given up after 90 attempts: 503".to_owned();
        assert_eq!(next, Next::Failed { error });
        assert!(is_over(Some(first), first + GIVE_UP_AFTER));
        assert!(!is_over(Some(first), late));
        assert!(!is_over(None, late));
    }
}
