//! `kill -9` of any one process in the middle loses nothing and repeats no mail.

use std::net::{SocketAddr, TcpListener};

use serde_json::json;
use testkit::{FakeResend, FakeTarget, Step, TestDb, TestVhost, eventually, eventually::within};
use tokio::time::Duration;

use crate::programs::Program;
use crate::stack::{Plan, ready, settings};
use crate::tenant::Tenant;

/// An alerter that was killed while it sent keeps its lease of 60 s.
const LEASE_RUNS_OUT: Duration = Duration::from_secs(90);

/// Two copies of each process, as programs.
struct Machines {
    db: TestDb,
    _vhost: TestVhost,
    resend: FakeResend,
    api: SocketAddr,
    programs: Vec<(&'static str, Program)>,
}

impl Machines {
    async fn start(copies: &[(&'static str, usize)]) -> Self {
        let (db, vhost) = tokio::join!(TestDb::new(), TestVhost::new());
        let resend = FakeResend::start().await;
        let mut settings = settings(
            &db,
            &vhost,
            &resend,
            &Plan::default().with("SLA_MIN_CHECKS", 100_000),
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
            _vhost: vhost,
            resend,
            api,
            programs,
        }
    }

    /// Waits until so many mails went out.
    async fn mails(&self, wanted: usize) {
        within(LEASE_RUNS_OUT, async || {
            let sent = self.resend.accepted().len();
            let rows = "SELECT coalesce(string_agg(concat_ws(' ', a.alert_type, d.status, d.attempts, d.last_error), ', '), '') \
                          FROM alerts a LEFT JOIN deliveries d ON d.alert_id = a.id";
            if sent == wanted { Ok(()) } else { Err((sent, self.db.value::<String>(rows).await)) }
        })
        .await;
    }

    /// Kills the first copy of `name` and starts it again.
    fn kill_one(&mut self, name: &str) {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_any_one_process_loses_no_result_and_no_alert_and_repeats_no_mail() {
    let copies = [
        ("api", 1),
        ("scheduler", 2),
        ("prober", 2),
        ("processor", 2),
        ("alerter", 2),
    ];
    let mut machines = Machines::start(&copies).await;
    let target = FakeTarget::http().await;
    let tenant = Tenant::register(machines.api).await;
    let mut ids = Vec::new();
    for path in ["/steady", "/ailing"] {
        let service = json!({"name": path, "url": target.url(path), "interval": "5s"});
        ids.push(tenant.watch(service).await);
    }
    let [steady, ailing] = [ids[0].clone(), ids[1].clone()];
    let slots = async |db: &TestDb, id: &str| {
        let sql =
            format!("SELECT count(*) FROM probe_results WHERE service_id = '{id}' AND kind = 0");
        db.value::<i64>(&sql).await
    };
    eventually(async || slots(&machines.db, &steady).await > 0).await;

    // The ailing one fails, recovers and fails while one process after the other dies.
    target.at("/ailing", Step::status(500));
    for victim in ["scheduler", "prober", "processor", "alerter", "api"] {
        machines.kill_one(victim);
        let seen = slots(&machines.db, &steady).await;
        within(Duration::from_secs(30), async || {
            slots(&machines.db, &steady).await > seen
        })
        .await;
    }
    machines.mails(1).await;
    target.at("/ailing", Step::status(200));
    for victim in ["processor", "alerter"] {
        machines.kill_one(victim);
    }
    machines.mails(2).await;

    // Every slot from first to last has its one result.
    for id in [&steady, &ailing] {
        let holes = format!(
            "SELECT count(*) FROM (SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY scheduled_at) AS gap \
               FROM probe_results WHERE service_id = '{id}' AND kind = 0) g WHERE gap <> '5s'"
        );
        assert_eq!(
            machines.db.value::<i64>(&holes).await,
            0,
            "a slot was lost or doubled"
        );
        // What was counted is what is there.
        let counted = format!(
            "SELECT (h.judged + coalesce((SELECT sum(judged) FROM rollup_hourly r WHERE r.service_id = h.service_id), 0) \
                     - (SELECT count(*) FROM probe_results p WHERE p.service_id = h.service_id AND counted \
                        AND NOT voided AND outcome <> 2))::bigint \
               FROM health h WHERE h.service_id = '{id}'"
        );
        assert_eq!(
            machines.db.value::<i64>(&counted).await,
            0,
            "counters and rows disagree"
        );
    }
    // One incident, one mail for its begin and one for its end, each accepted under one key.
    let incidents = format!("SELECT count(*) FROM incidents WHERE service_id = '{ailing}'");
    assert_eq!(machines.db.value::<i64>(&incidents).await, 1);
    assert_eq!(machines.resend.subjects_to(&tenant.email).len(), 2);
    assert_eq!(machines.resend.accepted().len(), 2);
}
