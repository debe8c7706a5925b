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
    /// holds a place of the pool while waiting. No longer than the job is fresh: until then its whole batch, and with
    /// it a part of the prefetch, is held. Cancel safe.
    pub(crate) async fn enter(&self, job: &ProbeJob) -> Entry {
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        self.clock.sleep_until(job.scheduled_at).await;
        let places = async {
            let tenant = self.per_tenant.enter(job.user_id).await;
            // Fails only when the semaphore is closed, which nobody does.
            (tenant, self.pool.clone().acquire_owned().await.ok())
        };
        let (tenant, pool) = tokio::select! {
            biased;
            places = places => places,
            () = self.clock.sleep_until(job.not_after) => return Entry::Stale,
        };
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        Entry::Go(Place {
            _tenant: tenant,
            _pool: pool,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_finds_no_place_while_it_is_fresh_is_stale_at_once_then() {
        let clock = Clock::system();
        let gate = Gate::new(clock.clone(), 1, 1);
        let mut job = crate::consume::tests::job();
        job.scheduled_at = clock.now();
        job.not_after = clock.now() + TimeDelta::seconds(5);
        let held = gate.enter(&job).await;
        assert!(matches!(held, Entry::Go(_)));
        assert!(matches!(gate.enter(&job).await, Entry::Stale));
        assert!(clock.now() >= job.not_after);
    }
}
