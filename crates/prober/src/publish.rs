//! Results on their way out: batched on their own, sent until the broker has them, and only then are their jobs
//! acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bus::{Delivery, Outgoing, Publisher, Route};
use models::id::ProbeId;
use models::message::{MAX_BATCH_BYTES, MAX_BATCH_ITEMS};
use models::probe::ProbeResult;
use runtime::{Backoff, Shutdown};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::ledger::Ledger;

/// How long a result waits for company.
const LINGER: Duration = Duration::from_millis(20);
/// Batches on their way at one time; more would only wait inside the broker's client.
const MAX_IN_FLIGHT: usize = 16;
/// Results that wait to be batched; then probes wait with theirs.
pub(crate) const QUEUE_LENGTH: usize = 4 * MAX_BATCH_ITEMS;
/// Between attempts while the broker is away or its queue is full.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Sends results until the channel is closed and all is confirmed, or the drain deadline has passed.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) publisher: Publisher,
    pub(crate) ledger: Arc<Ledger<Delivery>>,
    pub(crate) shutdown: Shutdown,
}

impl Reporter {
    pub(crate) async fn run(self, mut results: mpsc::Receiver<Arc<ProbeResult>>) {
        let this = Arc::new(self);
        let mut sending = JoinSet::new();
        let mut leftover = None;
        while let Some(batch) = Batch::collect(&mut results, &mut leftover).await {
            while sending.len() >= MAX_IN_FLIGHT {
                note(sending.join_next().await);
            }
            while let Some(ended) = sending.try_join_next() {
                note(Some(ended));
            }
            sending.spawn(this.clone().send(batch));
        }
        while !sending.is_empty() {
            note(sending.join_next().await);
        }
    }

    /// Sends one batch, as often as it takes; a result that is stored twice counts once.
    async fn send(self: Arc<Self>, batch: Batch) {
        let (probes, body) = batch.finish();
        let id = probes.first().map(ToString::to_string).unwrap_or_default();
        let message = match Outgoing::bytes(Route::ProbeResults, id, body) {
            Ok(message) => message,
            Err(error) => {
                // Never again either: holding its jobs would only take up room until nothing is left.
                tracing::error!(%error, "a batch of results can't be sent; its probes are missed");
                bus::ack_all(self.ledger.confirmed(probes)).await;
                return;
            }
        };
        let mut attempt = 0;
        loop {
            let problem = match self.publisher.publish_one(message.clone()).await {
                Ok(outcome) if outcome.is_stored() => break,
                Ok(outcome) => format!("{outcome:?}"),
                Err(error) => error.to_string(),
            };
            tracing::debug!(problem, attempt, "results are not stored yet");
            metrics::counter!("pulsemon_prober_result_retries_total").increment(1);
            tokio::select! {
                () = self.shutdown.deadline() => return,
                () = tokio::time::sleep(RETRY.jittered(attempt)) => {}
            }
            attempt = attempt.saturating_add(1);
        }
        bus::ack_all(self.ledger.confirmed(probes)).await;
    }
}

/// Results that travel together.
#[derive(Debug, Default)]
struct Batch {
    probes: Vec<ProbeId>,
    body: Vec<u8>,
}

const OPENING: &[u8] = br#"{"results":["#;
const CLOSING: &[u8] = b"]}";
/// What a batch of ordinary results takes: room is made once.
const USUAL_BYTES: usize = 24 * 1024;

impl Batch {
    /// Waits for a first result, then for more until the batch is full or [`LINGER`] has passed. `None` when no result
    /// will come any more.
    async fn collect(
        results: &mut mpsc::Receiver<Arc<ProbeResult>>,
        leftover: &mut Option<Arc<ProbeResult>>,
    ) -> Option<Self> {
        let mut batch = Self::default();
        let mut until = None;
        while batch.probes.len() < MAX_BATCH_ITEMS {
            let next = match (leftover.take(), until) {
                (Some(kept), _) => Some(kept),
                (None, None) => results.recv().await,
                (None, Some(until)) => timeout_at(until, results.recv()).await.ok().flatten(),
            };
            let Some(result) = next else {
                break;
            };
            if !batch.push(&result) {
                *leftover = Some(result);
                break;
            }
            if until.is_none() && !batch.probes.is_empty() {
                until = Some(Instant::now() + LINGER);
            }
        }
        (!batch.probes.is_empty()).then_some(batch)
    }

    /// Writes a result down; `false` when it finds no room any more. One that has no JSON form, as all have, is left out.
    fn push(&mut self, result: &ProbeResult) -> bool {
        let is_first = self.probes.is_empty();
        let before = self.body.len();
        if is_first {
            self.body.reserve(USUAL_BYTES);
            self.body.extend_from_slice(OPENING);
        } else {
            self.body.push(b',');
        }
        let written = serde_json::to_writer(&mut self.body, result);
        if let Err(error) = &written {
            tracing::error!(probe.id = %result.probe_id, %error, "encode a result");
        }
        let is_too_long = self.body.len() + CLOSING.len() > MAX_BATCH_BYTES;
        if written.is_err() || (is_too_long && !is_first) {
            self.body.truncate(before);
            return written.is_err();
        }
        self.probes.push(result.probe_id);
        true
    }

    fn finish(mut self) -> (Vec<ProbeId>, Vec<u8>) {
        self.body.extend_from_slice(CLOSING);
        (self.probes, self.body)
    }
}

fn note(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "sending results ended badly; their jobs will come again");
    }
}

#[cfg(test)]
mod tests {
    use models::message::ResultBatch;

    use super::*;
    use crate::trip::Finding;

    fn result(message: &str) -> Arc<ProbeResult> {
        let job = crate::consume::tests::job();
        let mut result = Finding::internal(message).into_result(&job, job.scheduled_at, "p");
        result.region = message.into();
        Arc::new(result)
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_closes_at_its_count_its_size_or_its_time_and_reads_back() {
        let (sender, mut results) = mpsc::channel(200);
        for _ in 0..MAX_BATCH_ITEMS + 1 {
            sender.send(result("small")).await.unwrap();
        }
        let mut leftover = None;
        let full = Batch::collect(&mut results, &mut leftover).await.unwrap();
        let (probes, body) = full.finish();
        assert_eq!(probes.len(), MAX_BATCH_ITEMS);
        assert_eq!(
            ResultBatch::decode(&body).unwrap().items.len(),
            MAX_BATCH_ITEMS
        );
        let waited = Instant::now();
        let rest = Batch::collect(&mut results, &mut leftover).await.unwrap();
        assert_eq!((rest.probes.len(), waited.elapsed()), (1, LINGER));
        for _ in 0..4 {
            sender.send(result(&"x".repeat(16_000))).await.unwrap();
        }
        drop(sender);
        let mut sizes = Vec::new();
        while let Some(batch) = Batch::collect(&mut results, &mut leftover).await {
            sizes.push(batch.probes.len());
            assert!(batch.finish().1.len() <= MAX_BATCH_BYTES);
        }
        assert_eq!(sizes, [2, 2]);
    }
}
