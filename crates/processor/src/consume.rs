//! Results in, one batch after the other: collect, commit, ack. Nothing is acked before it is
//! committed, and a batch that cannot be committed now is held until it can. Only what is a
//! result's own fault goes to the dead queue: a value that a constraint or a type refuses, or one
//! that fails again and again while its neighbours pass.

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
use crate::watch::{PARTITIONS, RESULTS};
use crate::worker::Worker;

/// Between attempts while the database is away.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// So many rounds in a row in which its neighbours pass and a result does not: the dead queue keeps
/// it, and the others need not wait for longer.
const CONVICTED_AFTER: u32 = 3;

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
        if consumer.settle(batch, &mut messages).await.is_none() {
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
    /// Of a result itself: trying again would fail again.
    Poison(String),
    /// The database said something that tells neither.
    Unknown(String),
}

impl Consumer {
    /// Commits a batch and acks its messages. `None`: asked to stop while the batch was held; its
    /// messages go back unacked.
    async fn settle(&self, mut batch: Batch, messages: &mut Subscription) -> Option<()> {
        let (mut attempt, mut suspected) = (0, 0);
        while let Err(trouble) = self.attempt(&mut batch, &mut suspected).await {
            self.tell(&trouble);
            let is_unknown = matches!(trouble, Trouble::Unknown(_));
            if !is_unknown {
                messages.pause();
            }
            let pause = PAUSES.jittered(attempt);
            attempt = attempt.saturating_add(1);
            tokio::select! {
                () = self.shutdown.requested() => return None,
                () = tokio::time::sleep(pause) => {}
            }
            if is_unknown {
                // Neighbours tell whether it is the result or everything.
                intake::add(&self.worker, messages, &mut batch).await;
            }
        }
        if messages.is_paused() {
            messages.resume();
        }
        self.readiness.set_ready(PARTITIONS);
        self.readiness.set_ready(RESULTS);
        bus::ack_all(batch.deliveries).await;
        Some(())
    }

    /// One attempt at a whole batch, then at each of its results. `suspected` counts the attempts
    /// in a row that gave some results away.
    async fn attempt(&self, batch: &mut Batch, suspected: &mut u32) -> Result<(), Trouble> {
        match self.commit(&batch.results).await {
            Ok(_stored) => Ok(()),
            Err(Trouble::Poison(reason) | Trouble::Unknown(reason)) => {
                tracing::warn!(reason, "a batch is taken one by one to find its poison");
                self.one_by_one(batch, suspected).await
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether rows were stored, or found to be stored before.
    async fn commit(&self, results: &[ProbeResult]) -> Result<bool, Trouble> {
        if results.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        let done = batch::commit(&self.worker, results).await;
        let done = done.map_err(|error| trouble(&error))?;
        metrics::histogram!("pulsemon_processor_transaction_seconds")
            .record(began.elapsed().as_secs_f64());
        count(results.len(), &done);
        self.nudger.nudge(&done.alerts);
        self.nudger.nudge_schedulers(&done.doubted);
        Ok(done.stored + done.duplicates > 0)
    }

    /// The unit of poison is one result: its neighbours are committed. What the database refuses
    /// for a reason of its own is poison only where neighbours pass by the same statements, and
    /// that [`CONVICTED_AFTER`] times in a row.
    async fn one_by_one(&self, batch: &mut Batch, suspected: &mut u32) -> Result<(), Trouble> {
        let tried = self.try_each(&batch.results).await;
        let (mut poison, mut held) = (tried.poison, tried.trouble);
        match tried.suspects.first() {
            Some((_, reason)) if !tried.stored => {
                *suspected = 0;
                held = held.or(Some(Trouble::Unknown(reason.clone())));
            }
            Some((_, reason)) => {
                *suspected += 1;
                if *suspected >= CONVICTED_AFTER {
                    poison.extend(tried.suspects);
                    poison.sort_unstable();
                } else {
                    held = held.or(Some(Trouble::Unknown(reason.clone())));
                }
            }
            None => {}
        }
        // From the back, so that places stay; what is buried is not tried again.
        for (at, reason) in poison.into_iter().rev() {
            self.bury(batch, at, &reason).await?;
            batch.results.remove(at);
        }
        held.map_or(Ok(()), Err)
    }

    async fn try_each(&self, results: &[ProbeResult]) -> Tried {
        let mut tried = Tried::default();
        for (at, result) in results.iter().enumerate() {
            match self.commit(std::slice::from_ref(result)).await {
                Ok(stored) => tried.stored |= stored,
                Err(Trouble::Poison(reason)) => tried.poison.push((at, reason)),
                Err(Trouble::Unknown(reason)) => tried.suspects.push((at, reason)),
                Err(trouble) => {
                    // What was committed is boring next time.
                    tried.trouble = Some(trouble);
                    break;
                }
            }
        }
        tried
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
            Trouble::NoPartition => {
                let reason = "there is no partition for some results";
                self.readiness.set_not_ready(PARTITIONS, reason);
            }
            Trouble::Hold(reason) | Trouble::Unknown(reason) | Trouble::Poison(reason) => {
                tracing::warn!(reason, "results are held");
                self.readiness
                    .set_not_ready(RESULTS, format!("results are held: {reason}"));
            }
        }
    }
}

/// What became of a batch's results, each by itself, with its place in the batch.
#[derive(Default)]
struct Tried {
    /// At least one result's row was stored, or was there.
    stored: bool,
    poison: Vec<(usize, String)>,
    suspects: Vec<(usize, String)>,
    /// Ended the round.
    trouble: Option<Trouble>,
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
        Failure::Constraint { .. } | Failure::Data => Trouble::Poison(error.to_string()),
        Failure::Other => Trouble::Unknown(error.to_string()),
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
