//! A database with services and alerts in it, a provider, and as many alerters as a test wants.

use std::collections::HashMap;
use std::time::Duration;

use alerter::Config;
use chrono::TimeDelta;
use models::Time;
use models::alert::{AlertEvent, AlertFacts, AlertService, FailedCheck};
use models::id::ServiceId;
use models::probe::{ErrorKind, Phases};
use runtime::{Clock, ClockShift, Shutdown, Trigger};
use secrecy::ExposeSecret as _;
use testkit::{FakeResend, TestDb, eventually};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Nobody listens there: an alerter works without a broker.
const NO_BROKER: &str = "amqp://u:p@127.0.0.1:1/none";

/// Tokens in mailed links follow from it.
pub(crate) const SECRETS_KEY: &str = "a-key-of-these-tests-that-is-long-enough";

/// Tests have no second to wait.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) resend: FakeResend,
    pub(crate) shift: ClockShift,
    clock: Clock,
}

#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) id: Uuid,
    pub(crate) user: Uuid,
}

impl Service {
    pub(crate) fn owner(&self) -> String {
        format!("owner-{}@example.test", self.user.simple())
    }
}

/// An alert as the processor raises it.
pub(crate) struct Raise {
    pub(crate) service: Service,
    pub(crate) name: String,
    pub(crate) event: AlertEvent,
    pub(crate) dedupe_key: String,
    pub(crate) incident: Option<Uuid>,
    pub(crate) held_until: Option<Time>,
    pub(crate) follows: Option<Uuid>,
}

pub(crate) struct Running {
    trigger: Trigger,
    task: JoinHandle<anyhow::Result<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(TestDb::new().await).await
    }

    pub(crate) async fn with(db: TestDb) -> Self {
        let shift = ClockShift::new();
        Self {
            db,
            resend: FakeResend::start().await,
            clock: Clock::with_shift(shift.clone()),
            shift,
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// The environment of an alerter that sends through the fake Resend.
    pub(crate) fn env(&self) -> HashMap<String, String> {
        let mut env = self.env_without_mail();
        env.insert("RESEND_API_KEY".into(), FakeResend::API_KEY.into());
        env.insert("RESEND_BASE_URL".into(), self.resend.url().into());
        env.insert(
            "RESEND_FROM_EMAIL".into(),
            "Pulsemon <alerts@example.test>".into(),
        );
        env
    }

    pub(crate) fn env_without_mail(&self) -> HashMap<String, String> {
        let url = self.db.url().expose_secret().to_owned();
        HashMap::from([
            ("DATABASE_URL".into(), url),
            ("AMQP_URL".into(), NO_BROKER.into()),
            ("OPS_PORT".into(), "0".into()),
            ("OPS_BIND".into(), "127.0.0.1".into()),
            ("FRONTEND_URL".into(), "https://pulsemon.test".into()),
            ("SECRETS_KEY".into(), SECRETS_KEY.into()),
        ])
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(&self.env())
    }

    pub(crate) fn start_with(&self, env: &HashMap<String, String>) -> Running {
        let mut config = Config::from_env(env).expect("a valid environment");
        config.sweep_every = SWEEP_EVERY;
        let (shutdown, trigger) = Shutdown::manual();
        let clock = Clock::with_shift(self.shift.clone());
        let task = tokio::spawn(alerter::run(config, clock, shutdown));
        Running { trigger, task }
    }

    /// An active service of an owner of its own, of which nothing is known yet.
    pub(crate) async fn service(&self) -> Service {
        let service = Service {
            id: Uuid::now_v7(),
            user: Uuid::now_v7(),
        };
        let (id, user, owner, now) = (service.id, service.user, service.owner(), self.now());
        self.db
            .execute(&format!(
                "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
                 VALUES ('{user}', '{owner}', '{owner}', 'x', '{now}', '{now}'); \
                 INSERT INTO services (id, user_id, name, url, interval_ms, phase_ms, shard, \
                     timeout_ms, expected_status, sla_target, ssl_expiry_days, follow_redirects, \
                     is_active, config_version, created_at, updated_at) \
                 VALUES ('{id}', '{user}', 'Shop', 'https://shop.test/', 60000, 0, 0, 10000, 200, \
                     9990, 30, true, true, 1, '{now}', '{now}'); \
                 INSERT INTO service_state (service_id, status) VALUES ('{id}', 'up')"
            ))
            .await;
        service
    }

    /// An incident that is open, as the service's state says.
    pub(crate) async fn open_incident(&self, service: Service) -> Uuid {
        let incident = Uuid::now_v7();
        let Service { id, user } = service;
        let began = self.now() - TimeDelta::minutes(3);
        self.db
            .execute(&format!(
                "INSERT INTO incidents (id, service_id, user_id, started_at, cause, \
                     cause_message, failed_checks, last_failure_at) \
                 VALUES ('{incident}', '{id}', '{user}', '{began}', 'status_mismatch', \
                     'expected 200, got 503', 3, '{began}'); \
                 UPDATE service_state SET status = 'down', incident_id = '{incident}' \
                 WHERE service_id = '{id}'"
            ))
            .await;
        incident
    }

    pub(crate) async fn close_incident(&self, service: Service) {
        let (id, now) = (service.id, self.now());
        self.db
            .execute(&format!(
                "UPDATE incidents SET ended_at = '{now}', end_reason = 'recovered' \
                 WHERE service_id = '{id}' AND ended_at IS NULL; \
                 UPDATE service_state SET status = 'up', incident_id = NULL \
                 WHERE service_id = '{id}'"
            ))
            .await;
    }

    /// Returns the delivery to the owner.
    pub(crate) async fn raise(&self, raise: Raise) -> Uuid {
        let (alert, delivery) = (Uuid::now_v7(), Uuid::now_v7());
        let Service { id, user } = raise.service;
        let facts = AlertFacts {
            service: AlertService {
                id: ServiceId(id),
                name: raise.name,
                url: "https://shop.test/".into(),
            },
            event: raise.event,
        };
        let facts = serde_json::to_value(&facts).unwrap();
        let (kind, now) = (facts["event"].as_str().unwrap(), self.now());
        let text = facts.to_string().replace('\'', "''");
        let status = raise.held_until.map_or("pending", |_| "held");
        let incident = literal(raise.incident);
        let follows = literal(raise.follows);
        let held_until = literal(raise.held_until);
        let (key, owner) = (raise.dedupe_key, raise.service.owner());
        self.db
            .execute(&format!(
                "INSERT INTO alerts (id, service_id, user_id, alert_type, dedupe_key, \
                     incident_id, message, facts, held_until, created_at) \
                 VALUES ('{alert}', '{id}', '{user}', '{kind}', '{key}', {incident}, 'said', \
                     '{text}', {held_until}, '{now}'); \
                 INSERT INTO deliveries (id, lane, alert_id, user_id, service_id, channel, \
                     recipient, status, follows, next_attempt_at, created_at) \
                 VALUES ('{delivery}', 'alert', '{alert}', '{user}', '{id}', 'email', '{owner}', \
                     '{status}', {follows}, '{now}', '{now}')"
            ))
            .await;
        delivery
    }

    /// A failure that is sent at once, of a service of its own.
    pub(crate) async fn failure(&self) -> (Service, Uuid) {
        let service = self.service().await;
        let delivery = self.raise(Raise::failure(service)).await;
        (service, delivery)
    }

    pub(crate) async fn status(&self, delivery: Uuid) -> String {
        self.column("status", delivery).await
    }

    /// A column of a delivery, as text; empty where it is NULL.
    pub(crate) async fn column(&self, name: &str, delivery: Uuid) -> String {
        let sql =
            format!("SELECT coalesce({name}::text, '') FROM deliveries WHERE id = '{delivery}'");
        self.db.value(&sql).await
    }

    pub(crate) async fn until(&self, delivery: Uuid, status: &str) {
        eventually(async || {
            let is = self.status(delivery).await;
            if is == status { Ok(()) } else { Err(is) }
        })
        .await;
    }

    /// Until no attempt is under way; whatever came of it may have happened already.
    pub(crate) async fn until_rested(&self, delivery: Uuid) {
        eventually(async || self.status(delivery).await != "sending").await;
    }

    pub(crate) async fn until_requests(&self, count: usize) {
        eventually(async || self.resend.requests().len() >= count).await;
    }

    pub(crate) fn move_time(&self, by: TimeDelta) {
        self.shift.advance(by);
    }
}

impl Raise {
    pub(crate) fn new(service: Service, event: AlertEvent) -> Self {
        Self {
            service,
            name: "Shop".into(),
            event,
            dedupe_key: Uuid::now_v7().to_string(),
            incident: None,
            held_until: None,
            follows: None,
        }
    }

    pub(crate) fn failure(service: Service) -> Self {
        Self::new(service, failure())
    }

    pub(crate) fn recovery(service: Service, follows: Uuid) -> Self {
        Self {
            follows: Some(follows),
            ..Self::new(service, recovery())
        }
    }

    /// Of this incident, as rows name it.
    pub(crate) fn of(self, incident: Uuid) -> Self {
        Self {
            incident: Some(incident),
            dedupe_key: incident.to_string(),
            ..self
        }
    }
}

impl Running {
    pub(crate) fn ask_to_stop(&self) {
        self.trigger.shut_down();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Asks, and waits for the end.
    pub(crate) async fn stop(self) {
        self.trigger.shut_down();
        self.task.await.expect("no panic").expect("a clean end");
    }

    /// As `kill -9` ends it.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }
}

fn literal(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("NULL".into(), |value| format!("'{value}'"))
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

pub(crate) fn failure() -> AlertEvent {
    AlertEvent::FailureStreak {
        started_at: at("2026-01-31T12:00:00Z"),
        failed_checks: 3,
        last: FailedCheck {
            at: at("2026-01-31T12:02:00Z"),
            kind: ErrorKind::StatusMismatch,
            message: "expected 200, got 503 Service Unavailable".into(),
            status_code: Some(503),
            phases: Phases::default(),
        },
        last_success_at: None,
    }
}

pub(crate) fn recovery() -> AlertEvent {
    AlertEvent::Recovery {
        started_at: at("2026-01-31T12:00:00Z"),
        ended_at: at("2026-01-31T12:12:00Z"),
        failed_checks: 12,
        cause: ErrorKind::StatusMismatch,
        cause_message: "expected 200, got 503 Service Unavailable".to_owned(),
        latency_us: Some(84_200),
    }
}
