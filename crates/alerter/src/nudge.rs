//! Nudges from the broker: there is something to send. The rows say what.

use std::sync::Arc;

use bus::{Bus, Route};
use models::message::{AlertNudge, NudgedLane};
use runtime::Shutdown;
use tokio::sync::Notify;

/// A nudge is settled as soon as it is read; a few at a time are plenty.
const PREFETCH: u16 = 100;

/// Wakes the lane that a nudge is for, until asked to stop.
pub(crate) async fn listen(
    bus: Bus,
    wake: Arc<Notify>,
    account_wake: Arc<Notify>,
    shutdown: Shutdown,
) {
    let mut nudges = bus.subscribe(Route::Alerts, PREFETCH);
    loop {
        let delivery = tokio::select! {
            () = shutdown.requested() => return,
            delivery = nudges.next() => delivery,
        };
        let Some(delivery) = delivery else {
            return; // the bus was closed
        };
        match bus::decode::<AlertNudge>(&delivery) {
            Ok(nudge) => {
                tracing::debug!(alert.id = %nudge.alert_id, "nudged");
                match nudge.lane {
                    Some(NudgedLane::Account) => account_wake.notify_one(),
                    Some(NudgedLane::Other) | None => wake.notify_one(),
                }
                delivery.ack().await;
            }
            Err(error) => {
                tracing::warn!(%error, "a nudge that cannot be read goes to the dead queue");
                if let Err(error) = delivery.bury(&error.to_string()).await {
                    tracing::warn!(%error, "it went back to its queue instead");
                }
            }
        }
    }
}
