//! Connections that live where they are used.
//!
//! A connection of the shared pool lives on the runtime that made the pool: whoever borrows it on another thread
//! pays two wake-ups for every statement, one there and one back, which together cost more than reading a few rows. A
//! [`NearDb`] has a few connections of its own on its thread's runtime, and falls back on the shared pool.

use std::rc::Rc;
use std::time::Duration;

use deadpool::managed::{self, PoolError, TimeoutType, Timeouts};
use tokio::runtime::Handle;

use crate::failure::Error;
use crate::pool::{self, CREATE_TIMEOUT, Connection, Db, Manager};

/// How long a caller waits for a near connection before it takes one of the shared pool: many times what a quick
/// read takes, and not long for one that waits behind a slow read.
pub const NEAR_WAIT: Duration = Duration::from_millis(20);

/// The database, for one thread with a runtime of its own: neither leaves that thread.
#[derive(Clone)]
pub struct NearDb {
    /// `None` where the bound leaves no connection for each thread.
    own: Option<Rc<managed::Pool<Manager>>>,
    shared: Db,
}

impl std::fmt::Debug for NearDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NearDb")
            .field("own", &self.own.as_ref().map(|pool| pool.status()))
            .finish_non_exhaustive()
    }
}

impl Db {
    /// The connections of this thread, by [`crate::Settings::near_threads`]. Opens nothing yet.
    ///
    /// Call it once on each of those threads, inside its runtime: sockets live and end with that.
    #[must_use]
    pub fn near(&self) -> NearDb {
        let build = |most| pool::build(self.opener_on(Handle::current()), most).ok();
        let own = match self.near_connections() {
            0 => None,
            most => build(most).map(Rc::new),
        };
        NearDb {
            own,
            shared: self.clone(),
        }
    }
}

impl NearDb {
    /// Borrows a near connection, or one of the shared pool where those are all in use for [`NEAR_WAIT`].
    ///
    /// # Errors
    /// As [`Db::conn`].
    pub async fn conn(&self) -> Result<Connection, Error> {
        let Some(own) = &self.own else {
            return self.shared.conn().await;
        };
        let timeouts = Timeouts {
            wait: Some(NEAR_WAIT),
            create: Some(CREATE_TIMEOUT),
            recycle: None,
        };
        match own.timeout_get(&timeouts).await {
            // In a box, so that who finds one near does not carry the room that this takes.
            Err(PoolError::Timeout(TimeoutType::Wait)) => Box::pin(self.shared.conn()).await,
            other => pool::borrowed(other),
        }
    }
}
