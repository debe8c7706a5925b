//! When a probe may start: first its moment must have come, then its tenant must have a place for it, then the pool. In
//! this order nobody holds a place of the pool while waiting.
//!
//! A job that waits is an entry here and no task of its own: thousands may be early, and only those that run need room
//! for a probe.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use models::Time;
use models::message::ProbeJob;
use models::probe::ProbeKind;
use runtime::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::aim::Aimed;
use crate::ledger::Ticket;
use crate::pace::{History, Pace, Tag};
use state::{Ready, State};

#[cfg(test)]
use crate::limits::LOOK_AGAIN;

/// First probes start up to so much later: a tenant who creates a hundred services at once is no flood to their server.
const FIRST_JITTER_MS: u128 = 300;

/// All probes of a process pass through it.
#[derive(Debug)]
pub(crate) struct Gate {
    clock: Clock,
    history: Arc<History>,
    state: Mutex<State>,
    /// Something may start, or has to be looked at earlier than was planned.
    changed: Notify,
}

/// A job at the gate.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) aimed: Aimed,
    pub(crate) ticket: Ticket,
    pub(crate) tag: Tag,
}

impl Waiting {
    pub(crate) fn job(&self) -> &ProbeJob {
        &self.aimed.job
    }
}

/// What the gate says to a job.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Start now.
    Go(Started),
    /// Too late: the slot is missed rather than probed late.
    Stale(Box<Waiting>),
}

/// A job that may start.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) waiting: Box<Waiting>,
    pub(crate) place: Place,
}

/// A place in the pool and one of its tenant; both are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    held: Option<state::Places>,
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
            state: Mutex::new(State::new(pool_size, per_tenant)),
            changed: Notify::new(),
        }
    }

    /// Whether a probe of a quick target would start at once, as far as the pool goes.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// Jobs that came in together. They come out of [`Gate::next`] or [`Place::pass_on`], each once, unless the gate closes.
    pub(crate) fn enter(&self, jobs: Vec<Aimed>, ticket: Ticket) {
        let mut state = self.lock();
        for aimed in jobs {
            let (moment, tag) = (starts_at(&aimed.job), self.history.tag(&aimed.job));
            let waiting = Box::new(Waiting { aimed, ticket, tag });
            state.expect(moment, waiting);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Lets nobody in any more: what has not begun never will.
    pub(crate) fn close(&self) {
        self.lock().close();
        self.changed.notify_one();
    }

    /// Waits for the next job that may start, or is too late; `None` once the gate is closed. For one caller at a time.
    /// Cancel safe.
    pub(crate) async fn next(self: &Arc<Self>) -> Option<Turn> {
        loop {
            let wake_at = {
                let mut state = self.lock();
                if state.is_closed() {
                    return None;
                }
                state.advance(self.clock.now(), Instant::now(), &self.pace());
                match state.next() {
                    Some(Ready::Go(waiting, held)) => {
                        return Some(Turn::Go(self.started(waiting, held)));
                    }
                    Some(Ready::Stale(waiting)) => return Some(Turn::Stale(waiting)),
                    None => state.wake_at(),
                }
            };
            let moment = async {
                match wake_at {
                    Some(moment) => self.clock.sleep_until(moment).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = moment => {}
            }
        }
    }

    fn started(self: &Arc<Self>, waiting: Box<Waiting>, held: state::Places) -> Started {
        let place = Place {
            gate: self.clone(),
            held: Some(held),
        };
        Started { waiting, place }
    }

    /// How the target of a job is expected to answer.
    fn pace(&self) -> impl Fn(&Waiting) -> Pace {
        |waiting| self.history.pace(waiting.tag)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// How its target was expected to answer when it got the place.
    pub(crate) fn pace(&self) -> Pace {
        self.held.as_ref().map_or(Pace::New, state::Places::pace)
    }

    /// Gives the place back; who has it next, if that is known at once.
    pub(crate) fn pass_on(mut self) -> Option<Started> {
        let held = self.held.take()?;
        let gate = self.gate.clone();
        let mut state = gate.lock();
        state.leave(held, gate.clock.now(), Instant::now(), &gate.pace());
        let next = state.next_to_go();
        if state.has_next() {
            gate.changed.notify_one();
        }
        let (waiting, held) = next?;
        Some(gate.started(waiting, held))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return; // passed on
        };
        let gate = &self.gate;
        gate.lock()
            .leave(held, gate.clock.now(), Instant::now(), &gate.pace());
        gate.changed.notify_one();
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
mod tests;
