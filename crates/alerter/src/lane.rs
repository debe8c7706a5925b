//! One lane: claims what is due as long as it has hands free, sends side by side.
//!
//! A nudge, a finished send or the second's sweep makes it look; the rows say what there is.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Backoff, Shutdown};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::claim;
use crate::send;
use crate::worker::Worker;

/// Sends of one lane at a time. Mail providers allow a handful a second; more hands would only
/// hold more leases while they wait.
pub(crate) const MAX_SENDS: usize = 16;
/// How often a lane looks without being told.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Pauses while the database is away.
pub(crate) const DATABASE_PAUSES: Backoff =
    Backoff::new(Duration::from_millis(200), Duration::from_secs(5));

/// Lanes share nothing but the code: neither delays the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// About services.
    Alert,
    /// About accounts.
    Account,
}

impl Lane {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Account => "account",
        }
    }
}

/// Works until asked to stop, then finishes what is in flight.
pub(crate) async fn work(worker: Arc<Worker>, lane: Lane, wake: Arc<Notify>, shutdown: Shutdown) {
    let mut sends = JoinSet::new();
    let mut failures = 0;
    while !shutdown.is_requested() {
        let free = MAX_SENDS.saturating_sub(sends.len());
        match take(&worker, lane, free, &mut sends).await {
            Ok(was_full) => {
                failures = 0;
                if was_full {
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(lane = lane.as_str(), %error, "cannot claim deliveries yet");
                failures += 1;
            }
        }
        let pause = if failures == 0 {
            worker.sweep_pause()
        } else {
            DATABASE_PAUSES.jittered(failures)
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = tokio::time::sleep(pause) => {}
            () = wake.notified(), if failures == 0 => {}
            Some(done) = sends.join_next() => finished(done),
        }
    }
    while let Some(done) = sends.join_next().await {
        finished(done);
    }
}

/// Claims for `free` hands and sets them to work. Returns whether to look again at once.
async fn take(
    worker: &Arc<Worker>,
    lane: Lane,
    free: usize,
    sends: &mut JoinSet<()>,
) -> Result<bool, db::Error> {
    if free == 0 || !worker.gate.is_open() {
        return Ok(false);
    }
    let claim = claim::claim(worker, lane, free).await?;
    for claimed in claim.claimed {
        let worker = Arc::clone(worker);
        sends.spawn(async move { send::deliver(&worker, claimed).await });
    }
    Ok(claim.was_full && sends.len() < MAX_SENDS)
}

/// A send that panicked leaves its lease to run out.
fn finished(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "a send ended badly: its delivery comes again");
    }
}
