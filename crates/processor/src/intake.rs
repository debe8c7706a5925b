//! Messages become a batch: decoded and checked item by item, the signature of its job included. What is poison goes to the dead
//! queue alone, the rest goes on.

use std::time::Duration;

use bus::{Delivery, Subscription};
use models::message::ResultBatch;
use models::probe::ProbeResult;
use tokio::time::Instant;

use crate::batch;
use crate::validate;
use crate::worker::Worker;

/// A batch is closed at this many results: beyond it a row costs no less.
pub(crate) const MAX_RESULTS: usize = 500;
/// And this long after its first message: a tenant waits for it.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// Unsettled messages of one process, at most 64 KiB each. Probers with little to do send a
/// result a message, and a batch must not starve for them.
pub(crate) const PREFETCH: u16 = 500;

/// What is poison, for a metric: an item that cannot be, and one that no job of ours led to.
const ITEM: &str = "item";
const FORGED: &str = "forged";

/// Poison: of which sort, as it came, and why.
type Bad = (&'static str, Vec<u8>, String);

/// Results and the messages that they came in.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Valid and sorted.
    pub(crate) results: Vec<ProbeResult>,
    /// To be acked once the results are committed.
    pub(crate) deliveries: Vec<Delivery>,
}

/// Waits for a message and takes what comes soon after it. `None` once the bus is closed. Not
/// cancel safe once a message has come: what was taken comes again.
pub(crate) async fn collect(worker: &Worker, messages: &mut Subscription) -> Option<Batch> {
    let mut batch = Batch::default();
    let first = messages.next().await?;
    let deadline = Instant::now() + MAX_WAIT;
    open(worker, first, &mut batch).await;
    while batch.results.len() < MAX_RESULTS && batch.deliveries.len() < usize::from(PREFETCH) {
        // `None`: closed; what is here is finished first.
        let Ok(Some(next)) = tokio::time::timeout_at(deadline, messages.next()).await else {
            break;
        };
        open(worker, next, &mut batch).await;
    }
    batch::sort(&mut batch.results);
    Some(batch)
}

/// Adds what has come meanwhile to a batch that is held.
pub(crate) async fn add(worker: &Worker, messages: &mut Subscription, batch: &mut Batch) {
    while batch.results.len() < MAX_RESULTS && batch.deliveries.len() < usize::from(PREFETCH) {
        let Some(next) = messages.try_next() else {
            break;
        };
        open(worker, next, batch).await;
    }
    batch::sort(&mut batch.results);
}

/// Reads one message into the batch.
async fn open(worker: &Worker, delivery: Delivery, batch: &mut Batch) {
    let decoded = match ResultBatch::decode(&delivery.body) {
        Ok(decoded) => decoded,
        Err(error) => {
            poison("message");
            if let Err(error) = delivery.bury(&error.to_string()).await {
                tracing::warn!(%error, "it went back to its queue instead");
            }
            return;
        }
    };
    let now = worker.clock.now();
    let mut bad: Vec<Bad> = decoded
        .bad
        .into_iter()
        .map(|item| (ITEM, item.raw, item.reason))
        .collect();
    let mut good = Vec::with_capacity(decoded.items.len());
    for mut result in decoded.items {
        if let Err(reason) = validate::check(&result, now, worker.retention) {
            bad.push((ITEM, raw(&result), reason));
        } else if let Err(forged) = worker.keys.check(&result) {
            bad.push((FORGED, raw(&result), forged.to_string()));
        } else {
            validate::mend(&mut result, now);
            good.push(result);
        }
    }
    for (what, raw, reason) in bad {
        poison(what);
        if let Err(error) = delivery.bury_part(raw, &reason).await {
            tracing::warn!(%error, "its whole message goes back to its queue");
            delivery.reject_requeue().await;
            return; // it comes again, and with it the results
        }
    }
    batch.results.append(&mut good);
    batch.deliveries.push(delivery);
}

/// A result as JSON, for the dead queue.
pub(crate) fn raw(result: &ProbeResult) -> Vec<u8> {
    serde_json::to_vec(result).unwrap_or_default()
}

pub(crate) fn poison(what: &'static str) {
    metrics::counter!("pulsemon_processor_poison_total", "what" => what).increment(1);
}
