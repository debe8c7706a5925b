//! What is dropped when its time is over, and what is not.

use chrono::TimeDelta;
use models::Time;
use testkit::eventually;
use uuid::Uuid;

use crate::rig::Rig;

async fn partition_of(rig: &Rig, table: &str, at: Time) -> bool {
    let name = format!("{table}_{}", at.format("%Y%m%d"));
    rig.db
        .value(&format!("SELECT to_regclass('{name}') IS NOT NULL"))
        .await
}

async fn result(rig: &Rig, service: Uuid, at: Time) {
    let (probe, at) = (Uuid::now_v7(), at.to_rfc3339());
    rig.run(format!(
        "INSERT INTO probe_results (service_id, scheduled_at, region, kind, outcome, \
            config_version, probe_id, checked_at, counted, moves_state, hops, prober) \
         VALUES ('{service}', '{at}', 'default', 0, 1, 1, '{probe}', '{at}', true, true, 1, 'p')"
    ))
    .await;
}

async fn count(rig: &Rig, what: &str) -> i64 {
    rig.db.value(&format!("SELECT count(*) FROM {what}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn results_older_than_thirty_days_are_gone_and_younger_ones_are_not() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let service = Uuid::now_v7();
    result(&rig, service, begin).await;
    let running = rig.start();
    // Partitions are made two weeks ahead, so time moves in steps that upkeep can follow.
    for step in [10, 10, 9] {
        rig.shift.advance(TimeDelta::days(step));
        let ahead = rig.now().await + TimeDelta::days(14);
        eventually(async || partition_of(&rig, "probe_results", ahead).await).await;
    }
    assert_eq!(count(&rig, "probe_results").await, 1, "29 days old");
    let younger = begin + TimeDelta::days(5);
    result(&rig, service, younger).await;
    rig.shift.advance(TimeDelta::days(2));
    eventually(async || !partition_of(&rig, "probe_results", begin).await).await;
    running.stop().await;
    assert_eq!(count(&rig, "probe_results").await, 1);
    assert!(partition_of(&rig, "probe_results", younger).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_deleted_service_is_purged_and_nobody_elses() {
    let rig = Rig::new().await;
    let now = rig.now().await;
    let (deleted, kept) = (Uuid::now_v7(), Uuid::now_v7());
    for service in [deleted, kept] {
        for hours in 0..20 {
            result(&rig, service, now - TimeDelta::hours(hours)).await;
        }
        fill(&rig, service, now).await;
    }
    rig.run(format!(
        "INSERT INTO purge (service_id, user_id, requested_at) \
         VALUES ('{deleted}', '{deleted}', '{}')",
        now.to_rfc3339()
    ))
    .await;
    let running = rig.start();
    eventually(async || count(&rig, "purge").await == 0).await;
    running.stop().await;
    let tables = [
        ("probe_results", 20),
        ("rollup_hourly", 1),
        ("rollup_daily", 1),
        ("incidents", 1),
        ("alerts", 1),
        ("deliveries", 1),
    ];
    for (table, rows) in tables {
        assert_eq!(count(&rig, table).await, rows, "{table}");
        let of_kept = format!("{table} WHERE service_id = '{kept}'");
        assert_eq!(count(&rig, &of_kept).await, rows, "{table}");
    }
}

/// A row in every other table of history.
async fn fill(rig: &Rig, service: Uuid, at: Time) {
    let sums = "0, 0, 0, 0, 0, 0, NULL, NULL, ''";
    let hour = models::window::hour_of(at).to_rfc3339();
    let day = models::window::day_of(at).to_rfc3339();
    rig.run(format!(
        "INSERT INTO rollup_hourly VALUES ('{service}', 'default', '{hour}', {sums});
             INSERT INTO rollup_daily VALUES ('{service}', 'default', '{day}', {sums});"
    ))
    .await;
    fill_history(rig, service, at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_and_alerts_are_kept_four_hundred_days_and_open_incidents_for_ever() {
    let rig = Rig::new().await;
    let now = rig.now().await;
    let old = Uuid::now_v7();
    rig.run(format!(
            "INSERT INTO incidents (id, service_id, user_id, started_at, cause, cause_message, failed_checks, last_failure_at)
                 VALUES (gen_random_uuid(), '{old}', '{old}', '{}', 'internal', '', 3, now());",
            (now - TimeDelta::days(500)).to_rfc3339()
        ))
        .await;
    fill_history(&rig, Uuid::now_v7(), now - TimeDelta::days(401)).await;
    fill_history(&rig, Uuid::now_v7(), now - TimeDelta::days(399)).await;
    let running = rig.start();
    eventually(async || count(&rig, "alerts").await == 1).await;
    eventually(async || count(&rig, "incidents").await == 2).await;
    running.stop().await;
    assert_eq!(count(&rig, "deliveries").await, 1);
    assert_eq!(count(&rig, "incidents WHERE ended_at IS NULL").await, 1);
}

async fn fill_history(rig: &Rig, service: Uuid, at: Time) {
    let at = at.to_rfc3339();
    let alert = Uuid::now_v7();
    rig.run(format!(
            "INSERT INTO incidents (id, service_id, user_id, started_at, ended_at, end_reason, cause, cause_message, failed_checks, last_failure_at)
                 VALUES (gen_random_uuid(), '{service}', '{service}', '{at}', '{at}', 'deleted', 'internal', '', 3, '{at}');
             INSERT INTO alerts (id, service_id, user_id, alert_type, dedupe_key, message, facts, created_at)
                 VALUES ('{alert}', '{service}', '{service}', 'recovery', 'x', '', '{{}}', '{at}');
             INSERT INTO deliveries (id, lane, alert_id, user_id, service_id, channel, recipient, status, next_attempt_at, created_at)
                 VALUES (gen_random_uuid(), 'alert', '{alert}', '{service}', '{service}', 'email', 'a@b.test', 'sent', '{at}', '{at}');"
        ))
        .await;
}
