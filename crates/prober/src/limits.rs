//! How many probes may run at one time for one key (a tenant, an address). Keys that nobody uses take no memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The same limit for every key.
#[derive(Debug)]
pub(crate) struct KeyedLimit<K> {
    limit: usize,
    keys: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<K: Eq + Hash> {
    key: K,
    keys: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl<K: Clone + Eq + Hash> KeyedLimit<K> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            keys: Arc::default(),
        }
    }

    /// A place at once, or none.
    pub(crate) fn try_enter(&self, key: K) -> Option<Turn<K>> {
        let semaphore = self.semaphore(&key);
        let permit = semaphore.try_acquire_owned().ok()?;
        Some(self.turn(key, permit))
    }

    /// A place, in order of asking. Cancel safe.
    pub(crate) async fn enter(&self, key: K) -> Option<Turn<K>> {
        let semaphore = self.semaphore(&key);
        // Fails only when the semaphore is closed, which nobody does.
        let permit = semaphore.acquire_owned().await.ok()?;
        Some(self.turn(key, permit))
    }

    fn semaphore(&self, key: &K) -> Arc<Semaphore> {
        lock(&self.keys)
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.limit)))
            .clone()
    }

    fn turn(&self, key: K, permit: OwnedSemaphorePermit) -> Turn<K> {
        Turn {
            key,
            keys: self.keys.clone(),
            permit: Some(permit),
        }
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut keys = lock(&self.keys);
        self.permit = None;
        // Counted under the lock, so nobody can be between finding the semaphore and holding it.
        if keys
            .get(&self.key)
            .is_some_and(|semaphore| Arc::strong_count(semaphore) == 1)
        {
            keys.remove(&self.key);
        }
    }
}

fn lock<K>(keys: &Mutex<HashMap<K, Arc<Semaphore>>>) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_has_its_own_limit_and_leaves_nothing_behind() {
        let limit = KeyedLimit::new(2);
        let (one, two) = (limit.try_enter("a").unwrap(), limit.try_enter("a").unwrap());
        assert!(limit.try_enter("a").is_none());
        assert!(limit.try_enter("b").is_some(), "another key is not held up");
        let mut waiting = Box::pin(limit.enter("a"));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(one);
        let three = waiting.await.unwrap();
        drop((two, three));
        assert!(lock(&limit.keys).is_empty());
    }
}
