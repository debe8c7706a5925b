//! Second opinions: what one prober alone sees is no outage, and what all see is told as soon as
//! without them.

use serde_json::{Value, json};
use testkit::{FakeTarget, Step, eventually};

use crate::stack::{Plan, Stack};
use crate::tenant::Tenant;

/// A plan with so many probers.
fn probers(probers: usize) -> Plan {
    Plan {
        probers,
        ..Plan::default()
    }
}

/// Waits for the results, newest first, to hold one that is so.
async fn comes(tenant: &Tenant, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(async || {
        let results = tenant.results(id).await;
        let found = results.iter().find(|result| is_so(result));
        found.cloned().ok_or(results)
    })
    .await
}

fn is_confirm(result: &Value) -> bool {
    result["kind"] == "confirm"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blip_that_another_prober_does_not_see_is_shown_as_void_and_counts_nowhere() {
    let stack = Stack::with(probers(2)).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "2s"}))
        .await;
    comes(&owner, &id, |result| result["kind"] == "slot").await;
    target.next([Step::status(503)]);

    let void = comes(&owner, &id, |result| result["voided"] == true).await;
    assert_eq!(void["outcome"], "inconclusive", "{void:#}");
    assert_eq!(void["is_success"], Value::Null);
    assert_eq!(void["error_kind"], "status_mismatch");
    let confirm = comes(&owner, &id, is_confirm).await;
    assert_eq!(
        (&confirm["outcome"], &confirm["voided"]),
        (&json!("up"), &json!(false))
    );
    let dashboard = owner.get(&format!("/dashboard/{id}")).await;
    let checks = &dashboard["checks"];
    assert_eq!(
        (&checks["failed"], &checks["inconclusive"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(dashboard["sla_percentage"], 100.0);
    assert_eq!(owner.service(&id).await["current_status"], "up");
    assert!(owner.alerts(&id).await.is_empty());
    let probers = "SELECT count(DISTINCT prober) FROM probe_results \
                    WHERE voided OR kind = 3";
    assert_eq!(stack.db.value::<i64>(probers).await, 2);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prober_that_sees_nothing_but_failures_wakes_nobody() {
    let mut plan = probers(2);
    plan.odd_prober = vec![("PROBE_DENY_CIDRS", "127.0.0.0/8".to_owned())];
    let stack = Stack::with(plan).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    eventually(async || {
        let results = owner.results(&id).await;
        let voided = results.iter().filter(|result| result["voided"] == true);
        voided.count() >= 4
    })
    .await;
    assert!(owner.alerts(&id).await.is_empty());
    let incidents = owner.get(&format!("/dashboard/{id}/incidents")).await;
    assert_eq!(incidents["incidents"], json!([]));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_all_probers_see_is_told_with_its_third_failure() {
    let stack = Stack::with(probers(2)).await;
    let target = FakeTarget::http().await;
    target.answer(Step::status(503));
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    eventually(async || owner.alerts(&id).await == [("failure_streak".into(), "sent".into())])
        .await;
    let told = "SELECT (facts->>'failed_checks')::bigint FROM alerts";
    assert_eq!(stack.db.value::<i64>(told).await, 3);
    // Neither sooner, for a second opinion is no further failure, nor later.
    let seen = "SELECT count(*) FROM probe_results r JOIN alerts a USING (service_id) \
                WHERE r.kind <> 3 AND r.scheduled_at <= (a.facts->'last'->>'at')::timestamptz";
    assert_eq!(stack.db.value::<i64>(seen).await, 3);
    // It was looked at again, which changed nothing.
    let confirm = comes(&owner, &id, is_confirm).await;
    assert_eq!(confirm["outcome"], "down");
    let results = owner.results(&id).await;
    assert!(results.iter().all(|result| result["voided"] == false));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_prober_gives_its_own_opinion_which_voids_nothing() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    target.next([Step::status(503)]);
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1h"}))
        .await;
    let confirm = comes(&owner, &id, is_confirm).await;
    assert_eq!(confirm["outcome"], "up", "{confirm:#}");
    let service = owner.service(&id).await;
    assert_eq!(service["current_status"], "failing", "it counts");
    assert_eq!(service["failure_streak"], 1);
    let results = owner.results(&id).await;
    assert!(results.iter().all(|result| result["voided"] == false));
    assert_eq!(results.len(), 2, "{results:#?}");
    stack.stop().await;
}
