//! The audit log.

use http::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, User};

async fn record(user: &User<'_>, event: &str, more: &str) {
    user.app
        .db
        .execute(&format!(
            "INSERT INTO audit_log (id, at, event, user_id, address, actor_id, details) VALUES \
             (gen_random_uuid(), '2026-01-01T00:00:00Z', '{event}', '{}', '192.0.2.1', {more})",
            user.id
        ))
        .await;
}

fn events(list: &Value) -> Vec<&str> {
    let rows = list["events"].as_array().unwrap();
    rows.iter()
        .map(|row| row["event"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_reads_his_own_events_and_nobody_elses() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user().await, app.user().await);
    app.db.execute("DELETE FROM audit_log").await;
    record(&ann, "logged_in", "NULL, '{}'").await;
    record(&bob, "logged_out", "NULL, '{}'").await;
    record(
        &ann,
        "quota_changed",
        "gen_random_uuid(), '{\"services\": 5}'",
    )
    .await;
    let list = ann.get("/api/v1/audit").await.expect(200);
    assert_eq!(events(&list).len(), 2);
    let locked = ann.get("/audit?event=quota_changed").await.expect(200);
    let entry = &locked["events"][0];
    assert_eq!(entry["by"], "admin");
    assert_eq!(entry["details"], json!({"services": 5}));
    // where an admin sits is nobody else's business
    assert_eq!(entry["address"], Value::Null);
    assert_eq!(events(&bob.get("/audit").await.expect(200)), ["logged_out"]);
    assert_eq!(ann.get("/audit?event=else").await.wrong_fields(), ["event"]);
    app.get("/audit").await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_and_failed_ones_are_remembered_with_where_they_came_from() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let user = app.user().await;
    let from = [
        ("content-type", "application/json"),
        ("x-forwarded-for", "198.51.100.7, 203.0.113.5"),
    ];
    let body = json!({"email": user.email, "password": "not his password"}).to_string();
    app.send(Method::POST, "/auth/login", &from, body)
        .await
        .problem(401, "invalid-credentials");
    // It is noted after the answer, which so takes as long as one for no account.
    testkit::eventually(|| async {
        let list = user.get("/audit?event=login_failed").await.expect(200);
        list["events"].as_array().unwrap().len() == 1
    })
    .await;
    let list = user.get("/audit").await.expect(200);
    assert_eq!(events(&list)[..2], ["login_failed", "logged_in"]);
    assert_eq!(list["events"][0]["address"], "203.0.113.5");
    assert_eq!(list["events"][1]["address"], "127.0.0.1");
    assert!(!list.to_string().contains("not his password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_one_who_is_logged_in_is_no_failed_login_and_says_what_it_was_for() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let wrong = json!({"password": "wrong password"});
    let gone = user.send(Method::DELETE, "/auth/me", wrong.to_string());
    gone.await.problem(422, "validation-failed");
    let body = json!({"password": "wrong password", "email": "new@example.com"});
    let moved = user.post("/auth/change-email", &body).await;
    moved.problem(422, "validation-failed");
    let body = json!({"current_password": "wrong password", "new_password": "battery staple"});
    let changed = user.post("/auth/change-password", &body).await;
    changed.problem(422, "validation-failed");
    let list = user.get("/audit").await.expect(200);
    let rows = &list["events"].as_array().unwrap()[..3];
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["event"].as_str().unwrap(), row["details"].clone()))
        .collect();
    let refused = |what: &str| ("password_refused", json!({"for": what}));
    let purposes = ["change_password", "change_email", "delete_account"];
    assert_eq!(told, purposes.map(refused));
    assert!(!list.to_string().contains("wrong password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_events_hold_each_once_and_no_cursor_leaves_its_list() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user().await, app.user().await);
    app.db.execute("DELETE FROM audit_log").await;
    for _ in 0..5 {
        record(&ann, "logged_in", "NULL, '{}'").await;
    }
    let first = ann.get("/audit?limit=3").await.expect(200);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = ann
        .get(&format!("/audit?limit=3&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(second["pagination"]["has_more"], false);
    let mut ids: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["events"].as_array().unwrap())
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    bob.get(&format!("/audit?cursor={cursor}"))
        .await
        .problem(400, "malformed-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_read_the_log_of_everybody() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user().await, app.user().await);
    app.db.execute("DELETE FROM audit_log").await;
    record(&bob, "logged_in", "NULL, '{}'").await;
    ann.get("/api/v1/admin/audit")
        .await
        .problem(403, "admins-only");
    app.get("/admin/audit").await.problem(401, "unauthorized");
    // the role is read with the request, whatever the token is worth
    app.db
        .execute(&format!(
            "UPDATE users SET role = 'admin' WHERE id = '{}'",
            ann.id
        ))
        .await;
    let all = ann.get("/admin/audit").await.expect(200);
    assert_eq!(all["events"][0]["user_id"], bob.id.to_string());
    let of_ann = ann
        .get(&format!("/admin/audit?user_id={}", ann.id))
        .await
        .expect(200);
    assert_eq!(of_ann["events"], json!([]));
    assert_eq!(
        ann.get("/admin/audit?user_id=x&event=y")
            .await
            .wrong_fields(),
        ["user_id", "event"]
    );
}
