//! All five processes in one runtime, over a database and a vhost of the test's own.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};

use chrono::TimeDelta;
use http::Method;
use runtime::{Clock, ClockShift, Shutdown, Trigger};
use secrecy::ExposeSecret as _;
use testkit::eventually::within;
use testkit::{FakeResend, TestDb, TestVhost};
use tokio::task::JoinHandle;
use tokio::time::Duration;

use crate::client::send;
use crate::tenant::Tenant;

/// Programs start slowly where everything starts at once.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// How many copies of each process to run, and with which settings beyond the usual ones.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) schedulers: usize,
    pub(crate) probers: usize,
    pub(crate) processors: usize,
    pub(crate) alerters: usize,
    pub(crate) settings: Vec<(&'static str, String)>,
    /// What the first prober alone is told.
    pub(crate) odd_prober: Vec<(&'static str, String)>,
    /// SQL that makes the database what it is before anything starts.
    pub(crate) before: &'static str,
    /// Whom the probers ask for names; the system's name servers where `None`.
    pub(crate) name_server: Option<SocketAddr>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            schedulers: 1,
            probers: 1,
            processors: 1,
            alerters: 1,
            settings: Vec::new(),
            odd_prober: Vec::new(),
            before: "",
            name_server: None,
        }
    }
}

impl Plan {
    /// Over a database in which this SQL ran.
    pub(crate) fn prepared(mut self, sql: &'static str) -> Self {
        self.before = sql;
        self
    }

    /// With one more setting.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }
}

/// A running product. [`Stack::stop`] ends it in order and looks for what was left behind.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) db: TestDb,
    pub(crate) vhost: TestVhost,
    pub(crate) resend: FakeResend,
    pub(crate) api: SocketAddr,
    pub(crate) settings: HashMap<String, String>,
    shift: ClockShift,
    trigger: Trigger,
    processes: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Stack {
    /// One of each process.
    pub(crate) async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    /// As planned.
    pub(crate) async fn with(plan: Plan) -> Self {
        let (db, vhost) = tokio::join!(TestDb::new(), TestVhost::new());
        db.execute(plan.before).await;
        let resend = FakeResend::start().await;
        let settings = settings(&db, &vhost, &resend, &plan);
        let shift = ClockShift::new();
        let clock = || Clock::with_shift(shift.clone());
        let (shutdown, trigger) = Shutdown::manual();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let api = listener.local_addr().expect("an address");

        let config = api::Config::from_env(&settings).expect("valid settings of the api");
        let mut processes = vec![tokio::spawn(api::run_on(
            listener,
            config,
            clock(),
            shutdown.clone(),
        ))];
        for _ in 0..plan.schedulers {
            let config = scheduler::Config::from_env(&settings).expect("valid settings");
            processes.push(tokio::spawn(scheduler::run(
                config,
                clock(),
                shutdown.clone(),
            )));
        }
        for number in 0..plan.probers {
            let mut settings = settings.clone();
            let odd = plan.odd_prober.iter().filter(|_| number == 0);
            settings.extend(odd.map(|(name, value)| ((*name).to_owned(), value.clone())));
            let mut config = prober::Config::from_env(&settings).expect("valid settings");
            config.name_server = plan.name_server;
            processes.push(tokio::spawn(prober::run(config, clock(), shutdown.clone())));
        }
        for _ in 0..plan.processors {
            let config = processor::Config::from_env(&settings).expect("valid settings");
            processes.push(tokio::spawn(processor::run(
                config,
                clock(),
                shutdown.clone(),
            )));
        }
        for _ in 0..plan.alerters {
            let config = alerter::Config::from_env(&settings).expect("valid settings");
            processes.push(tokio::spawn(alerter::run(
                config,
                clock(),
                shutdown.clone(),
            )));
        }
        ready(api).await;
        Self {
            db,
            vhost,
            resend,
            api,
            settings,
            shift,
            trigger,
            processes,
        }
    }

    /// A new user, signed in.
    pub(crate) async fn tenant(&self) -> Tenant {
        Tenant::register(self.api).await
    }

    /// Moves the time of all processes forward.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.shift.advance(by);
    }

    /// Stops all processes as an operator would.
    ///
    /// # Panics
    /// When one fails, or a message was found unreadable on the way.
    pub(crate) async fn stop(self) {
        self.trigger.shut_down();
        for process in self.processes {
            process.await.expect("no panic").expect("a clean end");
        }
        for queue in ["probe-requests", "probe-jobs", "probe-results", "alerts"] {
            let dead = self.vhost.take(&format!("{queue}.dead"), 1).await;
            assert!(dead.is_empty(), "{queue}.dead holds {dead:?}");
        }
    }
}

/// Waits until the api says that it can answer.
pub(crate) async fn ready(api: SocketAddr) {
    within(STARTED_WITHIN, async || {
        send(api, Method::GET, "/readyz", None, None)
            .await
            .is_ok_and(|answer| answer.status == 200)
    })
    .await;
}

/// What an operator would put into the environment.
pub(crate) fn settings(
    db: &TestDb,
    vhost: &TestVhost,
    resend: &FakeResend,
    plan: &Plan,
) -> HashMap<String, String> {
    let mut settings = HashMap::new();
    let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
    set("APP_ENV", "test");
    set("DATABASE_URL", db.url().expose_secret());
    set("AMQP_URL", vhost.amqp_url().expose_secret());
    set("OPS_PORT", "0");
    set("OPS_BIND", "127.0.0.1");
    set(
        "JWT_SECRET",
        "a-secret-for-tests-only-of-48-characters-or-more",
    );
    set(
        "JOB_SIGNING_KEY",
        "another-secret-for-tests-only-of-48-characters",
    );
    set(
        "SECRETS_KEY",
        "a-third-secret-for-tests-only-of-48-characters-",
    );
    set("BCRYPT_COST", "4");
    for limit in [
        "RATE_LIMIT_AUTH_PER_MINUTE",
        "RATE_LIMIT_READS_PER_MINUTE",
        "RATE_LIMIT_WRITES_PER_MINUTE",
    ] {
        set(limit, "1000000");
    }
    set("MIN_INTERVAL_SECONDS", "1");
    set("PROBE_ALLOW_CIDRS", "127.0.0.0/8");
    set("RESEND_API_KEY", FakeResend::API_KEY);
    set("RESEND_FROM_EMAIL", "Pulsemon <alerts@pulsemon.example>");
    set("RESEND_BASE_URL", resend.url());
    set("APP_BASE_URL", "http://pulsemon.example");
    for (name, value) in &plan.settings {
        set(name, value);
    }
    settings
}
