//! The product as programs that can be killed.

use std::net::{SocketAddr, TcpListener};

use testkit::{FakeResend, TestDb, TestVhost, eventually::within};
use tokio::time::Duration;

use crate::programs::Program;
use crate::stack::{Plan, ready, settings};

/// An alerter that was killed while it sent keeps its lease of 60 s.
const LEASE_RUNS_OUT: Duration = Duration::from_secs(90);

/// Two copies of each process, as programs.
pub(crate) struct Machines {
    pub(crate) db: TestDb,
    pub(crate) vhost: TestVhost,
    pub(crate) resend: FakeResend,
    pub(crate) api: SocketAddr,
    programs: Vec<(&'static str, Program)>,
}

/// Servers for tests forget the last moment's commits when they are killed, and no product could
/// keep its promises on that: a mail would go out twice, once by an alert that never was.
const KEEPS_COMMITS: &str = "DO $$ BEGIN \
    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database()); END $$";

impl Machines {
    pub(crate) async fn start(copies: &[(&'static str, usize)], plan: &Plan) -> Self {
        let (db, vhost) = tokio::join!(TestDb::new(), TestVhost::new());
        db.execute(KEEPS_COMMITS).await;
        let resend = FakeResend::start().await;
        let mut settings = settings(
            &db,
            &vhost,
            &resend,
            &plan.clone().with("SLA_MIN_CHECKS", 100_000),
        );
        let port = free_port();
        settings.insert("APP_PORT".to_owned(), port.to_string());
        settings.insert("APP_BIND".to_owned(), "127.0.0.1".to_owned());
        let programs = copies
            .iter()
            .flat_map(|&(name, copies)| std::iter::repeat_n(name, copies))
            .map(|name| (name, Program::start(name, &settings)))
            .collect();
        let api = SocketAddr::from(([127, 0, 0, 1], port));
        ready(api).await;
        Self {
            db,
            vhost,
            resend,
            api,
            programs,
        }
    }

    /// Waits until so many mails went out.
    pub(crate) async fn mails(&self, wanted: usize) {
        within(LEASE_RUNS_OUT, async || {
            let sent = self.resend.accepted().len();
            let rows = "SELECT coalesce(string_agg(concat_ws(' ', a.alert_type, d.status, d.attempts, d.last_error), ', '), '') \
                          FROM alerts a LEFT JOIN deliveries d ON d.alert_id = a.id";
            if sent == wanted { Ok(()) } else { Err((sent, self.db.value::<String>(rows).await)) }
        })
        .await;
    }

    /// Kills the first copy of `name` and starts it again.
    pub(crate) fn kill_one(&mut self, name: &str) {
        let found = self.programs.iter_mut().find(|program| program.0 == name);
        let (_, program) = found.expect("a program of this name");
        program.kill();
        program.restart();
    }
}

/// Nobody else takes it in the moment between: tests ask the system for ports, and it goes round.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
