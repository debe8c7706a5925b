//! A posted URL is probed at once, then on schedule, and its figures are those of what was seen.

use serde_json::json;
use testkit::{FakeTarget, eventually};

use crate::stack::Stack;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_url_shows_its_first_result_with_phases_within_seconds() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let id = tenant
        .watch(json!({"url": target.url("/first"), "interval": "1h"}))
        .await;

    let results = eventually(async || {
        let results = tenant.results(&id).await;
        (!results.is_empty()).then_some(results)
    })
    .await;

    let first = &results[0];
    assert_eq!(first["kind"], "first");
    assert_eq!(first["outcome"], "up");
    assert_eq!(first["is_success"], true);
    assert_eq!(first["status_code"], 200);
    assert_eq!(first["hops"], 1);
    let phases = &first["phases"];
    for phase in ["connect_ms", "request_ms", "first_byte_ms", "total_ms"] {
        assert!(phases[phase].is_number(), "{phase}: {first:#}");
    }
    assert_eq!(phases["tls_ms"], json!(null), "plain http has no TLS");
    assert_eq!(tenant.service(&id).await["current_status"], "up");
    assert_eq!(target.count("/first"), 1);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_probed_on_schedule() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let id = tenant
        .watch(json!({"url": target.url("/tick"), "interval": "1s"}))
        .await;

    let slots = eventually(async || {
        let results = tenant.results(&id).await;
        let slots = results.iter().filter(|result| result["kind"] == "slot");
        let slots: Vec<String> = slots.map(|slot| slot["scheduled_at"].to_string()).collect();
        (slots.len() >= 4).then_some(slots)
    })
    .await;

    let mut unique = slots.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), slots.len(), "each slot has one result");
    let asked = target.count("/tick");
    assert!(
        asked >= slots.len(),
        "{asked} requests, {} slots",
        slots.len()
    );
    stack.stop().await;
}
