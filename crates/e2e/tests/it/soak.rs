//! The long test: everything that can die is killed in turn, and afterwards every slot is accounted
//! for and every mail went out once.
//!
//! It kills servers, so it runs alone and against servers that `cargo xtask test --long` started
//! for it and starts again; without them it says so and ends.

use std::process::Command;

use runtime::env::{ProcessEnv, Vars as _};
use serde_json::json;
use testkit::eventually::within;
use testkit::{FakeTarget, Step, TestDb};
use tokio::time::Duration;

use crate::machines::Machines;
use crate::stack::Plan;
use crate::tenant::Tenant;

/// Says whose servers these are.
const KILLS: &str = "PULSEMON_TEST_KILLS";
const STEADY: usize = 200;
/// A server that was killed is started again, and everybody finds it. RabbitMQ alone takes more than
/// a minute where something else compiles.
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// What a fault may cost: slots due this long before it (on their way) and after its end (caught up
/// with, and stale by then).
const BEFORE_SECONDS: u32 = 10;
const AFTER_SECONDS: u32 = 15;

/// What dies, in turn.
const VICTIMS: [&str; 6] = [
    "scheduler",
    "prober",
    "processor",
    "alerter",
    "rabbitmq",
    "postgres",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_slot_is_accounted_for_and_every_mail_is_sent_once_whatever_is_killed() {
    if ProcessEnv.var(KILLS).is_none() {
        eprintln!("skipped: it kills servers; `cargo xtask test --long` runs it against its own");
        return;
    }
    let copies = [
        ("api", 1),
        ("scheduler", 2),
        ("prober", 2),
        ("processor", 2),
        ("alerter", 2),
    ];
    let plan = Plan::default()
        .with("SERVICE_QUOTA", 2 * STEADY)
        .with("RATE_LIMIT_WRITES_PER_MINUTE", 10_000);
    let mut machines = Machines::start(&copies, &plan).await;
    let target = FakeTarget::http().await;
    let tenant = Tenant::register(machines.api).await;
    let mut steady = Vec::new();
    for n in 0..STEADY {
        let path = format!("/steady/{n}");
        let service = json!({"name": path, "url": target.url(&path), "interval": "10s"});
        steady.push(tenant.watch(service).await);
    }
    let mut ailing = Vec::new();
    for victim in VICTIMS {
        let path = format!("/ailing/{victim}");
        let service = json!({"name": path, "url": target.url(&path), "interval": "2s"});
        ailing.push(tenant.watch(service).await);
    }
    within(BACK_WITHIN, async || {
        let probed = "SELECT count(DISTINCT service_id) FROM probe_results WHERE kind = 0";
        let probed = machines.db.value::<i64>(probed).await;
        let wanted = i64::try_from(steady.len() + ailing.len()).unwrap();
        if probed == wanted {
            Ok(())
        } else {
            Err(probed)
        }
    })
    .await;

    let mut mails = 0;
    for victim in VICTIMS {
        let path = format!("/ailing/{victim}");
        let from = now(&machines.db).await;
        target.at(&path, Step::status(500));
        kill(&mut machines, victim).await;
        flows_again(&machines.db).await;
        let to = now(&machines.db).await;
        note_fault(&machines.db, victim, &from, &to).await;
        machines.mails(mails + 1).await;
        target.at(&path, Step::status(200));
        machines.mails(mails + 2).await;
        mails += 2;
    }
    reconcile(&machines, &tenant, mails).await;
}

async fn kill(machines: &mut Machines, victim: &str) {
    match victim {
        "rabbitmq" => {
            let pid = machines.vhost.broker_pid().await;
            kill_9(pid.expect("a broker of our own"));
        }
        "postgres" => {
            // One that dies like this takes all sessions with it: the server recovers from its log.
            let any = "SELECT pid FROM pg_stat_activity \
                        WHERE application_name = 'pulsemon-processor' LIMIT 1";
            let pid = machines.db.value::<i32>(any).await;
            kill_9(pid.try_into().expect("a process id"));
            within(BACK_WITHIN, async || machines.db.db().ping().await).await;
        }
        process => machines.kill_one(process),
    }
}

fn kill_9(pid: u32) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.expect("kill is a program").success());
}

async fn now(db: &TestDb) -> String {
    db.value("SELECT clock_timestamp()::text").await
}

/// Returns when results of slots come in that were due from now on.
async fn flows_again(db: &TestDb) {
    let now = now(db).await;
    within(BACK_WITHIN, async || {
        let fresh = format!(
            "SELECT count(DISTINCT service_id) FROM probe_results \
              WHERE kind = 0 AND scheduled_at > '{now}'"
        );
        let fresh = db.value::<i64>(&fresh).await;
        let wanted = i64::try_from(STEADY).unwrap();
        if fresh >= wanted { Ok(()) } else { Err(fresh) }
    })
    .await;
}

async fn note_fault(db: &TestDb, victim: &str, from: &str, to: &str) {
    db.execute(&format!(
        "CREATE TABLE IF NOT EXISTS soak_faults (victim text, from_at timestamptz, to_at timestamptz); \
         INSERT INTO soak_faults VALUES ('{victim}', \
            '{from}'::timestamptz - interval '{BEFORE_SECONDS} s', \
            '{to}'::timestamptz + interval '{AFTER_SECONDS} s')"
    ))
    .await;
}

/// What was due, by the spans themselves, until everything of it must be there.
const DUE: &str = "CREATE TABLE soak_due AS \
    SELECT p.service_id, slot FROM service_spans p, LATERAL generate_series( \
        to_timestamp((ceil((extract(epoch FROM p.from_at) * 1000 - p.phase_ms) / p.interval_ms) \
            * p.interval_ms + p.phase_ms) / 1000.0), \
        (SELECT max(to_at) FROM soak_faults), p.interval_ms * interval '1 ms') AS slot";

/// Services whose sums are not those of their rows. A failure that was voided is a row that is counted and inconclusive.
const DISAGREEING: &str = "SELECT coalesce(string_agg(concat_ws(' ', h.service_id, \
        h.judged + closed.judged, h.inconclusive + closed.inconclusive, \
        stored.judged, stored.inconclusive), ', '), '') \
    FROM health h, LATERAL ( \
        SELECT coalesce(sum(judged), 0) AS judged, coalesce(sum(inconclusive), 0) AS inconclusive \
        FROM rollup_hourly r WHERE r.service_id = h.service_id) closed, LATERAL ( \
        SELECT count(*) FILTER (WHERE outcome <> 2 AND NOT voided) AS judged, \
               count(*) FILTER (WHERE outcome = 2 OR voided) AS inconclusive \
        FROM probe_results p WHERE p.service_id = h.service_id AND counted) stored \
    WHERE h.judged + closed.judged <> stored.judged \
       OR h.inconclusive + closed.inconclusive <> stored.inconclusive";

/// A question that finds nothing must be able to find something: here a judged row that is void and not taken back from
/// the sums, and one that is not counted any more.
async fn finds_what_disagrees(db: &TestDb) {
    let row = "kind = 0 AND (service_id, scheduled_at) = (SELECT service_id, scheduled_at FROM probe_results \
         WHERE kind = 0 AND outcome = 0 ORDER BY scheduled_at, service_id LIMIT 1)";
    for flag in ["voided", "counted"] {
        let turn = format!("UPDATE probe_results SET {flag} = NOT {flag} WHERE {row}");
        db.execute(&turn).await;
        let found = db.value::<String>(DISAGREEING).await;
        assert_eq!(found.split(", ").count(), 1, "{flag}: {found}");
        assert_ne!(found, "", "{flag} makes no difference");
        db.execute(&turn).await;
        assert_eq!(
            db.value::<String>(DISAGREEING).await,
            "",
            "{flag} turned back"
        );
    }
}

async fn reconcile(machines: &Machines, tenant: &Tenant, mails: usize) {
    let db = &machines.db;
    within(BACK_WITHIN, async || {
        let over = "SELECT max(to_at) + interval '10 s' < clock_timestamp() FROM soak_faults";
        db.value::<bool>(over).await
    })
    .await;
    db.execute(DUE).await;
    let count = async |what: &str| {
        db.value::<i64>(&format!("SELECT count(*) FROM {what}"))
            .await
    };
    let unwanted = "probe_results r WHERE kind = 0 \
         AND scheduled_at <= (SELECT max(to_at) FROM soak_faults) \
         AND NOT EXISTS (SELECT FROM soak_due d WHERE d.service_id = r.service_id AND d.slot = r.scheduled_at)";
    assert_eq!(
        count(unwanted).await,
        0,
        "results of slots that were not due"
    );
    let doubled = "(SELECT FROM probe_results WHERE kind = 0 \
         GROUP BY service_id, scheduled_at, region HAVING count(*) > 1) x";
    assert_eq!(count(doubled).await, 0, "slots with two results");
    let missed = "soak_due d WHERE NOT EXISTS (SELECT FROM probe_results r \
         WHERE r.service_id = d.service_id AND r.scheduled_at = d.slot AND kind = 0)";
    let lost = format!(
        "{missed} AND NOT EXISTS (SELECT FROM soak_faults f WHERE d.slot BETWEEN f.from_at AND f.to_at)"
    );
    assert_eq!(
        count(&lost).await,
        0,
        "slots missed while nothing was wrong"
    );
    for victim in VICTIMS {
        let during = format!(
            "{missed} AND EXISTS (SELECT FROM soak_faults f \
               WHERE f.victim = '{victim}' AND d.slot BETWEEN f.from_at AND f.to_at)"
        );
        eprintln!("{victim}: {} slots missed", count(&during).await);
    }
    eprintln!("{} slots in all", count("soak_due").await);
    assert_eq!(
        db.value::<String>(DISAGREEING).await,
        "",
        "counters and rows disagree: judged and inconclusive, counted and stored"
    );
    finds_what_disagrees(db).await;
    // One incident for each that failed, one mail for its begin and one for its end.
    assert_eq!(
        count("incidents").await,
        i64::try_from(VICTIMS.len()).unwrap()
    );
    assert_eq!(
        count("incidents WHERE end_reason = 'recovered'").await,
        i64::try_from(VICTIMS.len()).unwrap()
    );
    assert_eq!(machines.resend.accepted().len(), mails);
    let subjects = machines.resend.subjects_to(&tenant.email);
    for victim in VICTIMS {
        let about = |begin: &str| {
            let told = subjects
                .iter()
                .filter(|s| s.starts_with(begin) || s.starts_with("Was down"));
            told.filter(|s| s.ends_with(&format!("/ailing/{victim}")))
                .count()
        };
        assert_eq!(about("Down"), 1, "{victim}: {subjects:?}");
        assert_eq!(
            subjects
                .iter()
                .filter(|s| s.ends_with(&format!("/ailing/{victim}")))
                .count(),
            2,
            "{victim}: {subjects:?}"
        );
    }
    for queue in ["probe-requests", "probe-jobs", "probe-results", "alerts"] {
        let dead = machines.vhost.take(&format!("{queue}.dead"), 1).await;
        assert!(dead.is_empty(), "{queue}.dead holds {dead:?}");
    }
}
