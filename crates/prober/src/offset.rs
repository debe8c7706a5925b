//! How far this machine's clock is from Postgres', learned from the jobs themselves.
//!
//! A message can't arrive before it was published, so the least (receipt − `published_at`) of the last minute is the
//! difference of the clocks plus the shortest way through the broker: a millisecond or two.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

/// How long a sample counts.
const WINDOW: Duration = Duration::from_secs(60);
/// A larger delay may as well be a queue that was waiting for this prober: it is believed only once nothing shorter
/// came for a whole window. A negative one is believed at once: nothing arrives before it is sent.
const BELIEVED_AT_ONCE: TimeDelta = TimeDelta::milliseconds(250);
/// Smaller changes are noise; applying them would wake every waiting probe.
const WORTH_APPLYING: TimeDelta = TimeDelta::milliseconds(1);

/// The least delay of each second of the window.
#[derive(Debug, Default)]
pub(crate) struct OffsetLearner {
    seconds: VecDeque<(Instant, TimeDelta)>,
    since: Option<Instant>,
    shift: TimeDelta,
    applied: TimeDelta,
}

impl OffsetLearner {
    /// Takes one delay (receipt − publication), seen at `at` while the clocks were shifted by `shift`. Returns the new
    /// offset (Postgres minus this machine) when it is worth applying.
    pub(crate) fn learn(
        &mut self,
        delay: TimeDelta,
        at: Instant,
        shift: TimeDelta,
    ) -> Option<TimeDelta> {
        if shift != self.shift {
            // Time was moved under us: this message may have been published before, and old samples mean nothing.
            *self = Self {
                shift,
                applied: self.applied,
                ..Self::default()
            };
            return None;
        }
        let since = *self.since.get_or_insert(at);
        match self.seconds.back_mut() {
            Some((second, least))
                if at.saturating_duration_since(*second) < Duration::from_secs(1) =>
            {
                *least = delay.min(*least);
            }
            _ => self.seconds.push_back((at, delay)),
        }
        while self
            .seconds
            .front()
            .is_some_and(|(second, _)| at.saturating_duration_since(*second) > WINDOW)
        {
            self.seconds.pop_front();
        }
        let least = self.seconds.iter().map(|(_, least)| *least).min()?;
        let is_settled = at.saturating_duration_since(since) >= WINDOW;
        if least > BELIEVED_AT_ONCE && !is_settled {
            return None;
        }
        let offset = -least;
        if (offset - self.applied).abs() < WORTH_APPLYING {
            return None;
        }
        self.applied = offset;
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: TimeDelta = TimeDelta::zero();

    fn ms(ms: i64) -> TimeDelta {
        TimeDelta::milliseconds(ms)
    }

    #[test]
    fn the_least_delay_of_the_last_minute_is_the_offset() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(20), at(0), STILL), Some(ms(-20)));
        assert_eq!(
            learner.learn(ms(90), at(1), STILL),
            None,
            "a slow message changes nothing"
        );
        assert_eq!(learner.learn(ms(5), at(2), STILL), Some(ms(-5)));
        assert_eq!(
            learner.learn(ms(40), at(63), STILL),
            Some(ms(-40)),
            "the old least is forgotten"
        );
        assert_eq!(
            learner.learn(ms(-3_600_000), at(64), STILL),
            Some(ms(3_600_000)),
            "this clock is behind"
        );
    }

    #[test]
    fn a_queue_that_waited_is_not_taken_for_a_clock_that_is_ahead() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(30_000), at(0), STILL), None);
        assert_eq!(learner.learn(ms(4), at(1), STILL), Some(ms(-4)));
        let mut ahead = OffsetLearner::default();
        let learned: Vec<_> = (0..=60)
            .filter_map(|second| ahead.learn(ms(9_000), at(second), STILL))
            .collect();
        assert_eq!(
            learned,
            [ms(-9_000)],
            "nothing shorter came for a minute: it is the clock"
        );
    }

    #[test]
    fn moving_time_teaches_nothing() {
        let now = Instant::now();
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(3), now, STILL), Some(ms(-3)));
        assert_eq!(learner.learn(ms(-86_400_000), now, ms(1)), None);
        assert_eq!(learner.learn(ms(2), now, ms(1)), Some(ms(-2)));
    }
}
