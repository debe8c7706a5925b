//! Who is told, when, and how often.

use chrono::TimeDelta;
use serde_json::json;
use testkit::{Authority, Certificate, FakeTarget, Step, eventually};

use crate::stack::{Plan, Stack};
use crate::tenant::Tenant;

/// Asks until the service's alerts, newest first, are exactly these.
async fn alerts_become(tenant: &Tenant, id: &str, wanted: &[(&str, &str)]) {
    let wanted: Vec<(String, String)> = wanted
        .iter()
        .map(|(kind, status)| ((*kind).to_owned(), (*status).to_owned()))
        .collect();
    eventually(async || {
        let alerts = tenant.alerts(id).await;
        if alerts == wanted {
            Ok(())
        } else {
            Err(alerts)
        }
    })
    .await;
}

/// Asks until the newest results begin with `count` of this outcome.
async fn results_become(tenant: &Tenant, id: &str, outcome: &str, count: usize) {
    eventually(async || {
        let results = tenant.results(id).await;
        let run = results.iter().take_while(|row| row["outcome"] == outcome);
        let run = run.count();
        if run >= count {
            Ok(())
        } else {
            Err(format!("{run} of {}", results.len()))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_failures_send_exactly_one_mail_and_the_recovery_exactly_one() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let (owner, stranger) = (stack.tenant().await, stack.tenant().await);
    target.answer(Step::status(503));
    let id = owner
        .watch(json!({"name": "Shop", "url": target.url("/"), "interval": "1s"}))
        .await;

    // One failure is not down.
    eventually(async || owner.service(&id).await["current_status"] == "failing").await;
    assert_eq!(stack.resend.accepted().len(), 0);
    eventually(async || owner.service(&id).await["current_status"] == "down").await;
    alerts_become(&owner, &id, &[("failure_streak", "sent")]).await;
    // More failures say nothing new.
    results_become(&owner, &id, "down", 5).await;
    assert_eq!(stack.resend.subjects_to(&owner.email).len(), 1);
    let failure = &stack.resend.accepted()[0];
    assert!(failure.field("subject").contains("Shop"), "{failure:?}");
    for part in ["html", "text"] {
        assert!(
            failure.field(part).contains("expected 200, got 503"),
            "{failure:?}"
        );
    }

    target.answer(Step::status(200));
    alerts_become(
        &owner,
        &id,
        &[("recovery", "sent"), ("failure_streak", "sent")],
    )
    .await;
    results_become(&owner, &id, "up", 3).await;
    assert_eq!(owner.service(&id).await["current_status"], "up");
    let incidents = owner.get(&format!("/dashboard/{id}/incidents")).await;
    let incidents = incidents["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["cause"], "status_mismatch");
    assert_eq!(incidents[0]["end_reason"], "recovered");

    assert_eq!(stack.resend.subjects_to(&owner.email).len(), 2);
    assert_eq!(stack.resend.accepted().len(), 2, "nobody else was told");
    assert_eq!(stack.resend.subjects_to(&stranger.email).len(), 0);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sla_that_falls_below_its_target_is_told_once() {
    let plan = Plan::default()
        .with("SLA_MIN_CHECKS", 3)
        .with("FAILURE_STREAK_THRESHOLD", 100);
    let stack = Stack::with(plan).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    target.answer(Step::status(500));
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s", "sla_target": 99.5}))
        .await;

    alerts_become(&owner, &id, &[("sla_breach", "sent")]).await;
    results_become(&owner, &id, "down", 6).await;
    alerts_become(&owner, &id, &[("sla_breach", "sent")]).await;
    assert_eq!(stack.resend.subjects_to(&owner.email).len(), 1);
    let dashboard = owner.get(&format!("/dashboard/{id}")).await;
    assert_eq!(dashboard["sla_breached"], true, "{dashboard:#}");
    assert_eq!(dashboard["sla_percentage"], 0.0);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_with_fewer_than_30_days_is_told_once() {
    let authority = Authority::new();
    let target = FakeTarget::https(&authority, Certificate::ExpiresIn(20)).await;
    let roots = authority.pem_file();
    let stack = Stack::with(Plan::default().with("PROBE_EXTRA_CA_FILE", roots.display())).await;
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;

    alerts_become(&owner, &id, &[("ssl_expiry", "sent")]).await;
    results_become(&owner, &id, "up", 3).await;
    alerts_become(&owner, &id, &[("ssl_expiry", "sent")]).await;
    assert_eq!(stack.resend.subjects_to(&owner.email).len(), 1);
    let service = owner.service(&id).await;
    assert_eq!(service["ssl"]["cert_valid"], true, "{service:#}");
    assert_eq!(service["ssl"]["days_remaining"], 20);
    assert_eq!(service["ssl"]["expiry_warning"], true);
    assert_eq!(service["ssl"]["error"], json!(null));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_signed_is_refused_and_still_described() {
    let stack = Stack::start().await;
    let target = FakeTarget::https(&Authority::new(), Certificate::UnknownAuthority).await;
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1h"}))
        .await;

    results_become(&owner, &id, "down", 1).await;
    let results = owner.results(&id).await;
    assert_eq!(
        results[0]["error_kind"], "cert_unknown_issuer",
        "{:#}",
        results[0]
    );
    assert_eq!(results[0]["error_class"], "tls");
    let ssl = owner.service(&id).await["ssl"].clone();
    assert_eq!(ssl["cert_valid"], false);
    assert_eq!(ssl["error"], "unknown_issuer");
    assert_eq!(ssl["days_remaining"], 90);
    assert_eq!(target.count("/"), 0, "no request went over it");
    alerts_become(&owner, &id, &[("ssl_expiry", "sent")]).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cooldown_holds_a_second_failure_back_and_releases_it_while_it_is_true() {
    let stack = Stack::with(Plan::default().with("FAILURE_STREAK_THRESHOLD", 2)).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    target.answer(Step::status(500));
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    alerts_become(&owner, &id, &[("failure_streak", "sent")]).await;
    target.answer(Step::status(200));
    alerts_become(
        &owner,
        &id,
        &[("recovery", "sent"), ("failure_streak", "sent")],
    )
    .await;

    // Down again within the cooldown: held.
    target.answer(Step::status(500));
    let told = [("recovery", "sent"), ("failure_streak", "sent")];
    alerts_become(
        &owner,
        &id,
        &[&[("failure_streak", "held")][..], &told].concat(),
    )
    .await;
    assert_eq!(stack.resend.accepted().len(), 2);

    stack.advance(TimeDelta::minutes(31));
    alerts_become(
        &owner,
        &id,
        &[&[("failure_streak", "sent")][..], &told].concat(),
    )
    .await;
    assert_eq!(stack.resend.subjects_to(&owner.email).len(), 3);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_when_the_cooldown_ends_is_never_told() {
    let stack = Stack::with(Plan::default().with("FAILURE_STREAK_THRESHOLD", 2)).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    target.answer(Step::status(500));
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    alerts_become(&owner, &id, &[("failure_streak", "sent")]).await;
    target.answer(Step::status(200));
    let told = [("recovery", "sent"), ("failure_streak", "sent")];
    alerts_become(&owner, &id, &told).await;
    target.answer(Step::status(500));
    alerts_become(
        &owner,
        &id,
        &[&[("failure_streak", "held")][..], &told].concat(),
    )
    .await;
    target.answer(Step::status(200));
    eventually(async || owner.service(&id).await["current_status"] == "up").await;

    stack.advance(TimeDelta::minutes(31));
    eventually(async || {
        let alerts = owner.alerts(&id).await;
        let second = alerts.iter().rev().nth(2).cloned();
        if second == Some(("failure_streak".to_owned(), "suppressed".to_owned())) {
            Ok(())
        } else {
            Err(alerts)
        }
    })
    .await;
    // Its recovery, if it has a row, goes with it.
    eventually(async || {
        let alerts = owner.alerts(&id).await;
        alerts[..alerts.len() - 2]
            .iter()
            .all(|alert| alert.1 == "suppressed")
    })
    .await;
    assert_eq!(stack.resend.accepted().len(), 2);
    stack.stop().await;
}
