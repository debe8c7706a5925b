//! `kill -9` of any one process in the middle loses nothing and repeats no mail.

use serde_json::json;
use testkit::{FakeTarget, Step, TestDb, eventually, eventually::within};
use tokio::time::Duration;

use crate::machines::Machines;
use crate::stack::Plan;
use crate::tenant::Tenant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_any_one_process_loses_no_result_and_no_alert_and_repeats_no_mail() {
    let copies = [
        ("api", 1),
        ("scheduler", 2),
        ("prober", 2),
        ("processor", 2),
        ("alerter", 2),
    ];
    let mut machines = Machines::start(&copies, &Plan::default()).await;
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
