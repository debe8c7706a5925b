//! Keys whose user may ask no more in this window: until it ends they are not looked up again, so that a machine gone wild
//! is no load on the database. (A token's signature tells whose it is without that.) This process' own memory: it protects,
//! and rations nothing. A key that is revoked meanwhile is refused as before, only by another status.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use models::Time;
use models::limit::{Allowance, seconds_until};

/// Keys that are remembered at once; then all are forgotten, which costs a question each.
const MOST: usize = 10_000;

/// What a key was used for: reads and writes have limits of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Used {
    /// The key's hash.
    pub(crate) key: Vec<u8>,
    /// A request that changes nothing.
    pub(crate) reads: bool,
}

/// Until when which of them are refused.
#[derive(Debug)]
pub(crate) struct SpentKeys(Mutex<HashMap<Used, (u32, Time)>>);

impl SpentKeys {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// What is told to a key that is refused, without looking it up.
    pub(crate) fn refusal(&self, used: &Used, now: Time) -> Option<Allowance> {
        let (limit, ends_at) = self.locked().get(used).copied()?;
        (now < ends_at).then(|| Allowance {
            limit,
            remaining: 0,
            reset_seconds: seconds_until(ends_at, now),
        })
    }

    /// Remembers what a key was told when its user's limit was used up.
    pub(crate) fn note(&self, used: Used, told: Allowance, now: Time) {
        let seconds = i64::try_from(told.reset_seconds).unwrap_or(0);
        let mut spent = self.locked();
        if spent.len() >= MOST {
            spent.clear();
        }
        spent.insert(used, (told.limit, now + TimeDelta::seconds(seconds)));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Used, (u32, Time)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_key_waits_for_its_window_alone_and_takes_no_memory_without_end() {
        let spent = SpentKeys::new();
        let begin = Time::UNIX_EPOCH;
        let used = |n: usize, reads| Used {
            key: n.to_be_bytes().to_vec(),
            reads,
        };
        let told = Allowance {
            limit: 600,
            remaining: 0,
            reset_seconds: 7,
        };
        spent.note(used(0, true), told, begin);
        assert_eq!(spent.refusal(&used(0, true), begin), Some(told));
        assert_eq!(spent.refusal(&used(0, false), begin), None);
        assert_eq!(spent.refusal(&used(1, true), begin), None);
        let end = begin + TimeDelta::seconds(7);
        assert_eq!(spent.refusal(&used(0, true), end), None);
        for n in 0..3 * MOST {
            spent.note(used(n, true), told, begin);
            assert!(spent.locked().len() <= MOST);
        }
    }
}
