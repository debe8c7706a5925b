//! The whole process over a real broker: jobs in, results out.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Outgoing, Route, Subscription};
use chrono::TimeDelta;
use guard::AllowRule;
use models::message::{JobBatch, ProbeJob, ResultBatch};
use models::probe::{Answers, ErrorKind, Outcome, ProbeKind, ProbeResult, probe_id};
use models::signature::Proof;
use prober::Config;
use runtime::env::{BrokerConfig, OpsConfig};
use runtime::{Clock, Shutdown, Trigger};
use testkit::dns::Family;
use testkit::{FakeDns, Reply, TestVhost, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::support::authority::{Authority, Leaf};
use crate::support::job;
use crate::support::target::{OK, Target, read_head};

/// A vhost, a prober in it, and a bus that plays scheduler and processor.
pub(crate) struct Stage {
    pub(crate) vhost: TestVhost,
    bus: Bus,
    results: Subscription,
    clock: Clock,
    trigger: Trigger,
    prober: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// What a prober may configure, write and read in production: it declares nothing.
pub(crate) const PROBER_RIGHTS: (&str, &str, &str) =
    ("^$", r"^pulsemon\.(results|dead)$", r"^probe-jobs\.");

fn config(amqp_url: secrecy::SecretString) -> Config {
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

    async fn send_body(&self, body: Vec<u8>) {
        let message = Outgoing::bytes(Route::jobs("default"), "test", body).unwrap();
        let outcome = self.bus.publisher().publish_one(message).await.unwrap();
        assert!(outcome.is_stored());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_becomes_a_result_at_its_moment_and_its_batch_is_gone() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    let soon = stage.job(&target, 1, 300);
    let late = {
        let mut job = stage.job(&target, 2, -60_000);
        job.not_after = stage.clock.now() - TimeDelta::seconds(1);
        job
    };
    stage.send(vec![late, soon.clone()]).await;
    let found = stage.results(1).await;
    assert_eq!(found[0].probe_id, soon.probe_id);
    assert_eq!(found[0].outcome, Outcome::Up);
    assert_eq!(found[0].config_version, 1);
    // The clocks are the same here; a learned offset of a few milliseconds may remain.
    assert!(
        found[0].checked_at >= soon.scheduled_at - TimeDelta::milliseconds(250),
        "not before its moment"
    );
    assert!(found[0].prober.starts_with("default-"));
    assert_eq!(target.connections(), 1, "the stale job was not run");
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_read_is_buried_with_its_reason_and_its_neighbours_go_on() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    stage.send_body(b"not json".to_vec()).await;
    let mut batch = serde_json::to_value(JobBatch {
        published_at: stage.clock.now(),
        jobs: vec![
            stage.job(&target, 1, 0),
            stage.job(&target, 2, 0),
            stage.job(&target, 3, 0),
        ],
    })
    .unwrap();
    batch["jobs"][0]["url"] = 7.into();
    batch["jobs"][1]["timeout_ms"] = 0.into();
    stage.send_body(serde_json::to_vec(&batch).unwrap()).await;
    let found = stage.results(1).await;
    assert_eq!(
        (found[0].config_version, found[0].outcome),
        (3, Outcome::Up)
    );
    let mut reasons = Vec::new();
    while reasons.len() < 3 {
        let dead = stage.vhost.take("probe-jobs.dead", 10).await;
        reasons.extend(
            dead.iter()
                .map(|letter| letter.header("x-pulsemon-reason").to_owned()),
        );
    }
    let all = reasons.join("\n");
    for part in ["not a batch", "expected a string", "timeout_ms 0"] {
        assert!(all.contains(part), "{part} in {all}");
    }
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_in_flight_and_leaves_what_has_not_begun() {
    let mut stage = Stage::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    stage.send(vec![stage.job(&target, 2, 20_000)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    // Both batches are in the prober's hands.
    stage.waiting(0).await;
    stage.trigger.shut_down();
    gate.add_permits(10);
    let found = stage.results(1).await;
    assert_eq!(found[0].config_version, 1);
    stage.stop_leaving(1).await;
    assert_eq!(
        target.connections(),
        1,
        "the second job is another prober's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_authority_that_the_operator_trusts_is_good() {
    let authority = Authority::new();
    let leaf = Leaf {
        from_days: -900,
        to_days: 900,
        ..Leaf::default()
    };
    let target = Target::tls(authority.server(&leaf)).await;
    let roots = vec![authority.root.clone()];
    let mut stage = Stage::with(|config| config.extra_roots = roots).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.outcome, Outcome::Up, "{:?}", result.error);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_closes_is_blocked_though_it_is_opened_as_well() {
    let dns = FakeDns::start().await;
    for name in ["a.closed.example", "open.example"] {
        dns.name(name, [Reply::addresses(["127.0.0.1"])]);
    }
    let mut stage = Stage::with(|config| {
        config.name_server = Some(dns.addr());
        config.deny_names = vec!["closed.example".to_owned()];
        config.deny = vec!["127.0.0.3/32".parse().unwrap()];
    })
    .await;
    let target = Target::answering(OK).await;
    let jobs = (1..).zip(["a.closed.example", "127.0.0.3", "open.example"]);
    let jobs = jobs.map(|(n, host)| {
        let mut job = stage.job(&target, n, 0);
        job.url = format!("http://{host}:{}/", target.addr.port());
        job
    });
    stage.send(jobs.collect()).await;
    let mut found = stage.results(3).await;
    found.sort_by_key(|result| result.config_version);
    let kinds = found
        .iter()
        .map(|result| result.error.as_ref().map(|error| error.kind));
    let blocked = Some(ErrorKind::BlockedDestination);
    assert_eq!(kinds.collect::<Vec<_>>(), [blocked, blocked, None]);
    assert_eq!(dns.questions("a.closed.example", Family::V4), 0);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_avoided_prober_hands_a_confirm_back_three_times_and_then_runs_it_itself() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    let prober = stage.results(1).await.remove(0).prober;
    let mut confirm = stage.job(&target, 2, 0);
    confirm.kind = ProbeKind::Confirm;
    confirm.avoid_prober = Some(prober.clone());
    confirm.answers = Some(Answers {
        kind: ProbeKind::Slot,
        scheduled_at: confirm.scheduled_at - TimeDelta::seconds(1),
    });
    confirm.signature = Some("AAECAwQFBgcICQoLDA0ODw".to_owned().try_into().unwrap());
    stage.send(vec![confirm.clone()]).await;
    let own = stage.results(1).await.remove(0);
    assert_eq!(
        (&own.answers, own.proof),
        (&confirm.answers, Proof::of(&confirm)),
        "what the processor goes by"
    );
    assert_eq!(
        (own.outcome, own.second_prober),
        (Outcome::Up, Some(false)),
        "it says whose opinion it is"
    );
    assert_eq!(own.prober, prober);
    let waited = own.checked_at - confirm.scheduled_at;
    assert!(waited >= TimeDelta::milliseconds(3 * 200), "{waited}");
    // One that is to avoid another is run at once, and so is one in company.
    let mut confirm = stage.job(&target, 3, 0);
    confirm.avoid_prober = Some("another".to_owned());
    let mut avoided = stage.job(&target, 4, 0);
    avoided.avoid_prober = Some(prober);
    stage.send(vec![confirm, avoided]).await;
    let mut seconds: Vec<_> = stage.results(2).await;
    seconds.sort_by_key(|result| result.config_version);
    let seconds: Vec<_> = seconds.iter().map(|result| result.second_prober).collect();
    assert_eq!(seconds, [Some(true), Some(false)]);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_what_waits_for_a_place() {
    let mut stage = Stage::with(|config| config.pool_size = 1).await;
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    stage.send(vec![stage.job(&target, 2, 0)]).await;
    stage.waiting(0).await;
    stage.trigger.shut_down();
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].config_version, 1);
    stage.stop_leaving(1).await;
    assert_eq!(target.connections(), 1, "its place came too late");
}

/// One job holds the only place of a limit; another one's freshness ends while it waits for it.
async fn second_place(stage: &mut Stage) -> (Arc<Semaphore>, Target, ProbeJob) {
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    let mut waiting = stage.job(&target, 2, 0);
    waiting.not_after = waiting.scheduled_at + TimeDelta::milliseconds(400);
    stage.send(vec![waiting.clone()]).await;
    (gate, target, waiting)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_of_his_tenant_in_time_is_stale_and_other_tenants_are_not_held_up() {
    let mut stage = Stage::with(|config| config.per_tenant = 1).await;
    let (gate, target, waiting) = second_place(&mut stage).await;
    let mut others = stage.job(&target, 3, 0);
    others.user_id = uuid::Uuid::from_u128(7).into();
    stage.send(vec![others]).await;
    eventually(|| async { target.connections() == 2 }).await;
    eventually(|| async { stage.clock.now() > waiting.not_after }).await;
    gate.add_permits(10);
    let mut found: Vec<i32> = stage
        .results(2)
        .await
        .iter()
        .map(|r| r.config_version)
        .collect();
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
    stage.stop_leaving(0).await;
    assert_eq!(target.connections(), 2, "the stale one was not run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_at_his_address_in_time_is_nobody_s_failure() {
    let mut stage = Stage::with(|config| config.per_address = 1).await;
    let (gate, target, waiting) = second_place(&mut stage).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.probe_id, waiting.probe_id);
    assert_eq!(result.outcome, Outcome::Inconclusive, "{result:?}");
    assert_eq!(target.connections(), 1);
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_acknowledged_only_when_its_result_is_safe() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    // Nobody consumes results, so nobody makes their queue again.
    stage.results = stage.bus.subscribe(Route::Alerts, 1);
    stage.vhost.delete_queue("probe-results.v1").await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    stage.results = stage.bus.subscribe(Route::ProbeResults, 100);
    assert_eq!(stage.results(1).await[0].config_version, 1);
    assert_eq!(target.connections(), 1);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_comes_again_after_a_lost_connection_is_not_probed_again() {
    let mut stage = Stage::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let (quick, slow) = (Target::answering(OK).await, held(gate.clone()).await);
    stage
        .send(vec![stage.job(&quick, 1, 0), stage.job(&slow, 2, 0)])
        .await;
    assert_eq!(stage.results(1).await[0].config_version, 1);
    eventually(|| async { slow.connections() == 1 }).await;
    // Two of the prober and two of the test; the broker lists them a few seconds late.
    eventually(|| async { stage.vhost.close_connections().await >= 4 }).await;
    assert_eq!(stage.results(1).await[0].config_version, 1, "sent again");
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].config_version, 2);
    assert_eq!((quick.connections(), slow.connections()), (1, 1));
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prober_whose_queue_is_absent_is_not_ready_and_says_which() {
    let vhost = TestVhost::new().await;
    let (configure, write, read) = PROBER_RIGHTS;
    let mut config = config(vhost.restricted_url(configure, write, read).await);
    // Free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.ops.listen = listener.local_addr().unwrap();
    drop(listener);
    let ops = config.ops;
    let (shutdown, trigger) = Shutdown::manual();
    let prober = tokio::spawn(prober::run(config, Clock::system(), shutdown));
    eventually(async || match runtime::process::ready(ops).await {
        Err(error) if error.to_string().contains("NOT_FOUND") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let bus = vhost.bus().await;
    eventually(async || runtime::process::ready(ops).await).await;
    vhost.delete_queue("probe-jobs.v1.default").await;
    eventually(async || runtime::process::ready(ops).await.is_err()).await;
    trigger.shut_down();
    prober.await.unwrap().unwrap();
    bus.close().await;
}
