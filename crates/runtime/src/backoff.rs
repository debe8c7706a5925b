//! Exponential back-off with full jitter: many processes that lost one server do not come back
//! in step.

use std::time::Duration;

/// The bounds of a wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the second attempt; later ceilings double from here.
    pub min: Duration,
    /// No wait is ever longer.
    pub max: Duration,
}

impl Backoff {
    /// Waits up to `min`, then up to twice that, and so on up to `max`.
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }

    /// The longest possible wait after `attempt` failures (0 is the first).
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.min(MAX_DOUBLINGS);
        self.min
            .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(self.max)
    }

    /// The wait after `attempt` failures (0 is the first): `random` (0..1) of the ceiling.
    /// Values outside 0..1 are clamped, so the result never passes [`Backoff::max`].
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let share = if random.is_finite() {
            random.clamp(0.0, 1.0)
        } else {
            1.0
        };
        self.ceiling(attempt).mul_f64(share)
    }

    /// [`Backoff::delay`] with the thread's own randomness.
    pub fn jittered(&self, attempt: u32) -> Duration {
        self.delay(attempt, rand::random::<f64>())
    }
}

/// 2^20 times any sensible minimum is past any sensible maximum.
const MAX_DOUBLINGS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const B: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

    #[test]
    fn ceilings_double_up_to_the_maximum() {
        let ceilings: Vec<u128> = (0..9).map(|n| B.ceiling(n).as_millis()).collect();
        assert_eq!(
            ceilings,
            [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        assert_eq!(B.ceiling(u32::MAX), B.max);
    }

    #[test]
    fn jitter_covers_the_whole_range_and_nothing_outside() {
        for attempt in [0, 3, 50, u32::MAX] {
            assert_eq!(B.delay(attempt, 0.0), Duration::ZERO);
            assert_eq!(B.delay(attempt, 1.0), B.ceiling(attempt));
            assert_eq!(B.delay(attempt, 7.0), B.ceiling(attempt));
            assert_eq!(B.delay(attempt, f64::NAN), B.ceiling(attempt));
            assert!(B.jittered(attempt) <= B.max);
        }
    }
}
