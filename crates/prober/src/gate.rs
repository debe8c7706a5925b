//! When a probe may start, and how many run at one time.

use std::sync::Arc;

use chrono::TimeDelta;
use models::Time;
use models::id::UserId;
use models::message::ProbeJob;
use models::probe::ProbeKind;
use runtime::Clock;

use crate::limits::{KeyedLimit, Turn};
use crate::pace::History;

/// First probes start up to so much later: a tenant who creates a hundred services at once is no flood to their server.
const FIRST_JITTER_MS: u128 = 300;

/// All probes of a process pass through it.
#[derive(Debug)]
pub(crate) struct Gate {
    clock: Clock,
    history: Arc<History>,
    per_tenant: KeyedLimit<UserId>,
    pool: KeyedLimit<Everybody>,
}

/// The one key of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Everybody;

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
    _pool: Turn<Everybody>,
    _tenant: Turn<UserId>,
}

impl Gate {
    pub(crate) fn new(
        clock: Clock,
        history: Arc<History>,
        pool_size: usize,
        per_tenant: usize,
    ) -> Self {
        Self {
            clock,
            history,
            per_tenant: KeyedLimit::new(per_tenant),
            pool: KeyedLimit::new(pool_size),
        }
    }

    /// Whether a probe of a quick target would start at once, as far as the pool goes.
    pub(crate) fn has_room(&self) -> bool {
        self.pool.has_room(&Everybody)
    }

    /// Waits for the job's moment, then for a place of its tenant, then for one of the pool: in this order nobody
    /// holds a place of the pool while waiting. No longer than the job is fresh: until then its whole batch, and with
    /// it a part of the prefetch, is held. Cancel safe.
    pub(crate) async fn enter(&self, job: &ProbeJob) -> Entry {
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        self.clock.sleep_until(starts_at(job)).await;
        let tag = self.history.tag(job);
        let pace = || self.history.pace(tag);
        let places = async {
            let tenant = self.per_tenant.enter(job.user_id, pace).await;
            let pool = self.pool.enter(Everybody, pace).await;
            Place {
                _pool: pool,
                _tenant: tenant,
            }
        };
        let place = tokio::select! {
            biased;
            place = places => place,
            () = self.clock.sleep_until(job.not_after) => return Entry::Stale,
        };
        if self.clock.now() > job.not_after {
            return Entry::Stale;
        }
        Entry::Go(place)
    }
}

/// The new prefetch, where batches that wait for a few slow targets would soon keep others from coming in although the
/// pool has room. Doubled, because each change restarts the consumer.
pub(crate) fn widened(prefetch: u16, open: usize, has_room: bool) -> Option<u16> {
    let is_tight = open.saturating_mul(4) >= usize::from(prefetch).saturating_mul(3);
    let wider = prefetch.saturating_mul(2).min(bus::MAX_PREFETCH);
    (is_tight && has_room && wider > prefetch).then_some(wider)
}

/// When a job's probe begins: the same moment wherever it is worked out.
pub(crate) fn starts_at(job: &ProbeJob) -> Time {
    if job.kind != ProbeKind::First {
        return job.scheduled_at;
    }
    let jitter = job.probe_id.as_uuid().as_u128() % (FIRST_JITTER_MS + 1);
    let jitter = TimeDelta::milliseconds(i64::try_from(jitter).unwrap_or_default());
    (job.scheduled_at + jitter).min(job.not_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_finds_no_place_while_it_is_fresh_is_stale_at_once_then() {
        let clock = Clock::system();
        let gate = Gate::new(clock.clone(), Arc::default(), 1, 1);
        let mut job = crate::consume::tests::job();
        job.scheduled_at = clock.now();
        job.not_after = clock.now() + TimeDelta::seconds(5);
        let held = gate.enter(&job).await;
        assert!(matches!(held, Entry::Go(_)));
        assert!(matches!(gate.enter(&job).await, Entry::Stale));
        assert!(clock.now() >= job.not_after);
    }

    #[test]
    fn the_prefetch_grows_only_while_it_is_tight_and_probes_could_run() {
        assert_eq!(widened(8, 5, true), None);
        assert_eq!(widened(8, 6, true), Some(16));
        assert_eq!(widened(8, 6, false), None, "another prober may have room");
        assert_eq!(widened(800, 800, true), Some(1000));
        assert_eq!(widened(1000, 1000, true), None);
    }

    #[test]
    fn only_first_probes_are_spread_and_over_no_more_than_300_ms() {
        let mut job = crate::consume::tests::job();
        let delays = |job: &mut ProbeJob| {
            let delay = |n: u128| {
                job.probe_id = uuid::Uuid::from_u128(n * 0x9e37_79b9_7f4a_7c15).into();
                (starts_at(job) - job.scheduled_at).num_milliseconds()
            };
            (0..1000)
                .map(delay)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(delays(&mut job).into_iter().collect::<Vec<_>>(), [0]);
        job.kind = ProbeKind::First;
        let spread = delays(&mut job);
        assert!(spread.len() > 200, "{}", spread.len());
        assert!(spread.iter().all(|ms| (0..=300).contains(ms)));
        job.not_after = job.scheduled_at + TimeDelta::milliseconds(10);
        let spread = delays(&mut job);
        assert_eq!(spread.last(), Some(&10), "none is stale by its jitter");
    }
}
