//! How many probes may run at one time to one address: a limit of the same size for every key, whose places are waited
//! for. What [`crate::gate`] lets in comes here with its connections.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rapidhash::RapidHashMap;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::line::{Called, Held, Line};
use crate::pace::Pace;

/// How often new and slow ones that wait look whether their pace is known by now, or new ones have grown old. Quick ones
/// wait for a place and for nothing else.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// One limit.
#[derive(Debug)]
struct Limit(Mutex<Line<oneshot::Sender<Place>>>);

/// A place of one limit; given back when dropped.
#[derive(Debug)]
struct Place {
    limit: Arc<Limit>,
    held: Held,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limit.line().leave(self.held);
        self.limit.grant();
    }
}

impl Limit {
    fn new(places: usize) -> Self {
        Self(Mutex::new(Line::new(places)))
    }

    fn line(&self) -> MutexGuard<'_, Line<oneshot::Sender<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, held: Held) -> Place {
        Place {
            limit: self.clone(),
            held,
        }
    }

    /// A place at once, or a turn in the queue.
    fn ask(self: &Arc<Self>, pace: Pace) -> Result<Place, oneshot::Receiver<Place>> {
        let now = Instant::now();
        let mut line = self.line();
        line.forget_first(pace, oneshot::Sender::is_closed);
        if let Some(held) = line.try_enter(pace, now) {
            return Ok(self.place(held));
        }
        let (sender, receiver) = oneshot::channel();
        line.wait(pace, sender);
        Err(receiver)
    }

    /// Gives what is free to those who wait.
    fn grant(self: &Arc<Self>) {
        let now = Instant::now();
        let mut granted = Vec::new();
        {
            let mut line = self.line();
            let here =
                |waiting: &oneshot::Sender<Place>, pace| (!waiting.is_closed()).then_some(pace);
            while let Some(called) = line.call(now, here) {
                if let Called::Enters(waiting, held) = called {
                    granted.push((waiting, self.place(held)));
                }
            }
        }
        for (waiting, place) in granted {
            drop(waiting.send(place)); // who has gone meanwhile gives it back by that
        }
    }

    /// A place, in order of asking within a pace. `pace` is asked again while it waits. Cancel safe.
    async fn enter(self: &Arc<Self>, pace: impl Fn() -> Pace) -> Place {
        loop {
            let asked_as = pace();
            let mut turn = match self.ask(asked_as) {
                Ok(place) => return place,
                Err(turn) => turn,
            };
            if asked_as == Pace::Quick {
                // Whoever gives a place back grants it.
                match turn.await {
                    Ok(place) if pace() == asked_as => return place,
                    _ => continue,
                }
            }
            while pace() == asked_as {
                match timeout(LOOK_AGAIN, &mut turn).await {
                    // It may be known by now: then the place is another's.
                    Ok(Ok(place)) if pace() == asked_as => return place,
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

type Keys<K> = RapidHashMap<K, Arc<Limit>>;

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<K: Eq + Hash> {
    key: K,
    keys: Arc<Mutex<Keys<K>>>,
    place: Option<Place>,
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
        turn.place = Some(limit.ask(pace).ok()?);
        Some(turn)
    }

    /// A place, in order of asking among those of the same pace, which is asked again while it waits. Cancel safe.
    pub(crate) async fn enter(&self, key: K, pace: impl Fn() -> Pace) -> Turn<K> {
        // First, so that a key is forgotten also when this is cancelled.
        let mut turn = self.turn(key.clone(), None);
        let limit = self.limit(&key);
        turn.place = Some(limit.enter(pace).await);
        turn
    }

    fn limit(&self, key: &K) -> Arc<Limit> {
        lock(&self.keys)
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Limit::new(self.places)))
            .clone()
    }

    fn turn(&self, key: K, place: Option<Place>) -> Turn<K> {
        Turn {
            key,
            keys: self.keys.clone(),
            place,
        }
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        self.place = None;
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
