//! Changes of one user wait for each other here, not in the database.
//!
//! The user's row would make them wait anyway. Waiting there, each would hold a connection of the pool, and one user
//! who posts twenty at once would shut everybody else out.

use std::array;
use std::time::Duration;

use models::id::UserId;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Problem;

/// Users share turns by their id; two busy ones rarely meet.
const TURNS: usize = 64;
/// A change takes milliseconds; who waits longer is told to come back.
const WAIT: Duration = Duration::from_secs(5);

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turns([Mutex<()>; TURNS]);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(array::from_fn(|_| Mutex::new(())))
    }

    /// Waits for the user's turn, which lasts until the guard is dropped.
    ///
    /// # Errors
    /// 503 when it does not come in time.
    pub(crate) async fn take(&self, user: UserId) -> Result<MutexGuard<'_, ()>, Problem> {
        // A v7 id ends in random bits.
        let low = user.as_uuid().as_u64_pair().1;
        let index = usize::try_from(low).unwrap_or(0) % TURNS;
        let turn = self
            .0
            .get(index)
            .ok_or_else(|| Problem::internal("no such turn"))?;
        tokio::time::timeout(WAIT, turn.lock())
            .await
            .map_err(|_elapsed| Problem::unavailable("too many changes of one user at once"))
    }
}
