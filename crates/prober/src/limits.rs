//! How many probes may run at one time: in all, for one tenant, to one address. A part of every limit is kept for
//! targets that answer quickly.
//!
//! | pace | may enter while |
//! |---|---|
//! | quick | any place is free |
//! | new | an eighth is free, and fewer than a quarter are new ones of the last second: the others have shown by then how they are |
//! | slow | a quarter is free |
//!
//! So dead targets fill three quarters at most, whoever they belong to. New and slow ones that hold less than a quarter of
//! the places may always enter where one is free: quick ones do not shut them out.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::pace::{Pace, SLOW_AFTER};

/// How often who waits looks whether its pace is known by now, or new ones have grown old.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Who holds places of one limit.
#[derive(Debug, Default)]
struct Used {
    total: usize,
    /// Of them, new or slow when they entered.
    doubtful: usize,
    /// When the new ones of the last [`SLOW_AFTER`] entered, in order.
    young: VecDeque<Instant>,
}

impl Used {
    fn admits(&self, pace: Pace, limit: usize) -> bool {
        let below = |used: usize, eighths: usize| used < (limit * eighths).div_ceil(8);
        let is_fair = self.doubtful < limit.div_ceil(4);
        below(self.total, 8)
            && match pace {
                Pace::Quick => true,
                Pace::New => below(self.young.len(), 2) && (below(self.total, 7) || is_fair),
                Pace::Slow => below(self.total, 6) || is_fair,
            }
    }

    fn enter(&mut self, pace: Pace, now: Instant) {
        self.total += 1;
        if pace != Pace::Quick {
            self.doubtful += 1;
        }
        if pace == Pace::New {
            self.young.push_back(now);
        }
    }

    fn leave(&mut self, pace: Pace, entered: Instant) {
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

    fn grow_old(&mut self, now: Instant) {
        let is_old = |young: &Instant| now.saturating_duration_since(*young) >= SLOW_AFTER;
        while self.young.front().is_some_and(is_old) {
            self.young.pop_front();
        }
    }
}

/// One limit.
#[derive(Debug)]
struct Limit {
    places: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    used: Used,
    quick: VecDeque<oneshot::Sender<Held>>,
    new: VecDeque<oneshot::Sender<Held>>,
    slow: VecDeque<oneshot::Sender<Held>>,
}

impl Inner {
    fn queue(&mut self, pace: Pace) -> &mut VecDeque<oneshot::Sender<Held>> {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::New => &mut self.new,
            Pace::Slow => &mut self.slow,
        }
    }
}

/// A place of one limit; given back when dropped.
#[derive(Debug)]
struct Held {
    limit: Arc<Limit>,
    pace: Pace,
    entered: Instant,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.limit.lock().used.leave(self.pace, self.entered);
        self.limit.grant();
    }
}

impl Limit {
    fn new(places: usize) -> Self {
        Self {
            places,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at once, or a turn in the queue.
    fn ask(self: &Arc<Self>, pace: Pace) -> Result<Held, oneshot::Receiver<Held>> {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.used.grow_old(now);
        let is_first = inner.queue(pace).iter().all(oneshot::Sender::is_closed);
        if is_first && inner.used.admits(pace, self.places) {
            inner.used.enter(pace, now);
            return Ok(self.held(pace, now));
        }
        let (sender, receiver) = oneshot::channel();
        inner.queue(pace).push_back(sender);
        Err(receiver)
    }

    fn held(self: &Arc<Self>, pace: Pace, entered: Instant) -> Held {
        Held {
            limit: self.clone(),
            pace,
            entered,
        }
    }

    /// Gives what is free to those who wait, the quickest first.
    fn grant(self: &Arc<Self>) {
        let now = Instant::now();
        let mut granted = Vec::new();
        {
            let mut inner = self.lock();
            inner.used.grow_old(now);
            for pace in [Pace::Quick, Pace::New, Pace::Slow] {
                while inner.used.admits(pace, self.places) {
                    let Some(waiting) = inner.queue(pace).pop_front() else {
                        break;
                    };
                    if !waiting.is_closed() {
                        inner.used.enter(pace, now);
                        granted.push((waiting, self.held(pace, now)));
                    }
                }
            }
        }
        for (waiting, held) in granted {
            drop(waiting.send(held)); // who has gone meanwhile gives it back by that
        }
    }

    /// A place, in order of asking within a pace. `pace` is asked again while it waits. Cancel safe.
    async fn enter(self: &Arc<Self>, pace: impl Fn() -> Pace) -> Held {
        loop {
            let asked_as = pace();
            let mut turn = match self.ask(asked_as) {
                Ok(held) => return held,
                Err(turn) => turn,
            };
            if asked_as == Pace::Quick {
                // It waits for a place and nothing else, and whoever gives one back grants it.
                match turn.await {
                    Ok(held) if pace() == asked_as => return held,
                    _ => continue,
                }
            }
            while pace() == asked_as {
                match timeout(LOOK_AGAIN, &mut turn).await {
                    // It may be known by now: then the place is another's.
                    Ok(Ok(held)) if pace() == asked_as => return held,
                    Ok(_) => break,
                    Err(_elapsed) => self.grant(),
                }
            }
        }
    }
}

/// The same limit for every key (a tenant, an address). Keys that nobody uses take no memory.
#[derive(Debug)]
pub(crate) struct KeyedLimit<K> {
    places: usize,
    keys: Arc<Mutex<Keys<K>>>,
}

type Keys<K> = HashMap<K, Arc<Limit>>;

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<K: Eq + Hash> {
    key: K,
    keys: Arc<Mutex<Keys<K>>>,
    held: Option<Held>,
}

impl<K: Clone + Eq + Hash> KeyedLimit<K> {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places,
            keys: Arc::default(),
        }
    }

    /// A place at once, or none.
    pub(crate) fn try_enter(&self, key: K, pace: Pace) -> Option<Turn<K>> {
        let mut turn = self.turn(key.clone(), None);
        let limit = self.limit(&key);
        turn.held = Some(limit.ask(pace).ok()?);
        Some(turn)
    }

    /// A place, in order of asking among those of the same pace, which is asked again while it waits. Cancel safe.
    pub(crate) async fn enter(&self, key: K, pace: impl Fn() -> Pace) -> Turn<K> {
        // First, so that a key is forgotten also when this is cancelled.
        let mut turn = self.turn(key.clone(), None);
        let limit = self.limit(&key);
        turn.held = Some(limit.enter(pace).await);
        turn
    }

    /// Whether a quick one would get a place at once.
    pub(crate) fn has_room(&self, key: &K) -> bool {
        let limit = lock(&self.keys).get(key).cloned();
        limit.is_none_or(|limit| limit.lock().used.admits(Pace::Quick, limit.places))
    }

    fn limit(&self, key: &K) -> Arc<Limit> {
        lock(&self.keys)
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Limit::new(self.places)))
            .clone()
    }

    fn turn(&self, key: K, held: Option<Held>) -> Turn<K> {
        Turn {
            key,
            keys: self.keys.clone(),
            held,
        }
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        self.held = None;
        let mut keys = lock(&self.keys);
        // Counted under the lock, so nobody can be between finding the limit and holding it.
        if keys
            .get(&self.key)
            .is_some_and(|limit| Arc::strong_count(limit) == 1)
        {
            keys.remove(&self.key);
        }
    }
}

fn lock<K>(keys: &Mutex<Keys<K>>) -> MutexGuard<'_, Keys<K>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
