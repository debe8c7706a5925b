//! Tells schedulers that an extra probe waits, and alerters that a mail does. The row is the truth: a nudge that is
//! lost costs a second.

use bus::{Outgoing, Publisher, Route};
use models::id::{AlertId, DeliveryId, ServiceId};
use models::message::{AlertNudge, NudgedLane, ProbeRequest};
use runtime::Shutdown;
use tokio::sync::mpsc;

/// Nudges that wait for the broker; above it they are dropped, and sweeps find the rows.
const MAX_WAITING: usize = 256;

/// Never waits, never fails.
#[derive(Debug, Clone)]
pub(crate) struct Nudges(mpsc::Sender<Nudge>);

#[derive(Debug, Clone, Copy)]
enum Nudge {
    Probe(ServiceId),
    Mail(DeliveryId),
}

impl Nudges {
    /// The sender, and the task that publishes until `shutdown`.
    pub(crate) fn new(
        publisher: Publisher,
        shutdown: Shutdown,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        (Self(sender), publish(publisher, waiting, shutdown))
    }

    /// There is a row in `extra_probes` of this service.
    pub(crate) fn send(&self, service: ServiceId) {
        self.offer(Nudge::Probe(service));
    }

    /// There is account mail in `deliveries`.
    pub(crate) fn mail(&self, delivery: DeliveryId) {
        self.offer(Nudge::Mail(delivery));
    }

    fn offer(&self, nudge: Nudge) {
        if self.0.try_send(nudge).is_err() {
            metrics::counter!("pulsemon_api_nudges_dropped_total").increment(1);
        }
    }
}

async fn publish(publisher: Publisher, mut waiting: mpsc::Receiver<Nudge>, shutdown: Shutdown) {
    let mut nudges = Vec::with_capacity(MAX_WAITING);
    loop {
        nudges.clear();
        tokio::select! {
            () = shutdown.requested() => return,
            count = waiting.recv_many(&mut nudges, MAX_WAITING) => if count == 0 { return },
        }
        let messages = nudges.iter().filter_map(message).collect();
        if let Err(error) = publisher.publish(messages).await {
            metrics::counter!("pulsemon_api_nudges_dropped_total").increment(1);
            tracing::debug!(%error, "could not nudge; sweeps will find the rows");
        }
    }
}

fn message(nudge: &Nudge) -> Option<Outgoing> {
    let message = match *nudge {
        Nudge::Probe(service_id) => {
            let request = ProbeRequest { service_id };
            Outgoing::json(Route::ProbeRequests, service_id, &request)
        }
        Nudge::Mail(delivery) => {
            let nudge = AlertNudge {
                alert_id: AlertId(delivery.as_uuid()),
                lane: Some(NudgedLane::Account),
            };
            Outgoing::json(Route::Alerts, delivery, &nudge)
        }
    };
    message.ok()
}
