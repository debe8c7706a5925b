//! The whole process with a broker of its own, and who plays scheduler and processor for it.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Outgoing, Route, Subscription};
use chrono::TimeDelta;
use guard::AllowRule;
use models::message::{JobBatch, ProbeJob, ResultBatch};
use models::probe::{ProbeKind, ProbeResult, probe_id};
use prober::Config;
use runtime::env::{BrokerConfig, OpsConfig};
use runtime::{Clock, Shutdown, Trigger};
use testkit::{TestVhost, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use super::job;
use super::target::{OK, Target, read_head};

/// A vhost, a prober in it, and a bus that plays scheduler and processor.
pub(crate) struct Stage {
    pub(crate) vhost: TestVhost,
    pub(crate) bus: Bus,
    pub(crate) results: Subscription,
    pub(crate) clock: Clock,
    pub(crate) trigger: Trigger,
    prober: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// What a prober may configure, write and read in production: it declares nothing.
pub(crate) const PROBER_RIGHTS: (&str, &str, &str) =
    ("^$", r"^pulsemon\.(results|dead)$", r"^probe-jobs\.");

pub(crate) fn config(amqp_url: secrecy::SecretString) -> Config {
    Config {
        broker: BrokerConfig {
            amqp_url,
            ca_file: None,
        },
        ops: OpsConfig::any_free_port(),
        region: "default".into(),
        pool_size: 100,
        per_tenant: 50,
        per_address: 50,
        allow: AllowRule::parse_list("127.0.0.0/8").unwrap(),
        deny: vec![],
        deny_names: vec![],
        extra_roots: vec![],
        user_agent: "Pulsemon/0.1".into(),
        self_check_urls: vec![],
        name_server: None,
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With other settings than the usual ones.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let vhost = TestVhost::new().await;
        let (configure, write, read) = PROBER_RIGHTS;
        let amqp_url = vhost.restricted_url(configure, write, read).await;
        let mut stage = Self::without_prober(vhost).await;
        let mut config = config(amqp_url);
        change(&mut config);
        let (shutdown, trigger) = Shutdown::manual();
        stage.prober = tokio::spawn(prober::run(config, stage.clock.clone(), shutdown));
        stage.trigger = trigger;
        stage
    }

    /// Without a prober in this program.
    pub(crate) async fn without_prober(vhost: TestVhost) -> Self {
        let bus = vhost.bus().await;
        let results = bus.subscribe(Route::ProbeResults, 100);
        let (_shutdown, trigger) = Shutdown::manual();
        Self {
            vhost,
            bus,
            results,
            clock: Clock::system(),
            trigger,
            prober: tokio::spawn(async { Ok(()) }),
        }
    }

    /// A job that is due `in_ms` from now; `n` tells it from others.
    pub(crate) fn job(&self, target: &Target, n: i32, in_ms: i64) -> ProbeJob {
        let mut job = job(&target.url("/"));
        // As the database stores it.
        let now = self.clock.now();
        let due = now + TimeDelta::milliseconds(in_ms)
            - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()) % 1_000_000);
        job.scheduled_at = due;
        job.not_after = due + TimeDelta::seconds(30);
        job.config_version = n;
        job.timeout_ms = 10_000;
        job.probe_id = probe_id(job.service_id, "default", ProbeKind::Slot, due, n);
        job
    }

    pub(crate) async fn send(&self, jobs: Vec<ProbeJob>) {
        self.send_later(TimeDelta::zero(), jobs).await;
    }

    /// Sends as a scheduler does whose clock is so far ahead.
    pub(crate) async fn send_later(&self, ahead: TimeDelta, jobs: Vec<ProbeJob>) {
        let batch = JobBatch {
            published_at: self.clock.now() + ahead,
            jobs,
        };
        self.send_body(serde_json::to_vec(&batch).unwrap()).await;
    }

    pub(crate) async fn send_body(&self, body: Vec<u8>) {
        let message = Outgoing::bytes(Route::jobs("default"), "test", body).unwrap();
        // A test may have cut the connection a moment ago.
        eventually(|| async {
            let outcome = self.bus.publisher().publish_one(message.clone()).await;
            outcome.is_ok_and(|outcome| outcome.is_stored())
        })
        .await;
    }

    /// The next result that arrives, in whatever batch.
    pub(crate) async fn results(&mut self, count: usize) -> Vec<ProbeResult> {
        let mut found = Vec::new();
        while found.len() < count {
            let delivery = tokio::time::timeout(Duration::from_secs(15), self.results.next());
            let delivery = delivery
                .await
                .expect("a result in time")
                .expect("an open bus");
            let batch: ResultBatch = bus::decode(&delivery).unwrap();
            found.extend(batch.results);
            delivery.ack().await;
        }
        found
    }

    /// Stops the prober, whatever it leaves.
    pub(crate) async fn stop(mut self) {
        self.trigger.shut_down();
        (&mut self.prober).await.unwrap().unwrap();
    }

    /// Stops the prober, which must leave so many batches in the queue.
    pub(crate) async fn stop_leaving(mut self, batches: u32) {
        self.trigger.shut_down();
        (&mut self.prober).await.unwrap().unwrap();
        // What was not acknowledged goes back a moment after its connection has ended.
        self.waiting(batches).await;
    }

    /// Takes the next batch off the queue, says how often it was returned to it, and returns it once more.
    pub(crate) async fn returned(&self) -> u32 {
        let mut jobs = self.bus.subscribe(Route::jobs("default"), 1);
        let delivery = tokio::time::timeout(Duration::from_secs(15), jobs.next());
        let delivery = delivery.await.expect("a batch").expect("an open bus");
        let count = delivery.delivery_count;
        delivery.reject_requeue().await;
        count
    }

    /// So many batches wait in the queue.
    pub(crate) async fn waiting(&self, batches: u32) {
        eventually(|| async {
            match self.bus.depth("probe-jobs.v1.default").await {
                Ok(depth) if depth == batches => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// A target that answers only once `gate` has a permit for it.
pub(crate) async fn held(gate: Arc<Semaphore>) -> Target {
    Target::raw(move |mut stream| {
        let gate = gate.clone();
        async move {
            read_head(&mut stream).await;
            gate.acquire().await.unwrap().forget();
            drop(stream.write_all(OK).await);
        }
    })
    .await
}
