//! Tells schedulers that an extra probe waits. The row is the truth: a nudge that is lost costs a second.

use bus::{Outgoing, Publisher, Route};
use models::id::ServiceId;
use models::message::ProbeRequest;
use runtime::Shutdown;
use tokio::sync::mpsc;

/// Nudges that wait for the broker; above it they are dropped, and the scheduler's sweep finds the rows.
const MAX_WAITING: usize = 256;

/// Never waits, never fails.
#[derive(Debug, Clone)]
pub(crate) struct Nudges(mpsc::Sender<ServiceId>);

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
        if self.0.try_send(service).is_err() {
            metrics::counter!("pulsemon_api_nudges_dropped_total").increment(1);
        }
    }
}

async fn publish(publisher: Publisher, mut waiting: mpsc::Receiver<ServiceId>, shutdown: Shutdown) {
    let mut services = Vec::with_capacity(MAX_WAITING);
    loop {
        services.clear();
        tokio::select! {
            () = shutdown.requested() => return,
            count = waiting.recv_many(&mut services, MAX_WAITING) => if count == 0 { return },
        }
        let messages: Vec<Outgoing> = services
            .iter()
            .filter_map(|service_id| {
                let request = ProbeRequest {
                    service_id: *service_id,
                };
                Outgoing::json(Route::ProbeRequests, service_id, &request).ok()
            })
            .collect();
        if let Err(error) = publisher.publish(messages).await {
            metrics::counter!("pulsemon_api_nudges_dropped_total").increment(1);
            tracing::debug!(%error, "could not nudge the scheduler; its sweep will find the rows");
        }
    }
}
