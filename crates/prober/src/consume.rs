//! From a batch of jobs to results on their way: what is read, what is refused, what is run.

use std::sync::{Arc, Mutex, PoisonError};

use bus::{Delivery, Subscription};
use chrono::TimeDelta;
use models::message::{BadItem, JobBatch, ProbeJob};
use models::probe::ProbeResult;
use runtime::{Clock, Shutdown};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::aim::Aimed;
use crate::avoid;
use crate::gate::{self, Gate};
use crate::lane;
use crate::ledger::Ledger;
use crate::metric::ProbeMetrics;
use crate::offset::OffsetLearner;
use crate::pace::History;
use crate::probe::Engine;
use crate::recall;
use crate::selfcheck::SelfCheck;

/// Longest timeout that the API accepts.
const MAX_TIMEOUT_MS: u32 = 60_000;
/// A job further ahead of its own publication than this is not one of a scheduler's: its lead is seconds, and it would
/// hold its batch for as long.
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// What every job needs.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) gate: Arc<Gate>,
    pub(crate) ledger: Arc<Ledger<Delivery>>,
    pub(crate) clock: Clock,
    pub(crate) shutdown: Shutdown,
    pub(crate) prober: String,
    pub(crate) offset: Mutex<OffsetLearner>,
    pub(crate) selfcheck: Arc<SelfCheck>,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: ProbeMetrics,
    /// Batches held at one time, as long as slow targets do not hold most of them.
    pub(crate) prefetch: u16,
}

/// Takes batches until asked to stop. Then batches that wait are left where they are: they go back to the queue when
/// the connection closes. Returns when all that had begun has ended.
pub(crate) async fn run(
    worker: Arc<Worker>,
    jobs: &mut Subscription,
    results: mpsc::Sender<Arc<ProbeResult>>,
) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    tasks.spawn(lane::open(worker.clone(), results.clone(), tasks.clone()));
    let shutdown = worker.shutdown.clone();
    let mut standing = worker.selfcheck.standing();
    let mut prefetch = worker.prefetch;
    let mut ended = Ok(());
    loop {
        let delivery = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            () = results.closed() => {
                ended = Err(anyhow::anyhow!("nobody sends results any more"));
                break;
            }
            // The sender lives in `worker`.
            Ok(()) = standing.changed() => {
                for delivery in worker.heed_self_check(jobs).await {
                    worker.clone().take(delivery, &results, &tasks);
                }
                continue;
            }
            delivery = jobs.next() => delivery,
        };
        match delivery {
            Some(delivery) => {
                worker.clone().take(delivery, &results, &tasks);
                worker.widen(&mut prefetch, jobs);
            }
            None => {
                ended = Err(anyhow::anyhow!("the broker's client has ended"));
                break;
            }
        }
    }
    worker.gate.close();
    jobs.pause(); // and keep it: what has begun is acknowledged on its channel
    tasks.close();
    tasks.wait().await;
    ended
}

impl Worker {
    /// Reads one batch and sets its jobs going.
    fn take(
        self: Arc<Self>,
        mut delivery: Delivery,
        results: &mpsc::Sender<Arc<ProbeResult>>,
        tasks: &TaskTracker,
    ) {
        let (published_at, decoded) = match JobBatch::decode(&delivery.body) {
            Ok(batch) => batch,
            Err(error) => {
                tasks.spawn(bury(delivery, error.to_string()));
                return;
            }
        };
        if !delivery.redelivered {
            self.learn_offset(published_at);
        }
        let mut bad = decoded.bad;
        let mut jobs = decoded.items;
        jobs.retain(|job| match check(job, published_at) {
            Ok(()) => true,
            Err(reason) => {
                let raw = serde_json::to_vec(job).unwrap_or_default();
                bad.push(BadItem { raw, reason });
                false
            }
        });
        let policy = &self.engine.policy;
        let jobs: Vec<_> = jobs
            .into_iter()
            .map(|job| Aimed::new(job, policy))
            .collect();
        self.selfcheck.note(&jobs);
        if self.should_return(&delivery, &jobs) {
            tasks.spawn(recall::hand_back(vec![delivery]));
            return;
        }
        if bad.is_empty() {
            delivery.body = Vec::new(); // jobs that wait hold their batch: not also its text
            self.start(delivery, jobs, results, tasks);
            return;
        }
        let (results, inner_tasks) = (results.clone(), tasks.clone());
        tasks.spawn(async move {
            if let Some(delivery) = bury_parts(delivery, bad).await {
                self.start(delivery, jobs, &results, &inner_tasks);
            }
        });
    }

    fn start(
        self: Arc<Self>,
        delivery: Delivery,
        jobs: Vec<Aimed>,
        results: &mpsc::Sender<Arc<ProbeResult>>,
        tasks: &TaskTracker,
    ) {
        let handed_back = delivery.delivery_count;
        if avoid::hands_back(&jobs, &self.prober, handed_back, self.clock.now()) {
            tasks.spawn(avoid::hand_back(delivery, self.shutdown.clone()));
            return;
        }
        let admitted = self.ledger.admit(delivery, jobs, self.clock.now());
        self.gate.enter(admitted.run, admitted.ticket);
        if !admitted.resend.is_empty() {
            let results = results.clone();
            tasks.spawn(async move {
                for result in admitted.resend {
                    lane::report(&results, result).await;
                }
            });
        }
        if let Some(empty) = admitted.done {
            tasks.spawn(empty.ack());
        }
    }

    /// Takes more batches at one time when most of those held wait for slow targets only.
    fn widen(&self, prefetch: &mut u16, jobs: &Subscription) {
        let open = self.ledger.open();
        if let Some(wider) = gate::widened(*prefetch, open, self.gate.has_room()) {
            tracing::info!(
                prefetch = wider,
                open,
                "slow targets hold most batches: taking more"
            );
            *prefetch = wider;
            jobs.set_prefetch(wider);
        }
    }

    fn learn_offset(&self, published_at: models::Time) {
        let delay = self.clock.local_now() - published_at;
        let (shift, is_busy) = (
            self.clock.shift(),
            self.ledger.open() >= usize::from(self.prefetch / 2),
        );
        let mut learner = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learned) = learner.learn(delay, Instant::now(), shift, is_busy) {
            self.clock.set_offset(learned.offset);
            if learned.jumped {
                tracing::warn!(offset = %learned.offset, "the clock jumped");
                self.selfcheck.clock_jumped();
            }
            #[expect(
                clippy::as_conversions,
                reason = "a gauge is a float; precision does not matter"
            )]
            metrics::gauge!("pulsemon_prober_clock_offset_ms")
                .set(learned.offset.num_milliseconds() as f64);
        }
    }
}

/// What a job must hold before anything is done for it. The URL is judged by the probe.
fn check(job: &ProbeJob, published_at: models::Time) -> Result<(), String> {
    if !(1..=MAX_TIMEOUT_MS).contains(&job.timeout_ms) {
        return Err(format!(
            "timeout_ms {} is not within 1..={MAX_TIMEOUT_MS}",
            job.timeout_ms
        ));
    }
    if !(100..=599).contains(&job.expected_status) {
        return Err(format!(
            "expected_status {} is not within 100..=599",
            job.expected_status
        ));
    }
    if job.not_after < job.scheduled_at {
        return Err("not_after lies before scheduled_at".to_owned());
    }
    if job.scheduled_at - published_at > MAX_AHEAD {
        return Err("scheduled_at lies more than ten minutes after published_at".to_owned());
    }
    Ok(())
}

async fn bury(delivery: Delivery, reason: String) {
    if let Err(error) = delivery.bury(&reason).await {
        tracing::error!(%error, "a batch that can't be read went back to its queue");
    }
}

/// Buries what can't be read; gives the batch back when that is safe, so that the rest can go on.
async fn bury_parts(delivery: Delivery, bad: Vec<BadItem>) -> Option<Delivery> {
    for item in bad {
        if let Err(error) = delivery.bury_part(item.raw, &item.reason).await {
            tracing::error!(%error, "a job that can't be read went back to its queue with its batch");
            delivery.reject_requeue().await;
            return None;
        }
    }
    Some(delivery)
}

#[cfg(test)]
pub(crate) mod tests {
    use models::id::{ProbeId, ServiceId, UserId};
    use models::probe::ProbeKind;

    use super::*;

    pub(crate) fn job() -> ProbeJob {
        let due = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        ProbeJob {
            probe_id: ProbeId::from(uuid::Uuid::from_u128(3)),
            service_id: ServiceId::from(uuid::Uuid::from_u128(1)),
            user_id: UserId::from(uuid::Uuid::from_u128(2)),
            kind: ProbeKind::Slot,
            region: "default".into(),
            scheduled_at: due,
            not_after: due + TimeDelta::seconds(5),
            config_version: 1,
            url: "https://example.com/".into(),
            timeout_ms: 1000,
            expected_status: 200,
            follow_redirects: true,
            avoid_prober: None,
            answers: None,
            signature: None,
        }
    }

    #[test]
    fn a_job_outside_its_bounds_is_named() {
        let published_at = job().scheduled_at - TimeDelta::seconds(2);
        let said = |change: fn(&mut ProbeJob)| {
            let mut job = job();
            change(&mut job);
            check(&job, published_at).err()
        };
        assert_eq!(said(|_| {}), None);
        assert!(
            said(|job| job.timeout_ms = 0)
                .unwrap()
                .contains("timeout_ms")
        );
        assert!(
            said(|job| job.timeout_ms = 60_001)
                .unwrap()
                .contains("timeout_ms")
        );
        for job in [
            said(|job| job.expected_status = 99),
            said(|job| job.expected_status = 600),
        ] {
            assert!(job.unwrap().contains("expected_status"));
        }
        assert_eq!(said(|job| job.expected_status = 599), None);
        assert_eq!(said(|job| job.timeout_ms = 60_000), None);
        assert!(
            said(|job| job.not_after = job.scheduled_at - TimeDelta::seconds(1))
                .unwrap()
                .contains("not_after")
        );
        let far = said(|job| {
            job.scheduled_at += TimeDelta::days(1);
            job.not_after = job.scheduled_at;
        });
        assert!(far.unwrap().contains("scheduled_at"));
    }
}
