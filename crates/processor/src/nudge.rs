//! Tells the alerters that there is something to send, and the schedulers that a second opinion is
//! wanted. Best effort: their sweeps find every row.

use std::time::Duration;

use bus::{Bus, Outgoing, Route};
use models::id::{AlertId, ServiceId};
use models::message::{AlertNudge, ProbeRequest};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Nudges waiting for the broker; what does not fit is left to the sweeps.
const WAITING: usize = 1000;
/// Nudges published at once.
const AT_ONCE: usize = 100;
/// After so many the sweeps have seen the rows.
const ATTEMPTS: usize = 2;
/// How long a nudge waits for a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(3);

/// Whom to tell of what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Nudge {
    /// The alerters, of an alert.
    Alert(Uuid),
    /// The schedulers, of a service's extra probe.
    Probe(Uuid),
}

/// Takes what to nudge for and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Nudger {
    nudges: mpsc::Sender<Nudge>,
}

impl Nudger {
    /// There are deliveries of these alerts.
    pub(crate) fn nudge(&self, alerts: &[Uuid]) {
        self.send(alerts.iter().copied().map(Nudge::Alert));
    }

    /// There are rows in `extra_probes` of these services.
    pub(crate) fn nudge_schedulers(&self, services: &[Uuid]) {
        self.send(services.iter().copied().map(Nudge::Probe));
    }

    fn send(&self, nudges: impl Iterator<Item = Nudge>) {
        for nudge in nudges {
            if self.nudges.try_send(nudge).is_err() {
                metrics::counter!("pulsemon_processor_nudges_dropped_total").increment(1);
            }
        }
    }
}

/// The two ends of the queue of nudges.
pub(crate) fn queue() -> (Nudger, mpsc::Receiver<Nudge>) {
    let (nudges, waiting) = mpsc::channel(WAITING);
    (Nudger { nudges }, waiting)
}

/// Publishes nudges until everyone who could nudge has ended.
pub(crate) async fn publish(bus: Bus, mut waiting: mpsc::Receiver<Nudge>) {
    let publisher = bus.publisher();
    let mut nudges = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut nudges, AT_ONCE).await > 0 {
        let messages: Vec<Outgoing> = nudges.drain(..).filter_map(message).collect();
        for _ in 0..ATTEMPTS {
            // A connection may be on its way up, or on its way back.
            drop(tokio::time::timeout(CONNECTED_WITHIN, bus.connected()).await);
            match publisher.publish(messages.clone()).await {
                Ok(_) => break,
                Err(error) => tracing::debug!(%error, "nobody is nudged"),
            }
        }
    }
}

fn message(nudge: Nudge) -> Option<Outgoing> {
    let message = match nudge {
        Nudge::Alert(alert) => {
            let alert_id = AlertId(alert);
            Outgoing::json(
                Route::Alerts,
                alert,
                &AlertNudge {
                    alert_id,
                    lane: None,
                },
            )
        }
        Nudge::Probe(service) => {
            let service_id = ServiceId(service);
            Outgoing::json(Route::ProbeRequests, service, &ProbeRequest { service_id })
        }
    };
    message
        .inspect_err(|error| tracing::warn!(%error, "a nudge cannot be encoded"))
        .ok()
}
