//! A database, a vhost, services in it, and any number of schedulers on a clock that can be moved.

use std::sync::atomic::{AtomicU32, Ordering};

use bus::{Bus, Route, Subscription};
use chrono::{DateTime, SubsecRound as _, TimeDelta};
use models::Time;
use models::id::ServiceId;
use models::interval::Interval;
use models::message::{JobBatch, ProbeJob};
use models::probe::probe_id;
use models::slot::{self, Slots};
use runtime::env::{BrokerConfig, DatabaseConfig, KeyPair, OpsConfig};
use runtime::{Clock, ClockShift, Shutdown, Trigger};
use scheduler::Config;
use testkit::{TestDb, TestVhost, eventually};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Signs the jobs of all schedulers under test.
pub(crate) const KEY: &str = "a key for tests only of thirty-two bytes or more";
pub(crate) const JOBS: &str = "probe-jobs.v1.default";

pub(crate) struct Rig {
    pub(crate) db: TestDb,
    pub(crate) sql: tokio_postgres::Client,
    pub(crate) vhost: TestVhost,
    pub(crate) bus: Bus,
    pub(crate) shift: ClockShift,
    user: Uuid,
    services: AtomicU32,
}

/// A service as it stands in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    pub(crate) interval: Interval,
}

impl Service {
    pub(crate) fn slots(self) -> Slots {
        Slots::of(self.id, self.interval.ms())
    }
}

/// A scheduler under test; asked to stop when dropped.
pub(crate) struct Running {
    trigger: Trigger,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.trigger.shut_down();
        self.task.await.unwrap().unwrap();
    }
}

impl Rig {
    /// All cursors stand at the present.
    pub(crate) async fn new() -> Self {
        let (db, vhost) = tokio::join!(TestDb::new(), TestVhost::new());
        let bus = vhost.bus().await;
        let sql = db.client().await;
        let user = Uuid::now_v7();
        sql.batch_execute(&format!(
            "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
             VALUES ('{user}', 'a@b.test', 'a@b.test', '', now(), now())"
        ))
        .await
        .unwrap();
        let rig = Self {
            db,
            sql,
            vhost,
            bus,
            shift: ClockShift::new(),
            user,
            services: AtomicU32::new(0),
        };
        rig.set_cursors(rig.now().await).await;
        rig
    }

    /// Runs SQL; values stand in its text.
    pub(crate) async fn run(&self, sql: impl AsRef<str>) {
        let sql = sql.as_ref();
        let done = self.sql.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The times that `expression` has in the rows of `from`.
    async fn times(&self, expression: &str, from: &str) -> Vec<Time> {
        let sql = format!("SELECT (extract(epoch FROM {expression}) * 1000000)::bigint {from}");
        let rows = self.sql.query(&sql, &[]).await.unwrap();
        let micros = rows.iter().map(|row| row.get::<_, i64>(0));
        micros
            .map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
            .collect()
    }

    /// The database's time, moved; whole milliseconds, as slots are.
    pub(crate) async fn now(&self) -> Time {
        let now = self.times("clock_timestamp()", "").await[0] + self.shift.current();
        now.trunc_subsecs(3)
    }

    /// All slots of `services` after `after` that the cursors have passed.
    pub(crate) async fn passed(&self, services: &[Service], after: Time) -> Vec<Time> {
        let cursors = self.cursors().await;
        let mut slots: Vec<Time> = services
            .iter()
            .flat_map(|service| {
                let through = cursors[usize::from(slot::shard(service.id))];
                service.slots().in_window(after, through)
            })
            .collect();
        slots.sort_unstable();
        slots
    }

    /// Lets running schedulers work while time passes in these steps.
    pub(crate) async fn pass(&self, steps_ms: &[i64]) {
        for step in steps_ms {
            self.caught_up().await;
            self.shift.advance(TimeDelta::milliseconds(*step));
        }
        self.caught_up().await;
    }

    pub(crate) async fn set_cursors(&self, through: Time) {
        self.run(format!(
            "UPDATE schedule_cursor SET scheduled_through = '{}'",
            through.to_rfc3339()
        ))
        .await;
    }

    /// Where the cursors stand, by shard.
    pub(crate) async fn cursors(&self) -> Vec<Time> {
        self.times("scheduled_through", "FROM schedule_cursor ORDER BY shard")
            .await
    }

    pub(crate) async fn slowest_cursor(&self) -> Time {
        self.cursors().await.into_iter().min().unwrap()
    }

    /// Waits until all slots up to a second from now were looked at.
    pub(crate) async fn caught_up(&self) -> Time {
        eventually(async || {
            let slowest = self.slowest_cursor().await;
            (slowest >= self.now().await + TimeDelta::seconds(1)).then_some(slowest)
        })
        .await
    }

    /// An active service since `from`.
    pub(crate) async fn service(&self, interval: &str, from: Time) -> Service {
        let service = Service {
            id: ServiceId(Uuid::now_v7()),
            interval: interval.parse().unwrap(),
        };
        let number = self.services.fetch_add(1, Ordering::Relaxed);
        let (ms, phase) = ms_and_phase(service);
        self.run(format!(
            "INSERT INTO services (id, user_id, name, url, interval_ms, phase_ms, shard, \
                timeout_ms, expected_status, sla_target, ssl_expiry_days, follow_redirects, \
                is_active, config_version, created_at, updated_at) \
             VALUES ('{id}', '{user}', 'x', 'http://target.test/{number}', {ms}, {phase}, {shard}, \
                1000, 200, 9990, 30, true, true, 1, '{from}', '{from}')",
            id = service.id,
            user = self.user,
            shard = slot::shard(service.id),
            from = from.to_rfc3339(),
        ))
        .await;
        self.open_span(service, 1, from).await;
        service
    }

    pub(crate) async fn open_span(&self, service: Service, version: i32, from: Time) {
        let (ms, phase) = ms_and_phase(service);
        let (id, from) = (service.id, from.to_rfc3339());
        self.run(format!(
            "INSERT INTO service_spans (service_id, config_version, interval_ms, phase_ms, \
                regions, from_at) VALUES ('{id}', {version}, {ms}, {phase}, '{{default}}', '{from}')"
        ))
        .await;
    }

    pub(crate) async fn close_span(&self, service: Service, to: Time) {
        let (id, to) = (service.id, to.to_rfc3339());
        self.run(format!(
            "UPDATE service_spans SET to_at = greatest(from_at, '{to}') \
              WHERE service_id = '{id}' AND to_at IS NULL"
        ))
        .await;
    }

    /// Changes columns of one service.
    pub(crate) async fn set(&self, service: Service, what: &str) {
        let id = service.id;
        self.run(format!("UPDATE services SET {what} WHERE id = '{id}'"))
            .await;
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            database: DatabaseConfig::plain(self.db.url()),
            broker: BrokerConfig {
                amqp_url: self.vhost.amqp_url(),
                ca_file: None,
            },
            ops: OpsConfig::any_free_port(),
            regions: vec!["default".into()],
            retention_days: 30,
            history_days: 400,
            audit_days: 180,
            signing: KeyPair {
                current: KEY.into(),
                previous: None,
            },
        }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.config())
    }

    pub(crate) fn start_with(&self, config: Config) -> Running {
        let (shutdown, trigger) = Shutdown::manual();
        let clock = Clock::with_shift(self.shift.clone());
        let task = tokio::spawn(scheduler::run(config, clock, shutdown));
        Running { trigger, task }
    }

    /// What a prober would receive.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs(self.bus.subscribe(Route::jobs("default"), 500))
    }
}

fn ms_and_phase(service: Service) -> (u32, u32) {
    let ms = service.interval.ms();
    (ms, slot::phase_ms(service.id, ms))
}

/// The receiving end of the jobs queue.
pub(crate) struct Jobs(Subscription);

impl Jobs {
    /// Receives until `enough` of all jobs so far.
    pub(crate) async fn until(&mut self, enough: impl Fn(&[ProbeJob]) -> bool) -> Vec<ProbeJob> {
        let mut jobs = Vec::new();
        while !enough(&jobs) {
            let next = tokio::time::timeout(testkit::eventually::DEADLINE, self.0.next()).await;
            let Ok(Some(delivery)) = next else {
                panic!("not enough jobs: {} of {:#?}", jobs.len(), keys(&jobs));
            };
            let (_, batch) = JobBatch::decode(&delivery.body).unwrap();
            assert!(batch.bad.is_empty());
            jobs.extend(batch.items);
            delivery.ack().await;
        }
        jobs
    }

    /// Receives at least so many, and what else there is once they are here.
    pub(crate) async fn all(&mut self, expected: usize) -> Vec<ProbeJob> {
        let mut jobs = self.until(|jobs| jobs.len() >= expected).await;
        while let Some(delivery) = self.0.try_next() {
            let (_, batch) = JobBatch::decode(&delivery.body).unwrap();
            jobs.extend(batch.items);
            delivery.ack().await;
        }
        jobs
    }

    /// The same, as keys.
    pub(crate) async fn keys(&mut self, expected: usize) -> Vec<(ServiceId, Time, i32)> {
        keys(&self.all(expected).await)
    }
}

impl Jobs {
    /// Nothing waits in the queue or here; the broker's count may lag behind.
    pub(crate) async fn none_left(&mut self, rig: &Rig) {
        eventually(async || rig.bus.depth(JOBS).await.unwrap() == 0).await;
        assert!(self.0.try_next().is_none(), "one more message");
    }
}

/// Service, slot and version of each job, sorted.
pub(crate) fn keys(jobs: &[ProbeJob]) -> Vec<(ServiceId, Time, i32)> {
    let mut keys: Vec<_> = jobs
        .iter()
        .map(|job| {
            let id = probe_id(
                job.service_id,
                &job.region,
                job.kind,
                job.scheduled_at,
                job.config_version,
            );
            assert_eq!(job.probe_id, id);
            (job.service_id, job.scheduled_at, job.config_version)
        })
        .collect();
    keys.sort_unstable();
    keys
}
