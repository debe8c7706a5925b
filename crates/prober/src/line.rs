//! The places of one limit: who holds them, and who waits for one.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::pace::Pace;
use crate::used::Used;

/// Those who wait come in by their pace, the quickest first, and in order of asking within a pace.
#[derive(Debug)]
pub(crate) struct Line<T> {
    places: usize,
    used: Used,
    quick: VecDeque<T>,
    new: VecDeque<T>,
    slow: VecDeque<T>,
}

/// A place that is held. Whoever has one brings it back to [`Line::leave`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pace: Pace,
    entered: Instant,
}

impl Held {
    /// How it entered.
    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }
}

/// One whose waiting is over.
#[derive(Debug)]
pub(crate) enum Called<T> {
    /// It has a place now.
    Enters(T, Held),
    /// It does not want one any more.
    Leaves(T),
}

/// In the order in which they come in.
const PACES: [Pace; 3] = [Pace::Quick, Pace::New, Pace::Slow];

impl<T> Line<T> {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places,
            used: Used::default(),
            quick: VecDeque::new(),
            new: VecDeque::new(),
            slow: VecDeque::new(),
        }
    }

    /// Whether one of this pace could have a place, did nobody wait.
    pub(crate) fn admits(&self, pace: Pace) -> bool {
        self.used.admits(pace, self.places)
    }

    /// Nobody holds a place and nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.used.is_empty() && PACES.iter().all(|pace| self.queue(*pace).is_empty())
    }

    /// A place, where one is free and nobody of the same pace waits for it.
    pub(crate) fn try_enter(&mut self, pace: Pace, now: Instant) -> Option<Held> {
        self.used.grow_old(now);
        (self.queue(pace).is_empty() && self.admits(pace)).then(|| self.enter(pace, now))
    }

    /// Lets those who stand in front go, as far as they `have_gone`.
    pub(crate) fn forget_first(&mut self, pace: Pace, have_gone: impl Fn(&T) -> bool) {
        let queue = self.queue_mut(pace);
        while queue.front().is_some_and(&have_gone) {
            queue.pop_front();
        }
    }

    /// Waits behind those of the same pace.
    pub(crate) fn wait(&mut self, pace: Pace, who: T) {
        self.queue_mut(pace).push_back(who);
    }

    pub(crate) fn leave(&mut self, held: Held) {
        self.used.leave(held.pace, held.entered);
    }

    /// The next one whose waiting is over, to be asked for until there is none. `pace` is how whoever stands in front is
    /// expected to answer by now, beside how he waits: who has changed goes to the end of his new like; `None` leaves.
    pub(crate) fn call(
        &mut self,
        now: Instant,
        pace: impl Fn(&T, Pace) -> Option<Pace>,
    ) -> Option<Called<T>> {
        self.used.grow_old(now);
        loop {
            let may_come = |pace: &Pace| !self.queue(*pace).is_empty() && self.admits(*pace);
            let asked_as = PACES.into_iter().find(may_come)?;
            let who = self.queue_mut(asked_as).pop_front()?;
            match pace(&who, asked_as) {
                None => return Some(Called::Leaves(who)),
                Some(same) if same == asked_as => {
                    return Some(Called::Enters(who, self.enter(same, now)));
                }
                Some(other) => self.wait(other, who),
            }
        }
    }

    /// Asks all who wait for their pace anew, as [`Line::call`] does of those in front. Returns who leaves.
    pub(crate) fn look_again(&mut self, pace: impl Fn(&T, Pace) -> Option<Pace>) -> Vec<T> {
        let mut left = Vec::new();
        let queues = PACES.map(|pace| (pace, std::mem::take(self.queue_mut(pace))));
        for (asked_as, queue) in queues {
            for who in queue {
                match pace(&who, asked_as) {
                    Some(pace) => self.wait(pace, who),
                    None => left.push(who),
                }
            }
        }
        left
    }

    fn enter(&mut self, pace: Pace, now: Instant) -> Held {
        self.used.enter(pace, now);
        Held { pace, entered: now }
    }

    fn queue(&self, pace: Pace) -> &VecDeque<T> {
        match pace {
            Pace::Quick => &self.quick,
            Pace::New => &self.new,
            Pace::Slow => &self.slow,
        }
    }

    fn queue_mut(&mut self, pace: Pace) -> &mut VecDeque<T> {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::New => &mut self.new,
            Pace::Slow => &mut self.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_of_another_pace_when_called_waits_among_his_new_like() {
        let now = Instant::now();
        let mut line = Line::new(8);
        let held: Vec<_> = (0..6)
            .filter_map(|_| line.try_enter(Pace::Slow, now))
            .collect();
        assert_eq!(held.len(), 6, "slow ones have no more places");
        line.wait(Pace::New, "a");
        line.wait(Pace::New, "b");
        let by_now = |who: &&str, asked_as| match *who {
            "a" => Some(Pace::Slow),
            _ => Some(asked_as),
        };
        let called = line.call(now, by_now);
        assert!(matches!(called, Some(Called::Enters("b", _))), "{called:?}");
        assert!(line.call(now, by_now).is_none(), "a is slow by now");
        for held in held {
            line.leave(held);
        }
        let called = line.call(now, by_now);
        assert!(matches!(called, Some(Called::Enters("a", _))), "{called:?}");
    }
}
