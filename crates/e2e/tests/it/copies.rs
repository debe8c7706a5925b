//! Any number of copies share the work.

use serde_json::json;
use testkit::{FakeTarget, eventually};

use crate::stack::{Plan, Stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_two_probers_and_two_processors_give_each_slot_one_result() {
    let plan = Plan {
        schedulers: 2,
        probers: 2,
        processors: 2,
        alerters: 2,
        ..Plan::default()
    };
    let stack = Stack::with(plan).await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let mut ids = Vec::new();
    for path in ["/a", "/b", "/c"] {
        let service = json!({"name": path, "url": target.url(path), "interval": "2s"});
        ids.push((path, tenant.watch(service).await));
    }

    for (path, id) in &ids {
        eventually(async || tenant.results(id).await.len() >= 6).await;
        tenant.change(id, json!({"is_active": false})).await;
        // Each request at the target has its one result, each slot its one request.
        eventually(async || {
            let (asked, results) = (target.count(path), tenant.results(id).await);
            if asked == results.len() {
                Ok(())
            } else {
                Err((asked, results.len()))
            }
        })
        .await;
        let slots = format!(
            "SELECT count(*) - count(DISTINCT scheduled_at) FROM probe_results \
              WHERE service_id = '{id}' AND kind = 0"
        );
        assert_eq!(stack.db.value::<i64>(&slots).await, 0);
        let holes = format!(
            "SELECT count(*) FROM (SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY scheduled_at) AS gap \
               FROM probe_results WHERE service_id = '{id}' AND kind = 0) g WHERE gap <> '2s'"
        );
        assert_eq!(
            stack.db.value::<i64>(&holes).await,
            0,
            "a slot of {path} was missed"
        );
    }
    stack.stop().await;
}
