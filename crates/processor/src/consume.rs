//! Results in, one batch after the other: collect, commit, ack. Nothing is acked before it is
//! committed, and a batch that cannot be committed now is held until it can.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Route, Subscription};
use db::Failure;
use models::probe::ProbeResult;
use runtime::{Backoff, Readiness, Shutdown};
use tokio::time::Instant;

use crate::batch::{self, Done, Failed};
use crate::intake::{self, Batch, PREFETCH};
use crate::nudge::Nudger;
use crate::watch::PARTITIONS;
use crate::worker::Worker;

/// Between attempts while the database is away.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));

/// What the consumer works with.
pub(crate) struct Consumer {
    pub(crate) worker: Arc<Worker>,
    pub(crate) nudger: Nudger,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
}

/// Works until asked to stop; the batch in hand is finished first.
pub(crate) async fn results(consumer: Consumer, bus: Bus) {
    let Consumer {
        worker, shutdown, ..
    } = &consumer;
    tokio::select! {
        () = shutdown.requested() => return,
        () = worker.gate.opened() => {}
    }
    // Not before: what a process takes and cannot commit, another could have committed.
    let mut messages = bus.subscribe(Route::ProbeResults, PREFETCH);
    loop {
        // Open but for a schema that was changed under us.
        tokio::select! {
            () = shutdown.requested() => return,
            () = worker.gate.opened() => {}
        }
        let batch = tokio::select! {
            biased;
            // Between batches only: one that has begun to collect comes again if it is dropped.
            () = shutdown.requested() => return,
            batch = intake::collect(worker, &mut messages) => batch,
        };
        let Some(batch) = batch else {
            return; // the bus was closed
        };
        if consumer.settle(batch, &messages).await.is_none() {
            return;
        }
    }
}

/// Why a batch was not committed.
enum Trouble {
    /// To be tried again.
    Hold(String),
    /// There is no partition for a result: the scheduler's upkeep is behind.
    NoPartition,
    /// Trying again would fail again.
    Poison(String),
}

impl Consumer {
    /// Commits a batch and acks its messages. `None`: asked to stop while the batch was held; its
    /// messages go back unacked.
    async fn settle(&self, batch: Batch, messages: &Subscription) -> Option<()> {
        let mut attempt = 0;
        loop {
            let trouble = match self.commit(&batch.results).await {
                Ok(()) => break,
                Err(Trouble::Poison(reason)) if batch.results.len() > 1 => {
                    tracing::warn!(reason, "a batch is taken one by one to find its poison");
                    self.one_by_one(&batch).await.err()
                }
                Err(Trouble::Poison(reason)) => self.bury(&batch, 0, &reason).await.err(),
                Err(trouble) => Some(trouble),
            };
            let Some(trouble) = trouble else { break };
            messages.pause();
            self.tell(&trouble);
            let pause = PAUSES.jittered(attempt);
            attempt = attempt.saturating_add(1);
            tokio::select! {
                () = self.shutdown.requested() => return None,
                () = tokio::time::sleep(pause) => {}
            }
        }
        if messages.is_paused() {
            messages.resume();
        }
        self.readiness.set_ready(PARTITIONS);
        bus::ack_all(batch.deliveries).await;
        Some(())
    }

    async fn commit(&self, results: &[ProbeResult]) -> Result<(), Trouble> {
        if results.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let done = batch::commit(&self.worker, results).await;
        let done = done.map_err(|error| trouble(&error))?;
        metrics::histogram!("pulsemon_processor_transaction_seconds")
            .record(began.elapsed().as_secs_f64());
        count(results.len(), &done);
        self.nudger.nudge(&done.alerts);
        self.nudger.nudge_schedulers(&done.doubted);
        Ok(())
    }

    /// The unit of poison is one result: its neighbours are committed.
    async fn one_by_one(&self, batch: &Batch) -> Result<(), Trouble> {
        for (at, result) in batch.results.iter().enumerate() {
            match self.commit(std::slice::from_ref(result)).await {
                Ok(()) => {}
                Err(Trouble::Poison(reason)) => self.bury(batch, at, &reason).await?,
                Err(trouble) => return Err(trouble), // what was committed is boring next time
            }
        }
        Ok(())
    }

    async fn bury(&self, batch: &Batch, at: usize, reason: &str) -> Result<(), Trouble> {
        // Any message of the batch can carry the letter: the item says where it belongs.
        let (Some(result), Some(delivery)) = (batch.results.get(at), batch.deliveries.first())
        else {
            return Ok(());
        };
        intake::poison("item");
        let buried = delivery.bury_part(intake::raw(result), reason).await;
        buried.map_err(|error| Trouble::Hold(error.to_string()))
    }

    fn tell(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Hold(reason) => tracing::warn!(reason, "results are held"),
            Trouble::NoPartition => {
                let reason = "there is no partition for some results";
                self.readiness.set_not_ready(PARTITIONS, reason);
            }
            Trouble::Poison(_) => {} // does not come here
        }
    }
}

fn trouble(error: &Failed) -> Trouble {
    let failure = match error {
        Failed::Db(error) => error.failure(),
        Failed::Refused(corrupt) => return Trouble::Poison(corrupt.to_string()),
    };
    match failure {
        Failure::Unavailable | Failure::Conflict => Trouble::Hold(error.to_string()),
        // Only a missing partition violates a constraint that has no name.
        Failure::Constraint { name } if name.is_empty() => Trouble::NoPartition,
        Failure::Constraint { .. } | Failure::Other => Trouble::Poison(error.to_string()),
    }
}

fn count(results: usize, done: &Done) {
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "some hundreds at most"
    )]
    metrics::histogram!("pulsemon_processor_batch_results").record(results as f64);
    for (what, number) in [
        ("stored", done.stored),
        ("duplicate", done.duplicates),
        ("service_gone", done.gone),
    ] {
        metrics::counter!("pulsemon_processor_results_total", "result" => what).increment(number);
    }
    metrics::counter!("pulsemon_processor_late_results_total").increment(done.late);
}
