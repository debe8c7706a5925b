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
/// A delay that is longer than the known one by more may as well be a queue that was waiting for this prober: it is
/// believed only once nothing shorter came for a whole window. A shorter one is believed at once: nothing arrives before
/// it is sent.
const BELIEVED_AT_ONCE: TimeDelta = TimeDelta::milliseconds(250);
/// Smaller changes are noise; applying them would wake every waiting probe.
const WORTH_APPLYING: TimeDelta = TimeDelta::milliseconds(1);
/// A clock that moved by more at one time jumped: it was set, or its machine slept. What it measured before is wrong.
const JUMP: TimeDelta = TimeDelta::seconds(1);

/// An offset that is worth applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learned {
    /// Postgres minus this machine.
    pub(crate) offset: TimeDelta,
    /// Whether it is far from the one that was believed before.
    pub(crate) jumped: bool,
}

/// The least delay of each second of the window.
#[derive(Debug, Default)]
pub(crate) struct OffsetLearner {
    seconds: VecDeque<(Instant, TimeDelta)>,
    /// Since when all delays were longer than believed at once.
    long_since: Option<Instant>,
    shift: TimeDelta,
    applied: TimeDelta,
    /// Whether there was an offset before: the first one is no jump.
    knows: bool,
}

impl OffsetLearner {
    /// Takes one delay (receipt − publication), seen at `at` while the clocks were shifted by `shift`. Returns the new
    /// offset when it is worth applying. A long delay teaches nothing while this prober
    /// `is_busy`: then its own slowness would set its clock back, and what is stale would look fresh.
    pub(crate) fn learn(
        &mut self,
        delay: TimeDelta,
        at: Instant,
        shift: TimeDelta,
        is_busy: bool,
    ) -> Option<Learned> {
        if shift != self.shift {
            // Time was moved under us: this message may have been published before, and old samples mean nothing.
            *self = Self {
                shift,
                applied: self.applied,
                knows: self.knows,
                ..Self::default()
            };
            return None;
        }
        let is_long = |delay: TimeDelta| delay + self.applied > BELIEVED_AT_ONCE;
        if !is_long(delay) {
            self.long_since = None;
        } else if is_busy {
            return None;
        }
        let is_settled = is_long(delay)
            && at.saturating_duration_since(*self.long_since.get_or_insert(at)) >= WINDOW;
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
        if is_long(least) && !is_settled {
            return None;
        }
        let offset = -least;
        let change = (offset - self.applied).abs();
        let jumped = self.knows && change > JUMP;
        self.knows = true;
        if change < WORTH_APPLYING {
            return None;
        }
        self.applied = offset;
        Some(Learned { offset, jumped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: TimeDelta = TimeDelta::zero();

    fn ms(ms: i64) -> TimeDelta {
        TimeDelta::milliseconds(ms)
    }

    fn steady(ms: i64) -> Option<Learned> {
        let offset = TimeDelta::milliseconds(ms);
        Some(Learned {
            offset,
            jumped: false,
        })
    }

    fn jump(ms: i64) -> Option<Learned> {
        let offset = TimeDelta::milliseconds(ms);
        Some(Learned {
            offset,
            jumped: true,
        })
    }

    #[test]
    fn the_least_delay_of_the_last_minute_is_the_offset() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(20), at(0), STILL, false), steady(-20));
        assert_eq!(
            learner.learn(ms(90), at(1), STILL, false),
            None,
            "a slow message changes nothing"
        );
        assert_eq!(learner.learn(ms(5), at(2), STILL, false), steady(-5));
        assert_eq!(
            learner.learn(ms(40), at(63), STILL, false),
            steady(-40),
            "the old least is forgotten"
        );
        assert_eq!(
            learner.learn(ms(-3_600_000), at(64), STILL, false),
            jump(3_600_000),
            "this clock is behind"
        );
    }

    #[test]
    fn a_queue_that_waited_is_not_taken_for_a_clock_that_is_ahead() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(30_000), at(0), STILL, false), None);
        assert_eq!(learner.learn(ms(4), at(1), STILL, false), steady(-4));
        let mut ahead = OffsetLearner::default();
        for second in 0..60 {
            assert_eq!(ahead.learn(ms(9_000), at(second), STILL, false), None);
        }
        assert_eq!(
            ahead.learn(ms(9_000), at(60), STILL, false),
            steady(-9_000),
            "nothing shorter came for a minute: it is the clock"
        );
    }

    #[test]
    fn one_late_message_after_silence_and_a_prober_that_falls_behind_move_no_clock() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(3), at(0), STILL, false), steady(-3));
        assert_eq!(learner.learn(ms(70_000), at(300), STILL, false), None);
        assert_eq!(learner.learn(ms(3), at(301), STILL, false), None);
        for second in 302..500 {
            assert_eq!(learner.learn(ms(9_000), at(second), STILL, true), None);
        }
    }

    #[test]
    fn only_a_second_offset_that_is_far_from_the_first_is_a_jump() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut learner = OffsetLearner::default();
        let first = learner.learn(ms(-7_200_000), at(0), STILL, false);
        assert_eq!(first, steady(7_200_000), "the first is only learned");
        let near = learner.learn(ms(-7_200_900), at(1), STILL, false);
        assert_eq!(near, steady(7_200_900));
        let far = learner.learn(ms(-7_202_000), at(2), STILL, false);
        assert_eq!(far, jump(7_202_000));
    }

    #[test]
    fn moving_time_teaches_nothing() {
        let now = Instant::now();
        let mut learner = OffsetLearner::default();
        assert_eq!(learner.learn(ms(3), now, STILL, false), steady(-3));
        assert_eq!(learner.learn(ms(-86_400_000), now, ms(1), false), None);
        assert_eq!(learner.learn(ms(2), now, ms(1), false), steady(-2));
    }
}
