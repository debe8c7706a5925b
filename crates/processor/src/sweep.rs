//! What no result triggers: open hours of services that fell silent, windows that moved on, and
//! slow services whose slot fell into an outage of ours.
//!
//! Every processor sweeps. Rows are locked with SKIP LOCKED in small batches, so that sweeps share
//! the work and never stand in the way of results.

mod catchup;
mod hours;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use runtime::{Backoff, Shutdown};

use crate::nudge::Nudger;
use crate::worker::Worker;

/// Between sweeps, give or take a quarter: processors do not sweep in step.
const EVERY: Duration = Duration::from_secs(1);
/// Between attempts while the database is away.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

/// Sweeps until asked to stop.
pub(crate) async fn sweep(worker: Arc<Worker>, nudger: Nudger, shutdown: Shutdown) {
    let mut catchup = catchup::Round::new();
    let mut failures = 0;
    loop {
        let pause = if failures == 0 {
            EVERY.mul_f64(0.75 + rand::random::<f64>() / 2.0)
        } else {
            PAUSES.jittered(failures)
        };
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(pause) => {}
        }
        if !worker.gate.is_open() {
            continue;
        }
        match once(&worker, &nudger, &mut catchup).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(%error, "cannot sweep yet");
            }
        }
    }
}

/// All three, whatever becomes of one: a row that cannot be read stops its own sweep only.
async fn once(
    worker: &Worker,
    nudger: &Nudger,
    catchup: &mut catchup::Round,
) -> Result<(), crate::batch::Failed> {
    let hours = hours::close_silent(worker, nudger).await;
    let windows = windows::renew(worker, nudger).await;
    let catchups = catchup.go_on(worker).await;
    hours.and(windows).and(catchups)
}
