//! What the bus counts. The label `queue` has one value a queue, `link` two.

use metrics::{counter, gauge};

/// Messages with an answer of the broker, by `queue` and `outcome`.
pub(crate) fn published(queue: &str, outcome: &'static str) {
    counter!("pulsemon_bus_published_total", "queue" => queue.to_owned(), "outcome" => outcome)
        .increment(1);
}

/// Publishes that ended without an answer, by `reason`.
pub(crate) fn publish_failed(reason: &'static str) {
    counter!("pulsemon_bus_publish_failures_total", "reason" => reason).increment(1);
}

/// What became of deliveries: `acked`, `requeued`, `buried`.
pub(crate) fn settled(queue: &str, how: &'static str) {
    counter!("pulsemon_bus_settled_total", "queue" => queue.to_owned(), "how" => how).increment(1);
}

/// Messages handed over by the broker.
pub(crate) fn delivered(queue: &str) {
    counter!("pulsemon_bus_delivered_total", "queue" => queue.to_owned()).increment(1);
}

/// Connections that had to be dialled again, by `link`.
pub(crate) fn reconnected(link: &'static str) {
    counter!("pulsemon_bus_reconnects_total", "link" => link).increment(1);
}

/// Consumers that had to be set up again, by `queue`.
pub(crate) fn resubscribed(queue: &str) {
    counter!("pulsemon_bus_resubscribes_total", "queue" => queue.to_owned()).increment(1);
}

/// Messages that wait in a queue; more than none in a `*.dead` one is for a person to see.
pub(crate) fn depth(queue: &str, messages: u32) {
    gauge!("pulsemon_bus_queue_messages", "queue" => queue.to_owned()).set(f64::from(messages));
}
