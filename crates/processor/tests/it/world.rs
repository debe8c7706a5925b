//! A database, a vhost, services in them, and as many processors as a test wants.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};

use bus::{Bus, Outgoing, Route};
use chrono::TimeDelta;
use models::DEFAULT_REGION;
use models::Time;
use models::id::ServiceId;
use models::message::{MAX_BATCH_ITEMS, ProbeJob, ResultBatch};
use models::probe::{ErrorKind, Outcome, Phases, ProbeError, ProbeKind, ProbeResult, probe_id};
use models::signature::{Keys, Proof};
use models::window::hour_of;
use processor::Config;
use runtime::env::OpsConfig;
use runtime::{Clock, ClockShift, Shutdown, Trigger};
use secrecy::ExposeSecret as _;
use testkit::{TestDb, TestVhost, eventually};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Signs the jobs of all results under test.
pub(crate) const KEY: &str = "a key for tests only of thirty-two bytes or more";
/// The queue that a processor consumes.
pub(crate) const QUEUE: &str = "probe-results.v1";

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) vhost: TestVhost,
    pub(crate) bus: Bus,
    pub(crate) shift: ClockShift,
    settings: Vec<(&'static str, String)>,
    /// One session for all questions: opening one costs more than a hundred of them.
    session: Mutex<tokio_postgres::Client>,
    running: Vec<(Trigger, JoinHandle<anyhow::Result<()>>)>,
    ops: Vec<OpsConfig>,
    /// First moment of the present hour: open as long as the test takes.
    pub(crate) start: Time,
    /// When the world was made.
    pub(crate) now: Time,
}

/// Free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let (db, vhost) = tokio::join!(TestDb::new(), TestVhost::new());
        let bus = vhost.bus().await;
        let now = db::time::measure(db.db()).await.unwrap().server_now;
        Self {
            session: Mutex::new(db.client().await),
            db,
            vhost,
            bus,
            shift: ClockShift::new(),
            settings: Vec::new(),
            running: Vec::new(),
            ops: Vec::new(),
            start: hour_of(now),
            now,
        }
    }

    /// With one processor, and a setting of its own.
    pub(crate) async fn with(name: &'static str, value: &str) -> Self {
        let mut world = Self::new().await;
        world.settings.push((name, value.to_owned()));
        world.start_processors(1);
        world
    }

    /// With so many processors.
    pub(crate) async fn running(processors: usize) -> Self {
        let mut world = Self::new().await;
        world.start_processors(processors);
        world
    }

    pub(crate) fn start_processors(&mut self, count: usize) {
        for _ in 0..count {
            let (shutdown, trigger) = Shutdown::manual();
            let clock = Clock::with_shift(self.shift.clone());
            let mut config = self.config();
            config.ops.listen = free_port();
            self.ops.push(config.ops);
            let run = processor::run(config, clock, shutdown);
            self.running.push((trigger, tokio::spawn(run)));
        }
    }

    /// What the `/readyz` of a processor says: `ready`, or why not.
    pub(crate) async fn readiness(&self, processor: usize) -> String {
        let answer = runtime::process::ready(self.ops[processor]).await;
        answer.map_or_else(|error| error.to_string(), |()| "ready".to_owned())
    }

    fn config(&self) -> Config {
        let mut vars: HashMap<&str, String> = HashMap::from([
            ("DATABASE_URL", self.db.url().expose_secret().to_owned()),
            ("AMQP_URL", self.vhost.amqp_url().expose_secret().to_owned()),
            ("JOB_SIGNING_KEY", KEY.to_owned()),
        ]);
        vars.extend(self.settings.iter().cloned());
        Config::from_env(&vars).unwrap()
    }

    /// Stops all processors; what they had taken and not committed is back in the queue.
    pub(crate) async fn stop_processors(&mut self) {
        let running = std::mem::take(&mut self.running);
        for (trigger, _) in &running {
            trigger.shut_down();
        }
        for (_, task) in running {
            task.await.unwrap().unwrap();
        }
    }

    /// Returns once every message published so far was handled and committed: each processor takes
    /// its messages in their order, and the broker hands them out in turn, so all are done when
    /// these later ones are.
    pub(crate) async fn flush(&self) {
        let witness = self.service().await;
        let turns = i64::try_from(self.running.len()).unwrap() * 5;
        for turn in 0..turns {
            self.publish(&[witness.slot(turn * 10, Outcome::Up)]).await;
        }
        let seen = format!(
            "SELECT count(*) FROM probe_results WHERE service_id = '{}'",
            witness.id
        );
        self.becomes(&seen, turns).await;
        // Health first, as everybody locks: a sweeper may be at it.
        let forget = format!(
            "SELECT 1 FROM health WHERE service_id = '{id}' FOR UPDATE; \
             DELETE FROM services WHERE id = '{id}'",
            id = witness.id
        );
        self.execute(&forget).await;
        let forget = format!(
            "DELETE FROM probe_results WHERE service_id = '{}'",
            witness.id
        );
        self.execute(&forget).await;
    }

    /// An active service of a user of its own, due every ten seconds since long ago.
    pub(crate) async fn service(&self) -> Service {
        self.service_with("interval_ms = 10000").await
    }

    /// A service whose row is changed by `set`, the body of an UPDATE.
    pub(crate) async fn service_with(&self, set: &str) -> Service {
        let id = Uuid::new_v4();
        let since = (self.start - TimeDelta::days(2)).to_rfc3339();
        self
            .execute(&format!(
                "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at)
                 VALUES ('{id}', 'Owner@{id}.example', 'owner@{id}.example', 'x', '{since}', '{since}');
                 INSERT INTO services (id, user_id, name, url, interval_ms, phase_ms, shard,
                     timeout_ms, expected_status, sla_target, ssl_expiry_days, follow_redirects,
                     is_active, config_version, created_at, updated_at)
                 VALUES ('{id}', '{id}', 'shop', 'https://shop.example/', 10000, 0, 0, 5000, 200,
                     1, 30, true, true, 1, '{since}', '{since}');
                 UPDATE services SET {set} WHERE id = '{id}';
                 INSERT INTO service_spans SELECT id, 1, interval_ms, phase_ms, regions, '{since}', NULL
                     FROM services WHERE id = '{id}';
                 INSERT INTO health (service_id, region, streak_since)
                     VALUES ('{id}', 'default', '{since}');
                 INSERT INTO service_state (service_id, status) VALUES ('{id}', 'unknown');"
            ))
            .await;
        Service {
            id: ServiceId(id),
            start: self.start,
        }
    }

    pub(crate) async fn publish(&self, results: &[ProbeResult]) {
        for chunk in results.chunks(MAX_BATCH_ITEMS) {
            let batch = ResultBatch {
                results: chunk.iter().map(signed).collect(),
            };
            self.publish_body(serde_json::to_vec(&batch).unwrap()).await;
        }
    }

    pub(crate) async fn publish_body(&self, body: Vec<u8>) {
        let message = Outgoing::bytes(Route::ProbeResults, Uuid::new_v4(), body).unwrap();
        let outcome = self.bus.publisher().publish_one(message).await.unwrap();
        assert!(outcome.is_stored(), "{outcome:?}");
    }

    /// Publishes and returns once there are so many rows in all.
    pub(crate) async fn take(&self, results: &[ProbeResult], rows: i64) {
        self.publish(results).await;
        self.rows(rows).await;
    }

    /// Returns once there are so many results.
    pub(crate) async fn rows(&self, rows: i64) {
        self.becomes("SELECT count(*) FROM probe_results", rows)
            .await;
    }

    /// Returns once the only value of `sql` is `expected`.
    pub(crate) async fn becomes(&self, sql: &str, expected: i64) {
        eventually(|| async {
            let found = self.count(sql).await;
            if found == expected {
                Ok(())
            } else {
                Err(format!("{found} and not {expected}: {sql}"))
            }
        })
        .await;
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.value(sql).await
    }

    pub(crate) async fn is(&self, sql: &str) -> bool {
        self.value(sql).await
    }

    async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let row = self.session().await.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let done = self.session().await.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The session; a new one where a test has ended them all, which a client learns when it asks.
    async fn session(&self) -> MutexGuard<'_, tokio_postgres::Client> {
        let mut session = self.session.lock().await;
        if session.is_closed() || session.batch_execute("").await.is_err() {
            *session = self.db.client().await;
        }
        session
    }

    /// The only text of `sql`, the parts of a row joined by the query itself.
    pub(crate) async fn text(&self, sql: &str) -> String {
        self.value(sql).await
    }

    /// Each alert with its status and that of its delivery, in order.
    pub(crate) async fn alerts(&self) -> String {
        self.text(
            "SELECT coalesce(string_agg(a.alert_type || ' ' || coalesce(d.status, 'undelivered'), ', '
                 ORDER BY a.created_at), '')
             FROM alerts a LEFT JOIN deliveries d ON d.alert_id = a.id",
        )
        .await
    }

    pub(crate) async fn status(&self) -> String {
        self.text("SELECT status FROM service_state").await
    }

    pub(crate) async fn streak(&self) -> i64 {
        self.count("SELECT streak::bigint FROM health").await
    }
}

/// The result as the one of a job that a scheduler signed, unless a test has said of which.
pub(crate) fn signed(result: &ProbeResult) -> ProbeResult {
    let mut result = result.clone();
    let keys = Keys::new(KEY.as_bytes(), None).unwrap();
    result.proof = result.proof.or_else(|| Proof::of(&job(&result, &keys)));
    result
}

/// The job that led to a result.
pub(crate) fn job(result: &ProbeResult, keys: &Keys) -> ProbeJob {
    let mut job = ProbeJob {
        probe_id: result.probe_id,
        service_id: result.service_id,
        user_id: result.service_id.as_uuid().into(),
        kind: result.kind,
        region: result.region.clone(),
        scheduled_at: result.scheduled_at,
        not_after: result.scheduled_at,
        config_version: result.config_version,
        url: String::from("https://shop.example/"),
        timeout_ms: 5_000,
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: None,
        answers: result.answers.clone(),
        signature: None,
    };
    job.signature = Some(keys.sign(&job));
    job
}

/// A service that results are made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    start: Time,
}

impl Service {
    /// What was found `seconds` after the world's start.
    pub(crate) fn found(&self, kind: ProbeKind, seconds: i64, outcome: Outcome) -> ProbeResult {
        let scheduled_at = self.start + TimeDelta::seconds(seconds);
        let version = 1;
        ProbeResult {
            probe_id: probe_id(self.id, DEFAULT_REGION, kind, scheduled_at, version),
            service_id: self.id,
            kind,
            region: DEFAULT_REGION.to_owned(),
            scheduled_at,
            config_version: version,
            checked_at: scheduled_at,
            outcome,
            status_code: Some(200),
            latency_us: (outcome == Outcome::Up).then_some(20_000),
            phases: Phases::default(),
            hops: 1,
            error: (outcome != Outcome::Up).then(|| ProbeError {
                kind: ErrorKind::ConnectRefused,
                message: format!("refused after {seconds} s"),
            }),
            certificate: None,
            prober: String::from("prober-1"),
            answers: None,
            second_prober: None,
            proof: None,
        }
    }

    pub(crate) fn slot(&self, seconds: i64, outcome: Outcome) -> ProbeResult {
        self.found(ProbeKind::Slot, seconds, outcome)
    }

    /// Slots ten seconds apart, the first after ten.
    pub(crate) fn slots(&self, outcomes: &[Outcome]) -> Vec<ProbeResult> {
        (1..)
            .zip(outcomes)
            .map(|(n, outcome)| self.slot(n * 10, *outcome))
            .collect()
    }
}
