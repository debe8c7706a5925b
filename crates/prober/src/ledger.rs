//! Which batches of jobs are open and what became of each of their probes.
//!
//! A batch is done when the last of its results is confirmed (or its job was stale). A batch that comes again, because
//! its connection was lost, finds what was already probed: it is not probed again, and sent again only where the broker
//! does not have it yet.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use models::Time;
use models::id::ProbeId;
use models::message::ProbeJob;
use models::probe::ProbeResult;
use rapidhash::RapidHashMap;

/// `D` is what settles a batch.
#[derive(Debug)]
pub(crate) struct Ledger<D> {
    inner: Mutex<Inner<D>>,
}

/// What is asked for with every step of a probe is kept apart from what is only asked for when a batch comes in: that is
/// much more, and no cache would hold it.
#[derive(Debug)]
struct Inner<D> {
    next_batch: u64,
    batches: RapidHashMap<u64, Batch<D>>,
    /// To be probed, being probed, or with a result that the broker does not have yet.
    open: RapidHashMap<ProbeId, Open>,
    /// Whose result the broker has, and until when its job is fresh.
    safe: RapidHashMap<ProbeId, Time>,
    pruned_at: Option<Time>,
}

#[derive(Debug)]
struct Batch<D> {
    delivery: D,
    /// Each once.
    probes: Vec<ProbeId>,
    /// How many of them have no confirmed result yet.
    waiting: usize,
    /// One of its probes has begun, or was settled: then it can't be another prober's any more.
    has_begun: bool,
}

#[derive(Debug)]
struct Open {
    /// The batch whose arrival set it going.
    ticket: Ticket,
    /// Others that came with it later and wait as well.
    more: Vec<u64>,
    /// On its way to the broker.
    found: Option<Arc<ProbeResult>>,
    not_after: Time,
}

impl Open {
    fn new(batch: u64, not_after: Time) -> Self {
        Self {
            ticket: Ticket(batch),
            more: Vec::new(),
            found: None,
            not_after,
        }
    }

    /// Who waits for it.
    fn waiting(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.ticket.0).chain(self.more.iter().copied())
    }
}

/// Tells one admission of a probe from a later one, after its batch was handed back and came again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What to do with a batch that came in.
#[derive(Debug)]
pub(crate) struct Admitted<D, J> {
    /// To be probed.
    pub(crate) run: Vec<J>,
    /// What these begin with.
    pub(crate) ticket: Ticket,
    /// Probed before and not with the broker yet; to be sent again.
    pub(crate) resend: Vec<Arc<ProbeResult>>,
    /// The batch itself, when nothing in it needs waiting for.
    pub(crate) done: Option<D>,
}

/// How often results that nobody asked for again are looked for.
const PRUNE_EVERY: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

impl<D> Ledger<D> {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                next_batch: 0,
                batches: RapidHashMap::default(),
                open: RapidHashMap::default(),
                safe: RapidHashMap::default(),
                pruned_at: None,
            }),
        }
    }

    /// Opens a batch.
    pub(crate) fn admit<J: Borrow<ProbeJob>>(
        &self,
        delivery: D,
        jobs: Vec<J>,
        now: Time,
    ) -> Admitted<D, J> {
        let mut inner = self.lock();
        inner.prune(now);
        let number = inner.next_batch;
        inner.next_batch = inner.next_batch.wrapping_add(1);
        let mut admitted = Admitted {
            run: Vec::with_capacity(jobs.len()),
            ticket: Ticket(number),
            resend: Vec::new(),
            done: None,
        };
        let mut probes = Vec::with_capacity(jobs.len());
        let mut has_begun = false;
        for job in jobs {
            let (probe_id, not_after) = (job.borrow().probe_id, job.borrow().not_after);
            if inner.safe.contains_key(&probe_id) {
                has_begun = true;
                continue;
            }
            match inner.open.entry(probe_id) {
                Entry::Occupied(known) => {
                    has_begun = true;
                    let known = known.into_mut();
                    admitted.resend.extend(known.found.clone());
                    if known.waiting().any(|batch| batch == number) {
                        continue; // twice in one batch
                    }
                    known.more.push(number);
                    probes.push(probe_id);
                }
                Entry::Vacant(unknown) => {
                    unknown.insert(Open::new(number, not_after));
                    probes.push(probe_id);
                    admitted.run.push(job);
                }
            }
        }
        if probes.is_empty() {
            admitted.done = Some(delivery);
            return admitted;
        }
        let batch = Batch {
            delivery,
            waiting: probes.len(),
            probes,
            has_begun,
        };
        inner.batches.insert(number, batch);
        admitted
    }

    /// Whether the probe is still to be run; from then on its batches stay here. No longer when its batch was handed
    /// back since.
    pub(crate) fn begin(&self, probe: ProbeId, ticket: Ticket) -> bool {
        let mut inner = self.lock();
        let Inner { batches, open, .. } = &mut *inner;
        let Some(known) = open.get(&probe).filter(|known| known.ticket == ticket) else {
            return false;
        };
        for number in known.waiting() {
            if let Some(batch) = batches.get_mut(&number) {
                batch.has_begun = true;
            }
        }
        true
    }

    /// Gives up the batches of which nothing has begun, as far as they `may_return`.
    pub(crate) fn hand_back(&self, may_return: impl Fn(&D) -> bool) -> Vec<D> {
        let mut inner = self.lock();
        let Inner { batches, open, .. } = &mut *inner;
        let returned =
            batches.extract_if(|_, batch| !batch.has_begun && may_return(&batch.delivery));
        let mut deliveries = Vec::new();
        for (number, batch) in returned {
            for probe in batch.probes {
                // Nobody else waits for it: a second batch with it would have begun.
                if open
                    .get(&probe)
                    .is_some_and(|known| known.ticket == Ticket(number))
                {
                    open.remove(&probe);
                }
            }
            deliveries.push(batch.delivery);
        }
        deliveries
    }

    /// A probe has its result, which is not confirmed yet.
    pub(crate) fn found(&self, result: &Arc<ProbeResult>) {
        if let Some(known) = self.lock().open.get_mut(&result.probe_id) {
            known.found = Some(result.clone());
        }
    }

    /// A job was too late to be probed. Returns the batches that are done by that.
    pub(crate) fn skipped(&self, probe: ProbeId) -> Vec<D> {
        let mut done = Vec::new();
        self.lock().close(probe, &mut done);
        done
    }

    /// These results are safe with the broker. Returns the batches that are done by that.
    pub(crate) fn confirmed(&self, probes: impl IntoIterator<Item = ProbeId>) -> Vec<D> {
        let mut inner = self.lock();
        let mut done = Vec::new();
        for probe in probes {
            if let Some(not_after) = inner.close(probe, &mut done) {
                inner.safe.insert(probe, not_after);
            }
        }
        done
    }

    /// How many batches are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().batches.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<D>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D> Inner<D> {
    /// Takes a probe off what its batches wait for; those that were waiting for nothing else are `done`. Returns until
    /// when its job is fresh, if it was open.
    fn close(&mut self, probe: ProbeId, done: &mut Vec<D>) -> Option<Time> {
        let known = self.open.remove(&probe)?;
        for number in known.waiting() {
            let Some(batch) = self.batches.get_mut(&number) else {
                continue;
            };
            batch.waiting = batch.waiting.saturating_sub(1);
            if batch.waiting == 0
                && let Some(batch) = self.batches.remove(&number)
            {
                done.push(batch.delivery);
            }
        }
        Some(known.not_after)
    }

    /// That a probe is done is known until its job is stale: an acknowledgement can get lost with its connection, and
    /// then the batch comes again. After that a job that comes again is not run anyway.
    fn prune(&mut self, now: Time) {
        if self
            .pruned_at
            .is_some_and(|pruned_at| now - pruned_at < PRUNE_EVERY && now >= pruned_at)
        {
            return;
        }
        self.pruned_at = Some(now);
        self.safe.retain(|_, not_after| *not_after >= now);
    }
}

#[cfg(test)]
mod tests;
