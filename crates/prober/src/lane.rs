//! From a place at the gate to a result on its way. A lane runs one probe after the other, as long as somebody waits for
//! the place that it gives back: so there are as many lanes as probes run, and what one needs stays warm for the next.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use models::probe::{Outcome, ProbeResult};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::consume::Worker;
use crate::gate::{Place, Started, Turn, Waiting};
use crate::panics;
use crate::selfcheck::Watch;

/// Results on their way to the reporter.
type Results = mpsc::Sender<Arc<ProbeResult>>;

/// Opens a lane for whoever the gate lets in, until it closes.
pub(crate) async fn open(worker: Arc<Worker>, results: Results, tasks: TaskTracker) {
    while let Some(turn) = worker.gate.next().await {
        match turn {
            Turn::Go(first) => tasks.spawn(worker.clone().lane(first, results.clone())),
            Turn::Stale(waiting) => tasks.spawn(worker.clone().skip(waiting)),
        };
    }
}

impl Worker {
    async fn lane(self: Arc<Self>, first: Started, results: Results) {
        let mut watch = self.selfcheck.watch();
        let mut next = Some(first);
        while let Some(Started { waiting, place }) = next {
            next = self.run_job(&waiting, place, &results, &mut watch).await;
        }
    }

    /// A job that was too late when its turn came.
    async fn skip(self: Arc<Self>, waiting: Box<Waiting>) {
        if self.ledger.begin(waiting.job().probe_id, waiting.ticket) {
            metrics::counter!("pulsemon_prober_stale_jobs_total").increment(1);
            bus::ack_all(self.ledger.skipped(waiting.job().probe_id)).await;
        }
    }

    /// One job from its place to its result. Returns who has the place next, if it was given back so that it is known.
    async fn run_job(
        &self,
        waiting: &Waiting,
        place: Place,
        results: &Results,
        watch: &mut Watch,
    ) -> Option<Started> {
        if self.shutdown.is_requested() {
            return None; // not begun: its batch goes back, though the gate is not closed yet
        }
        if !self.ledger.begin(waiting.job().probe_id, waiting.ticket) {
            return place.pass_on(); // its batch went back
        }
        let (result, place) = self.judged_probe(waiting, place, watch).await;
        self.metrics.end(&result);
        self.ledger.found(&result);
        // Whoever has to wait keeps nobody from being probed meanwhile.
        match results.try_send(result) {
            Ok(()) => place.and_then(Place::pass_on),
            Err(TrySendError::Full(result) | TrySendError::Closed(result)) => {
                drop(place);
                report(results, result).await;
                None
            }
        }
    }

    /// A probe whose result this prober can vouch for, or else an inconclusive one. Its place is gone where that had to
    /// be waited for.
    async fn judged_probe(
        &self,
        waiting: &Waiting,
        place: Place,
        watch: &mut Watch,
    ) -> (Arc<ProbeResult>, Option<Place>) {
        let job = waiting.job();
        if self.selfcheck.forbids(&waiting.aimed) {
            return (self.untrusted(job), Some(place));
        }
        let begun = Instant::now();
        let probed = {
            // Pinned where it lies, and so on with what it consists of: else it would be copied with each step.
            let probing = pin!(self.probe(waiting, &place));
            watch.unless_failed(probing).await
        };
        let Some(result) = probed else {
            return (self.untrusted(job), Some(place));
        };
        let mut place = Some(place);
        let ran = (begun, Instant::now());
        let counts = {
            let mut judging = pin!(self.selfcheck.judge(&waiting.aimed, &result, ran));
            match poll!(&mut judging) {
                Poll::Ready(counts) => counts,
                Poll::Pending => {
                    drop(place.take());
                    judging.await
                }
            }
        };
        match counts {
            true => (result, place),
            false => (self.untrusted(job), place),
        }
    }

    async fn probe(&self, waiting: &Waiting, place: &Place) -> Arc<ProbeResult> {
        let job = waiting.job();
        let started_at = self.clock.now();
        let _in_flight = self.metrics.begin(job, started_at);
        let known = (waiting.tag, place.pace());
        let probing = pin!(self.engine.probe_known(&waiting.aimed, known, started_at));
        let finding = panics::caught(job, probing).await;
        let result = finding.into_result(job, started_at, &self.prober);
        if result.outcome != Outcome::Inconclusive {
            let took = Duration::from_micros(result.phases.total_us.into());
            self.history.took(waiting.tag, took);
        }
        Arc::new(result)
    }
}

/// Closed only when the reporter has given up at the drain deadline; the batch comes again then.
pub(crate) async fn report(results: &Results, result: Arc<ProbeResult>) {
    if results.send(result).await.is_err() {
        tracing::warn!("a result came after the deadline; its job will come again");
    }
}
