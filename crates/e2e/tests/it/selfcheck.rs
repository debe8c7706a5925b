//! What is broken at our end is never told as a tenant's outage.

use serde_json::json;
use testkit::{FakeDns, FakeTarget, Reply, eventually};

use crate::stack::{Plan, Stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prober_without_its_resolver_makes_no_service_fail_and_only_coverage_drops() {
    let names = FakeDns::start().await;
    names.name("watched.example", [Reply::addresses(["127.0.0.1"])]);
    let plan = Plan {
        name_server: Some(names.addr()),
        ..Plan::default()
    };
    let stack = Stack::with(plan).await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let url = format!("http://watched.example:{}/", target.addr().port());
    let id = tenant.watch(json!({"url": url, "interval": "1s"})).await;
    let count = async |outcome: &str| {
        let results = tenant.results(&id).await;
        let of_it = results.iter().filter(|result| result["outcome"] == outcome);
        of_it.count()
    };
    eventually(async || count("up").await >= 2).await;

    names.fail();
    eventually(async || count("inconclusive").await >= 1).await;
    let up = count("up").await;
    names.recover();
    eventually(async || count("up").await >= up + 2).await;

    assert_eq!(count("down").await, 0);
    assert_eq!(tenant.alerts(&id).await, []);
    let service = tenant.service(&id).await;
    assert_eq!(service["current_status"], "up");
    assert_eq!(service["failure_streak"], 0);
    assert_eq!(service["sla_percentage"], 100.0);
    let dashboard = tenant.get(&format!("/dashboard/{id}?window=1h")).await;
    let checks = &dashboard["checks"];
    assert_eq!(checks["failed"], 0, "{checks}");
    assert!(checks["inconclusive"].as_u64() >= Some(1), "{checks}");
    assert!(
        dashboard["coverage_percentage"].as_f64() < Some(100.0),
        "{dashboard:#}"
    );
    stack.stop().await;
}
