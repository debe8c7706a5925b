//! A posted URL is probed at once, then on schedule, and its figures are those of what was seen.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use tokio::time::Instant;

use crate::stack::Stack;
use crate::target::Target;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_url_shows_its_first_result_with_phases_within_seconds() {
    let stack = Stack::start().await;
    let target = Target::http().await;
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
    assert_eq!(target.asked("/first").len(), 1);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_probed_on_schedule() {
    let stack = Stack::start().await;
    let target = Target::http().await;
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
    let asked = target.asked("/tick");
    // The first probe came at once; after it, one a second.
    let gaps: Vec<Duration> = asked
        .windows(2)
        .skip(1)
        .map(|pair: &[Instant]| pair[1] - pair[0])
        .collect();
    assert!(asked.len() >= slots.len(), "{gaps:?}");
    stack.stop().await;
}
