//! When a probe may start, and how many run at one time.

use std::sync::Arc;

use models::id::UserId;
use models::message::ProbeJob;
use runtime::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{KeyedLimit, Turn};

/// All probes of a process pass through it.
#[derive(Debug)]
pub(crate) struct Gate {
    clock: Clock,
    pool: Arc<Semaphore>,
    per_tenant: KeyedLimit<UserId>,
}

/// What the gate says to a job.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Start now; the place is given back when this is dropped.
    Go(Place),
    /// Too late: the slot is missed rather than probed late.
    Stale,
}

/// A place in the pool.
#[derive(Debug)]
pub(crate) struct Place {
    _tenant: Option<Turn<UserId>>,
    _pool: Option<OwnedSemaphorePermit>,
}

impl Gate {
    pub(crate) fn new(clock: Clock, pool_size: usize, per_tenant: usize) -> Self {
        Self {
            clock,
            pool: Arc::new(Semaphore::new(pool_size)),
            per_tenant: KeyedLimit::new(per_tenant),
        }
    }

    /// Waits for the job's moment, then for a place of its tenant, then for one of the pool: in this order nobody
    /// holds a place of the pool while waiting. Cancel safe.
    pub(crate) async fn enter(&self, job: &ProbeJob) -> Entry {
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        self.clock.sleep_until(job.scheduled_at).await;
        let tenant = self.per_tenant.enter(job.user_id).await;
        // Fails only when the semaphore is closed, which nobody does.
        let pool = self.pool.clone().acquire_owned().await.ok();
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        Entry::Go(Place {
            _tenant: tenant,
            _pool: pool,
        })
    }
}
