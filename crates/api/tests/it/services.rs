//! A service's life: created, shown, changed, paused, probed, gone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_url_becomes_a_service_with_every_default() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let answer = user
        .create(&json!({"name": " Shop ", "url": "HTTPS://Bücher.Example:443/a b#x".replace(' ', "%20")}))
        .await;
    let created = answer.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/services/{id}"));
    let shown = user.show(&created).await.expect(200);
    assert_eq!(shown["name"], "Shop");
    assert_eq!(shown["url"], "https://xn--bcher-kva.example/a%20b");
    for (field, value) in [
        ("interval", json!("1m")),
        ("timeout_seconds", json!(10)),
        ("expected_status", json!(200)),
        ("sla_target", json!(99.9)),
        ("ssl_expiry_days", json!(30)),
        ("follow_redirects", json!(true)),
        ("is_active", json!(true)),
        ("current_status", json!("unknown")),
        ("failure_streak", json!(0)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    for field in [
        "uptime_percentage",
        "sla_percentage",
        "last_checked_at",
        "avg_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "total_checks",
        "successful_checks",
        "coverage_percentage",
        "ssl",
    ] {
        assert!(shown.as_object().unwrap().contains_key(field), "{field}");
        assert_eq!(shown[field], Value::Null, "{field}");
    }
    let next: DateTime<Utc> = shown["next_check_at"].as_str().unwrap().parse().unwrap();
    let made: DateTime<Utc> = shown["created_at"].as_str().unwrap().parse().unwrap();
    assert!(next >= made + TimeDelta::seconds(5) && next <= made + TimeDelta::seconds(66));
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_writes_everything_that_probing_needs() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.service("a").await;
    let row = app
        .db
        .client()
        .await
        .query_one(
            "SELECT s.phase_ms < s.interval_ms, sp.from_at = s.created_at + interval '5 s', sp.to_at IS NULL, \
                    e.kind = 'first' AND e.scheduled_at = s.created_at AND e.dispatch_at = s.created_at, \
                    h.region = 'default' AND h.streak_since = s.created_at, t.status = 'unknown', \
                    (sp.config_version, e.config_version, s.config_version) = (1, 1, 1) \
               FROM services s JOIN service_spans sp ON sp.service_id = s.id \
               JOIN extra_probes e ON e.service_id = s.id JOIN health h ON h.service_id = s.id \
               JOIN service_state t ON t.service_id = s.id",
            &[],
        )
        .await
        .unwrap();
    for column in 0..7 {
        assert!(row.get::<_, bool>(column), "column {column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_service_never_changes() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    let refused = user
        .edit(&service, &json!({"url": "https://b.example.com/"}))
        .await;
    refused.problem(422, "validation-failed");
    assert_eq!(refused.wrong_fields(), ["url"]);
    // the same one in another spelling is no change
    let same = json!({"url": "https://A.example.com", "name": "renamed"});
    let shown = user.edit(&service, &same).await.expect(200);
    assert_eq!(
        (&shown["url"], &shown["name"]),
        (&service["url"], &json!("renamed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_what_it_does_not_name() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    let edited = user
        .edit(
            &service,
            &json!({"interval": "5m", "timeout_seconds": 30, "sla_target": 99.95}),
        )
        .await
        .expect(200);
    assert_eq!(edited["interval"], "5m");
    assert_eq!(edited["timeout_seconds"], 30);
    assert_eq!(edited["sla_target"], 99.95);
    assert_eq!(edited["name"], service["name"]);
    assert_eq!(edited["expected_status"], 200);
    let patched = user
        .send(
            http::Method::PATCH,
            &crate::app::path_of(&service),
            r#"{"expected_status": 204}"#,
        )
        .await
        .expect(200);
    assert_eq!(
        (&patched["expected_status"], &patched["interval"]),
        (&json!(204), &json!("5m"))
    );
    let too_short = user.edit(&service, &json!({"interval": "20s"})).await;
    assert_eq!(too_short.wrong_fields(), ["timeout_seconds", "interval"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_edits_that_change_probing_begin_a_new_span() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    let spans = "SELECT count(*) FROM service_spans";
    for harmless in [
        json!({"name": "b"}),
        json!({"sla_target": 90}),
        json!({"ssl_expiry_days": 7}),
        json!({}),
    ] {
        user.edit(&service, &harmless).await.expect(200);
    }
    assert_eq!(app.db.value::<i64>(spans).await, 1);
    user.edit(&service, &json!({"interval": "5m"}))
        .await
        .expect(200);
    assert_eq!(app.db.value::<i64>(spans).await, 2);
    // The first had not begun: it is empty now. The second begins five seconds after the edit.
    let sound = "SELECT bool_and(CASE config_version WHEN 1 THEN to_at = from_at \
                 ELSE to_at IS NULL AND from_at = (SELECT updated_at + interval '5 s' FROM services) END) \
                 FROM service_spans";
    assert!(app.db.value::<bool>(sound).await);
    // One first probe is wanted, of the new version, after the time of the one before.
    let first = "SELECT bool_and(e.config_version = 2 AND e.dispatch_at >= s.created_at + interval '10 s') \
                 FROM extra_probes e JOIN services s ON s.id = e.service_id";
    assert!(app.db.value::<bool>(first).await);
    assert_eq!(
        app.db
            .value::<i64>("SELECT count(*) FROM extra_probes")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_everything_silently_and_a_resume_begins_anew() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    let (id, user_id) = (service["id"].as_str().unwrap(), user.id);
    app.db
        .execute(&format!(
            "UPDATE health SET streak = 3, last_checked_at = now();
             UPDATE service_state SET status = 'down', incident_id = '{id}';
             INSERT INTO incidents (id, service_id, user_id, started_at, cause, cause_message, failed_checks, last_failure_at)
                 VALUES ('{id}', '{id}', '{user_id}', now() - interval '1 min', 'connect_refused', 'refused', 3, now());
             INSERT INTO alerts (id, service_id, user_id, alert_type, dedupe_key, message, facts, held_until, created_at)
                 VALUES ('{id}', '{id}', '{user_id}', 'failure_streak', 'k', 'down', '{{}}', now() + interval '1 h', now());
             INSERT INTO deliveries (id, lane, alert_id, user_id, service_id, channel, recipient, status, next_attempt_at, created_at)
                 VALUES (gen_random_uuid(), 'alert', '{id}', '{user_id}', '{id}', 'email', 'a', 'pending', now(), now()),
                        (gen_random_uuid(), 'alert', '{id}', '{user_id}', '{id}', 'email', 'b', 'held', now(), now()),
                        (gen_random_uuid(), 'alert', '{id}', '{user_id}', '{id}', 'email', 'c', 'sent', now(), now());"
        ))
        .await;
    assert_eq!(
        user.show(&service).await.expect(200)["current_status"],
        "down"
    );
    let paused = user
        .edit(&service, &json!({"is_active": false}))
        .await
        .expect(200);
    assert_eq!(paused["current_status"], "paused");
    assert_eq!(paused["failure_streak"], 0);
    assert_eq!(paused["next_check_at"], Value::Null);
    for truth in [
        "SELECT end_reason = 'paused' AND ended_at IS NOT NULL FROM incidents",
        "SELECT held_until IS NULL FROM alerts",
        "SELECT array_agg(status ORDER BY recipient) = '{suppressed,suppressed,sent}' FROM deliveries",
        "SELECT config_version = 1 FROM services",
        "SELECT bool_and(to_at IS NOT NULL) FROM service_spans",
        "SELECT count(*) = 0 FROM extra_probes",
    ] {
        assert!(app.db.value::<bool>(truth).await, "{truth}");
    }
    user.probe(&service).await.problem(409, "service-paused");
    app.advance_seconds(60);
    let resumed = user
        .edit(&service, &json!({"is_active": true}))
        .await
        .expect(200);
    assert_eq!(resumed["current_status"], "unknown");
    for truth in [
        "SELECT config_version = 2 FROM services",
        "SELECT count(*) = 1 FROM service_spans WHERE to_at IS NULL AND config_version = 2",
        "SELECT h.streak_since = s.updated_at FROM health h, services s",
        "SELECT e.dispatch_at = s.updated_at FROM extra_probes e, services s",
    ] {
        assert!(app.db.value::<bool>(truth).await, "{truth}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_service_is_gone_from_every_answer_at_once() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    user.delete(&service).await.expect(204);
    user.show(&service).await.problem(404, "not-found");
    user.delete(&service).await.problem(404, "not-found");
    assert_eq!(
        user.get("/api/v1/services").await.expect(200)["services"],
        json!([])
    );
    for table in [
        "services",
        "health",
        "service_state",
        "service_spans",
        "extra_probes",
    ] {
        assert_eq!(
            app.db
                .value::<i64>(&format!("SELECT count(*) FROM {table}"))
                .await,
            0,
            "{table}"
        );
    }
    assert_eq!(app.db.value::<i64>("SELECT count(*) FROM purge").await, 1);
    user.service("a").await; // its URL is free again
}

#[tokio::test(flavor = "multi_thread")]
async fn one_extra_probe_fits_into_the_shortest_interval() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    // The first probe of a new service was one.
    let refused = user.probe(&service).await;
    refused.problem(429, "too-many-requests");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    app.advance_seconds(wait);
    let probe = user.probe(&service).await.expect(202);
    assert!(probe["probe_id"].is_string());
    user.probe(&service).await.problem(429, "too-many-requests");
    let wanted = "SELECT count(*) FROM extra_probes WHERE kind = 'manual' AND config_version = 1";
    assert_eq!(app.db.value::<i64>(wanted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_url_twice_is_refused_in_every_spelling() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    user.service("a").await;
    for url in ["https://a.example.com", "https://A.EXAMPLE.com:443/#top"] {
        user.create(&json!({"name": "b", "url": url}))
            .await
            .problem(409, "duplicate-url");
    }
    other.service("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_never_overlap_whatever_happens_at_once() {
    let app = TestApp::with(&[("MIN_INTERVAL_SECONDS", "1")]).await;
    let twin = app.twin().await;
    let user = app.user().await;
    let there = user.at(&twin);
    let service = user.service("a").await;
    let edits = [
        json!({"interval": "30s"}),
        json!({"is_active": false}),
        json!({"interval": "5m", "name": "b"}),
        json!({"is_active": true}),
        json!({"timeout_seconds": 7}),
    ];
    let turns = (0..30).map(|n: usize| {
        let user = if n.is_multiple_of(2) { &user } else { &there };
        let (service, edit) = (&service, &edits[n % edits.len()]);
        async move {
            if n % 7 == 6 {
                user.probe(service).await
            } else {
                user.edit(service, edit).await
            }
        }
    });
    for answer in futures_util::future::join_all(turns).await {
        assert!(
            [200, 202, 409, 429].contains(&answer.status),
            "{} {}",
            answer.status,
            answer.text
        );
    }
    for truth in [
        // half-open, in order of their versions
        "SELECT count(*) = 0 FROM service_spans a JOIN service_spans b ON a.config_version < b.config_version \
          WHERE coalesce(a.to_at, 'infinity') > b.from_at",
        "SELECT (SELECT count(*) FROM service_spans WHERE to_at IS NULL) = (SELECT count(*) FROM services WHERE is_active)",
        "SELECT bool_and(p.interval_ms = s.interval_ms AND p.phase_ms = s.phase_ms AND p.config_version = s.config_version) \
           IS NOT FALSE FROM service_spans p JOIN services s ON s.id = p.service_id WHERE p.to_at IS NULL",
        "SELECT count(*) = 0 FROM extra_probes e JOIN services s ON s.id = e.service_id \
          WHERE e.config_version <> s.config_version OR NOT s.is_active",
    ] {
        assert!(app.db.value::<bool>(truth).await, "{truth}");
    }
}
