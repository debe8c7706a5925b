//! Tells the alerters that there is something to send. Best effort: their sweep finds every row.

use std::time::Duration;

use bus::{Bus, Outgoing, Route};
use models::id::AlertId;
use models::message::AlertNudge;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Nudges waiting for the broker; what does not fit is left to the alerters' sweep.
const WAITING: usize = 1000;
/// Nudges published at once.
const AT_ONCE: usize = 100;
/// After so many the alerters' sweep has seen the alerts.
const ATTEMPTS: usize = 2;
/// How long a nudge waits for a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(3);

/// Takes alerts to nudge for and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Nudger {
    alerts: mpsc::Sender<Uuid>,
}

impl Nudger {
    pub(crate) fn nudge(&self, alerts: &[Uuid]) {
        for alert in alerts {
            if self.alerts.try_send(*alert).is_err() {
                metrics::counter!("pulsemon_processor_nudges_dropped_total").increment(1);
            }
        }
    }
}

/// The two ends of the queue of nudges.
pub(crate) fn queue() -> (Nudger, mpsc::Receiver<Uuid>) {
    let (alerts, waiting) = mpsc::channel(WAITING);
    (Nudger { alerts }, waiting)
}

/// Publishes nudges until everyone who could nudge has ended.
pub(crate) async fn publish(bus: Bus, mut waiting: mpsc::Receiver<Uuid>) {
    let publisher = bus.publisher();
    let mut alerts = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut alerts, AT_ONCE).await > 0 {
        let messages: Vec<Outgoing> = alerts.drain(..).filter_map(message).collect();
        for _ in 0..ATTEMPTS {
            // A connection may be on its way up, or on its way back.
            drop(tokio::time::timeout(CONNECTED_WITHIN, bus.connected()).await);
            match publisher.publish(messages.clone()).await {
                Ok(_) => break,
                Err(error) => tracing::debug!(%error, "alerters are not nudged"),
            }
        }
    }
}

fn message(alert: Uuid) -> Option<Outgoing> {
    let nudge = AlertNudge {
        alert_id: AlertId(alert),
        lane: None,
    };
    Outgoing::json(Route::Alerts, alert, &nudge)
        .inspect_err(|error| tracing::warn!(%error, "a nudge cannot be encoded"))
        .ok()
}
