//! Keys that this process found good lately: a network's unknown keys (`strangers`) keep none of them waiting. The database
//! still judges each request, and a key that no longer holds is forgotten with its next one.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use models::Time;

/// Keys of one generation; then the next begins. Two are remembered, some 2 MB.
const MOST: usize = 10_000;
/// A generation's age when the next begins: a machine that asks once a day is always remembered.
const LIFE: TimeDelta = TimeDelta::hours(25);

/// Hashes of keys that were found good.
#[derive(Debug)]
pub(crate) struct KnownKeys(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<Vec<u8>>,
    old: HashSet<Vec<u8>>,
    began_at: Option<Time>,
}

impl KnownKeys {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Whether a key was found good in one of the last two generations.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let known = self.locked();
        known.young.contains(key) || known.old.contains(key)
    }

    /// Remembers a key that was found good.
    pub(crate) fn add(&self, key: &[u8], now: Time) {
        let mut known = self.locked();
        let is_over = known.began_at.is_none_or(|began| began + LIFE <= now);
        if !is_over && known.young.contains(key) {
            return;
        }
        if is_over || known.young.len() >= MOST {
            known.old = std::mem::take(&mut known.young);
            known.began_at = Some(now);
        }
        known.young.insert(key.to_vec());
    }

    /// Forgets a key that does not hold any more.
    pub(crate) fn remove(&self, key: &[u8]) {
        let mut known = self.locked();
        known.young.remove(key);
        known.old.remove(key);
    }

    fn locked(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_a_day_after_its_last_use_and_not_for_ever() {
        let known = KnownKeys::new();
        let begin = Time::UNIX_EPOCH;
        known.add(b"daily", begin);
        known.add(b"once", begin);
        for hour in 1..=96 {
            let now = begin + TimeDelta::hours(hour);
            known.add(b"hourly", now);
            if hour % 24 == 0 {
                assert!(known.contains(b"daily"), "{hour}");
                known.add(b"daily", now);
            }
        }
        assert!(!known.contains(b"once"));
        known.remove(b"daily");
        assert!(!known.contains(b"daily"));
    }

    #[test]
    fn keys_without_end_take_no_memory_without_end() {
        let known = KnownKeys::new();
        for n in 0..5 * MOST {
            known.add(&n.to_be_bytes(), Time::UNIX_EPOCH);
            let held = known.locked();
            assert!(held.young.len() <= MOST && held.old.len() <= MOST);
        }
        assert!(known.contains(&(5 * MOST - 1).to_be_bytes()));
        assert!(!known.contains(&0_usize.to_be_bytes()));
    }
}
