//! The rule by which a limit lets probes in: a part of its places is kept for targets that answer quickly.
//!
//! | pace | may enter while |
//! |---|---|
//! | quick | any place is free |
//! | new | an eighth is free, and fewer than a quarter are new ones of the last second: the others have shown by then how they are |
//! | slow | a quarter is free |
//!
//! So dead targets fill three quarters at most, whoever they belong to. New and slow ones that hold less than a quarter of
//! the places may always enter where one is free: quick ones do not shut them out.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::pace::{Pace, SLOW_AFTER};

/// Who holds places of one limit.
#[derive(Debug, Default)]
pub(crate) struct Used {
    total: usize,
    /// Of them, new or slow when they entered.
    doubtful: usize,
    /// When the new ones of the last [`SLOW_AFTER`] entered, in order.
    young: VecDeque<Instant>,
}

impl Used {
    /// Nobody holds a place.
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether one more of this pace may have one of `limit` places.
    pub(crate) fn admits(&self, pace: Pace, limit: usize) -> bool {
        let below = |used: usize, eighths: usize| used < (limit * eighths).div_ceil(8);
        let is_fair = self.doubtful < limit.div_ceil(4);
        below(self.total, 8)
            && match pace {
                Pace::Quick => true,
                Pace::New => below(self.young.len(), 2) && (below(self.total, 7) || is_fair),
                Pace::Slow => below(self.total, 6) || is_fair,
            }
    }

    pub(crate) fn enter(&mut self, pace: Pace, now: Instant) {
        self.total += 1;
        if pace != Pace::Quick {
            self.doubtful += 1;
        }
        if pace == Pace::New {
            self.young.push_back(now);
        }
    }

    pub(crate) fn leave(&mut self, pace: Pace, entered: Instant) {
        self.total = self.total.saturating_sub(1);
        if pace != Pace::Quick {
            self.doubtful = self.doubtful.saturating_sub(1);
        }
        if pace == Pace::New
            && let Some(at) = self.young.iter().position(|young| *young == entered)
        {
            self.young.remove(at);
        }
    }

    /// Forgets which of the new ones entered longer ago than [`SLOW_AFTER`].
    pub(crate) fn grow_old(&mut self, now: Instant) {
        let is_old = |young: &Instant| now.saturating_duration_since(*young) >= SLOW_AFTER;
        while self.young.front().is_some_and(is_old) {
            self.young.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many of one pace get in after those of others.
    fn fill(used: &mut Used, pace: Pace, limit: usize) -> usize {
        let now = Instant::now();
        let mut entered = 0;
        while used.admits(pace, limit) {
            used.enter(pace, now);
            entered += 1;
        }
        entered
    }

    #[test]
    fn slow_and_new_ones_leave_room_for_quick_ones_in_every_limit() {
        for limit in 1..=300 {
            let mut used = Used::default();
            let slow = fill(&mut used, Pace::Slow, limit);
            assert_eq!(slow, (limit * 6).div_ceil(8), "of {limit}");
            let new = fill(&mut used, Pace::New, limit);
            assert!(new <= limit.div_ceil(4), "of {limit}");
            assert!(slow + new <= (limit * 7).div_ceil(8), "of {limit}");
            let quick = fill(&mut used, Pace::Quick, limit);
            assert_eq!(slow + new + quick, limit);
            assert!(limit < 8 || quick >= limit / 8, "of {limit}");
        }
    }

    #[test]
    fn quick_ones_do_not_shut_the_others_out() {
        for limit in 2..=300 {
            for pace in [Pace::New, Pace::Slow] {
                let mut used = Used::default();
                fill(&mut used, Pace::Quick, limit - 1);
                used.total = limit - 1;
                assert!(used.admits(pace, limit), "{pace:?} of {limit}");
                used.total = limit;
                assert!(!used.admits(pace, limit), "{pace:?} of {limit}");
            }
        }
    }

    #[test]
    fn what_enters_and_leaves_leaves_nothing_behind() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut used = Used::default();
        for (pace, ms) in [
            (Pace::New, 0),
            (Pace::Slow, 1),
            (Pace::New, 2),
            (Pace::Quick, 3),
        ] {
            used.enter(pace, at(ms));
        }
        assert_eq!((used.total, used.doubtful, used.young.len()), (4, 3, 2));
        used.leave(Pace::New, at(2));
        used.grow_old(at(1000));
        assert!(used.young.is_empty(), "the other one is known by now");
        for (pace, ms) in [(Pace::New, 0), (Pace::Slow, 1), (Pace::Quick, 3)] {
            used.leave(pace, at(ms));
        }
        assert_eq!((used.total, used.doubtful), (0, 0));
    }
}
