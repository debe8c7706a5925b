//! What happens to jobs when this prober can't trust itself: what has not begun goes back to the queue once, for
//! another prober; what must stay here becomes inconclusive.

use std::sync::Arc;

use bus::{Delivery, Subscription};
use futures_util::future::join_all;
use models::message::ProbeJob;
use models::probe::ProbeResult;

use crate::aim::Aimed;
use crate::consume::Worker;
use crate::selfcheck::{State, Trouble};
use crate::trip::Finding;

/// A batch that came back from a prober before stays with the next one, however that one is: it must not wander until
/// the broker puts it among the dead.
const MAX_RETURNS: u32 = 1;

impl Worker {
    /// Stops taking jobs when the self-check fails, and takes them again when it holds. Returns batches that came in
    /// meanwhile and have to stay.
    pub(crate) async fn heed_self_check(&self, jobs: &mut Subscription) -> Vec<Delivery> {
        match (self.selfcheck.state(), jobs.is_paused()) {
            (State::Failing(trouble), false) => self.stand_down(trouble, jobs).await,
            (State::Well | State::Nameless, true) => {
                tracing::info!("the self-check holds again: taking jobs");
                jobs.resume();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    async fn stand_down(&self, trouble: Trouble, jobs: &mut Subscription) -> Vec<Delivery> {
        jobs.pause();
        // Given back any earlier, a batch would come here again.
        tokio::select! {
            () = self.shutdown.requested() => return Vec::new(),
            () = jobs.paused() => {}
        }
        let arrived = std::iter::from_fn(|| jobs.try_next());
        let (mut returned, stay): (Vec<_>, Vec<_>) = arrived.partition(may_return);
        returned.extend(self.ledger.hand_back(may_return));
        tracing::warn!(
            reason = trouble.as_str(),
            batches = returned.len(),
            "the self-check failed: taking no jobs, and what has not begun goes back"
        );
        hand_back(returned).await;
        stay
    }

    /// A batch that this prober should not begin now, and that may still be another's.
    pub(crate) fn should_return(&self, delivery: &Delivery, jobs: &[Aimed]) -> bool {
        // A failing prober gives all back at once, when its consumer is paused.
        self.selfcheck.state() == State::Nameless
            && may_return(delivery)
            && jobs.iter().any(|job| self.selfcheck.forbids(job))
    }

    /// The result of a probe that proves nothing, because this prober could not trust itself.
    pub(crate) fn untrusted(&self, job: &ProbeJob) -> Arc<ProbeResult> {
        metrics::counter!("pulsemon_prober_untrusted_results_total").increment(1);
        let finding = Finding::internal("its own network or clock failed its self-check");
        Arc::new(finding.into_result(job, self.clock.now(), &self.prober))
    }
}

fn may_return(delivery: &Delivery) -> bool {
    delivery.delivery_count < MAX_RETURNS
}

/// Back to the queue, counted.
pub(crate) async fn hand_back(deliveries: Vec<Delivery>) {
    let batches = u64::try_from(deliveries.len()).unwrap_or(u64::MAX);
    metrics::counter!("pulsemon_prober_returned_batches_total").increment(batches);
    join_all(deliveries.into_iter().map(Delivery::reject_requeue)).await;
}
