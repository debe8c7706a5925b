//! Access tokens that were refused although they are ours: their user is locked, gone, or raised his epoch.
//!
//! That is for good, so that who goes on using one is refused without asking the database again.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// So many are remembered; one more and all are forgotten, which costs a question each.
const MOST: usize = 10_000;

/// The ids of such tokens.
#[derive(Debug)]
pub(crate) struct Ended(Mutex<HashSet<Uuid>>);

impl Ended {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashSet::new()))
    }

    /// Whether this token was refused before.
    pub(crate) fn contains(&self, token: Uuid) -> bool {
        self.locked().contains(&token)
    }

    /// Remembers a token.
    pub(crate) fn add(&self, token: Uuid) {
        let mut ended = self.locked();
        if ended.len() >= MOST {
            ended.clear();
        }
        ended.insert(token);
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
