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

/// A user with a row in every table that remembers something of an account; `ends` is when those end that have an end.
async fn remembered(rig: &Rig, made: Time, ends: Time) -> Uuid {
    let (user, other) = (Uuid::now_v7(), Uuid::now_v7());
    let (made, ends) = (made.to_rfc3339(), ends.to_rfc3339());
    let bytes = |id: Uuid| format!("'\\x{}{}'", id.simple(), id.simple());
    let (one, two) = (bytes(user), bytes(other));
    rig.run(format!(
        "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
            VALUES ('{user}', '{user}', '{user}', 'x', '{made}', '{made}'); \
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) \
            VALUES ('{user}', '{user}', '{made}', '{made}', '{ends}'); \
         INSERT INTO refresh_tokens (id, user_id, family_id, token_hash, issued_at, expires_at) \
            VALUES ('{user}', '{user}', '{user}', {one}, '{made}', '{ends}'); \
         INSERT INTO mail_tokens (id, user_id, purpose, token_hash, seed, created_at, expires_at) \
            VALUES ('{user}', '{user}', 'verify_email', {one}, {two}, '{made}', '{ends}'); \
         INSERT INTO email_changes (user_id, new_email, new_email_key, requested_at, expires_at) \
            VALUES ('{user}', 'x', 'x', '{made}', '{ends}'); \
         INSERT INTO deliveries (id, lane, user_id, channel, recipient, status, facts, \
                                 next_attempt_at, created_at) \
            VALUES ('{user}', 'account', '{user}', 'email', 'x', 'sent', '{{}}', '{made}', '{made}'); \
         INSERT INTO idempotency_keys (user_id, key, asked, service_id, etag, body, created_at) \
            VALUES ('{user}', 'x', {one}, '{user}', 'x', 'x', '{made}'); \
         INSERT INTO audit_log (id, at, event, user_id) \
            VALUES ('{user}', '{made}', 'logged_in', '{user}'); \
         INSERT INTO rate_limits (key, ends_at, asked) VALUES ('{user}', '{ends}', 1)"
    ))
    .await;
    user
}

/// Tables of which something of an account is left, in the order of the alphabet.
async fn left(rig: &Rig, user: Uuid) -> Vec<String> {
    let tables = [
        "audit_log",
        "deliveries",
        "email_changes",
        "idempotency_keys",
        "mail_tokens",
        "refresh_tokens",
        "sessions",
    ];
    let mut left = Vec::new();
    for table in tables {
        if count(rig, &format!("{table} WHERE user_id = '{user}'")).await > 0 {
            left.push(table.to_owned());
        }
    }
    if count(rig, &format!("rate_limits WHERE key = '{user}'")).await > 0 {
        left.push("rate_limits".to_owned());
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_of_accounts_goes_when_its_time_is_over_and_not_before() {
    let rig = Rig::new().await;
    let now = rig.now().await;
    let (minute, day) = (TimeDelta::minutes(1), TimeDelta::days(1));
    // Made so long ago, and over in so long.
    let fresh = remembered(&rig, now, now + day).await;
    let over = remembered(&rig, now, now - minute).await;
    let yesterday = remembered(&rig, now - day - minute, now + day).await;
    let nearly = remembered(&rig, now - day + minute * 5, now + day).await;
    let month = remembered(&rig, now - day * 30 - minute, now + day).await;
    let nearly_month = remembered(&rig, now - day * 30 + minute * 5, now + day).await;
    let half_year = remembered(&rig, now - day * 180 - minute, now + day).await;
    let nearly_half = remembered(&rig, now - day * 180 + minute * 5, now + day).await;
    // An alert's mail is history: it goes with its alert.
    fill_history(&rig, Uuid::now_v7(), now - day * 60).await;
    let running = rig.start();
    // Account mail is what upkeep looks after last, in one go.
    eventually(async || count(&rig, "deliveries WHERE lane = 'account'").await == 5).await;
    running.stop().await;
    let all = left(&rig, fresh).await;
    assert_eq!(all.len(), 8, "{all:?}");
    let without = |gone: &[&str]| -> Vec<String> {
        let stays = all.iter().filter(|table| !gone.contains(&table.as_str()));
        stays.cloned().collect()
    };
    let by_end = [
        "email_changes",
        "mail_tokens",
        "rate_limits",
        "refresh_tokens",
        "sessions",
    ];
    assert_eq!(left(&rig, over).await, without(&by_end));
    assert_eq!(left(&rig, nearly).await, all);
    let by_age = ["idempotency_keys", "deliveries", "audit_log"];
    assert_eq!(left(&rig, yesterday).await, without(&by_age[..1]));
    assert_eq!(left(&rig, nearly_month).await, without(&by_age[..1]));
    for user in [month, nearly_half] {
        assert_eq!(left(&rig, user).await, without(&by_age[..2]));
    }
    assert_eq!(left(&rig, half_year).await, without(&by_age));
    assert_eq!(count(&rig, "deliveries WHERE lane = 'alert'").await, 1);
    assert_eq!(count(&rig, "users").await, 9, "accounts stay");
}
