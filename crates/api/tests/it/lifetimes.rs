//! An account that moves to another address, and one that goes.

use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{Answer, PASSWORD, TestApp, User};

async fn move_to(user: &User<'_>, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    user.post("/auth/change-email", &body).await
}

async fn confirm(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/confirm-email", &json!({"token": token}))
        .await
}

async fn links(user: &User<'_>) -> (String, String) {
    let old = user.app.link(user.id, LinkPurpose::LeaveAddress).await;
    let new = user.app.link(user.id, LinkPurpose::TakeAddress).await;
    (old, new)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_moves_when_both_addresses_have_confirmed() {
    let app = TestApp::start().await;
    for new_is_first in [true, false] {
        let user = app.user().await;
        let new = format!("New.{}@Example.org", Uuid::new_v4().simple());
        app.db.execute("DELETE FROM deliveries").await;
        let wrong = move_to(&user, &new, "wrong password").await;
        wrong.problem(422, "validation-failed");
        assert_eq!(wrong.wrong_fields(), ["password"]);
        let same = move_to(&user, &user.email.to_uppercase(), PASSWORD).await;
        assert_eq!(same.wrong_fields(), ["email"]);
        let both = move_to(&user, &user.email, "wrong password").await;
        assert_eq!(both.wrong_fields(), ["email", "password"]);
        let both = move_to(&user, "no address", "wrong password").await;
        assert_eq!(both.wrong_fields(), ["email", "password"]);
        assert_eq!(
            move_to(&user, &new, PASSWORD).await.expect(202),
            Value::Null
        );
        let shown = new.replace("Example", "example");
        assert_eq!(
            app.mails().await,
            [
                format!("leave_address → {}", user.email),
                format!("take_address → {shown}")
            ]
        );
        let (old_link, new_link) = links(&user).await;
        let (first, second) = if new_is_first {
            (new_link, old_link)
        } else {
            (old_link, new_link)
        };
        let half = confirm(&app, &first).await.expect(200);
        assert_eq!(half, json!({"email": user.email, "is_changed": false}));
        confirm(&app, &first).await.problem(400, "invalid-link");
        app.login(&new, PASSWORD)
            .await
            .problem(401, "invalid-credentials");
        app.post("/auth/forgot-password", &json!({"email": user.email}))
            .await
            .expect(202);
        let to_old = app.link(user.id, LinkPurpose::ResetPassword).await;
        let done = confirm(&app, &second).await.expect(200);
        assert_eq!(done, json!({"email": shown, "is_changed": true}));
        let me = user.get("/auth/me").await.expect(200);
        assert_eq!(
            (&me["email"], &me["is_verified"]),
            (&json!(shown), &json!(true))
        );
        app.login(&new, PASSWORD).await.expect(200);
        app.login(&user.email, PASSWORD)
            .await
            .problem(401, "invalid-credentials");
        // What was mailed to the old address opens nothing any more.
        let reset = json!({"token": to_old, "new_password": "battery staple"});
        app.post("/auth/reset-password", &reset)
            .await
            .problem(400, "invalid-link");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_wish_a_new_password_and_time_void_a_move() {
    let app = TestApp::start().await;
    let user = app.user().await;
    move_to(&user, "first@example.org", PASSWORD)
        .await
        .expect(202);
    let (old, new) = links(&user).await;
    confirm(&app, &old).await.expect(200);
    move_to(&user, "second@example.org", PASSWORD)
        .await
        .expect(202);
    confirm(&app, &new).await.problem(400, "invalid-link");
    let (old, new) = links(&user).await;
    let half = confirm(&app, &new).await.expect(200);
    assert_eq!(
        half["is_changed"], false,
        "the first wish's half counts no more"
    );
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    let user = user.with(
        &user
            .post("/auth/change-password", &change)
            .await
            .expect(200),
    );
    confirm(&app, &old).await.problem(400, "invalid-link");
    move_to(&user, "third@example.org", "battery staple")
        .await
        .expect(202);
    let (old, new) = links(&user).await;
    confirm(&app, &old).await.expect(200);
    app.advance_seconds(24 * 3600);
    confirm(&app, &new).await.problem(400, "invalid-link");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_an_account_is_never_taken_over() {
    let app = TestApp::start().await;
    let (user, owner) = (app.user().await, app.user().await);
    move_to(&user, &owner.email, PASSWORD)
        .await
        .problem(409, "duplicate-email");
    // It gets one between the wish and the confirmation.
    move_to(&user, "new@example.org", PASSWORD)
        .await
        .expect(202);
    let (old, new) = links(&user).await;
    let register = json!({"email": "NEW@example.org", "password": PASSWORD});
    app.post("/auth/register", &register).await.expect(201);
    confirm(&app, &old).await.expect(200);
    confirm(&app, &new).await.problem(409, "duplicate-email");
    assert_eq!(user.get("/auth/me").await.expect(200)["email"], user.email);
    // Where addresses have to be confirmed, the answer does not tell, and the owner is told.
    app.db
        .execute("UPDATE users SET is_verified = true; DELETE FROM deliveries")
        .await;
    let required = [("EMAIL_VERIFICATION", "required")];
    let strict = TestApp::on(std::sync::Arc::clone(&app.db), &required).await;
    let there = user.at(&strict);
    move_to(&there, &owner.email, PASSWORD).await.expect(202);
    let mails = app.mails().await;
    assert_eq!(mails[0], format!("leave_address → {}", user.email));
    assert_eq!(mails[1], format!("address_known → {}", owner.email));
    let old = strict.link(user.id, LinkPurpose::LeaveAddress).await;
    assert_eq!(
        confirm(&strict, &old).await.expect(200)["is_changed"],
        false
    );
    strict.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_nothing_that_tells_whose_it_was() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let service = user.service("a").await;
    other.service("a").await;
    app.post("/auth/forgot-password", &json!({"email": user.email}))
        .await
        .expect(202);
    let token = app.link(user.id, LinkPurpose::ResetPassword).await;
    broken(&app, &user, &service).await;
    let delete = async |password: &str| {
        let body = json!({"password": password}).to_string();
        user.send(Method::DELETE, "/auth/me", body).await
    };
    delete("wrong password")
        .await
        .problem(422, "validation-failed");
    user.get("/auth/me").await.expect(200);
    assert_eq!(delete(PASSWORD).await.expect(204), Value::Null);

    user.get("/auth/me").await.problem(401, "unauthorized");
    user.show(&service).await.problem(401, "unauthorized");
    let refresh = json!({"refresh_token": user.refresh_token});
    app.post("/auth/refresh", &refresh)
        .await
        .problem(401, "invalid-refresh-token");
    app.login(&user.email, PASSWORD)
        .await
        .problem(401, "invalid-credentials");
    let reset = json!({"token": token, "new_password": "battery staple"});
    app.post("/auth/reset-password", &reset)
        .await
        .problem(400, "invalid-link");

    let of_user =
        |table: &str| format!("SELECT count(*) FROM {table} WHERE user_id = '{}'", user.id);
    for table in [
        "services",
        "sessions",
        "refresh_tokens",
        "mail_tokens",
        "email_changes",
    ] {
        assert_eq!(app.db.value::<i64>(&of_user(table)).await, 0, "{table}");
    }
    let mails: i64 = app
        .db
        .value(&format!("{} AND lane = 'account'", of_user("deliveries")))
        .await;
    assert_eq!(mails, 0);
    // History waits for the background, and nothing of it is told any more.
    assert_eq!(app.db.value::<i64>(&of_user("purge")).await, 1);
    let status: String = app.db.value("SELECT status FROM deliveries").await;
    assert_eq!(status, "suppressed");
    let reason: String = app.db.value("SELECT end_reason FROM incidents").await;
    assert_eq!(reason, "deleted");
    let log = format!(
        "SELECT string_agg(a::text, ' ') FROM audit_log a WHERE user_id = '{}'",
        user.id
    );
    let log: String = app.db.value(&log).await;
    assert!(
        log.contains("account_deleted") && log.contains("registered"),
        "{log}"
    );
    assert!(
        !log.contains("127.0.0.1") && !log.contains(&user.email),
        "{log}"
    );
    // The other tenant lost nothing, and the address is free.
    assert_eq!(
        other.get("/services").await.expect(200)["services"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let register = json!({"email": user.email, "password": PASSWORD});
    app.post("/auth/register", &register).await.expect(201);
}

/// An outage that its owner has not been told of yet.
async fn broken(app: &TestApp, user: &User<'_>, service: &Value) {
    let (user, service) = (user.id, service["id"].as_str().unwrap());
    app.db
        .execute(&format!(
            "INSERT INTO incidents (id, service_id, user_id, started_at, cause, cause_message, \
                 failed_checks, last_failure_at) \
             VALUES ('{user}', '{service}', '{user}', now(), 'internal', 'x', 3, now()); \
             INSERT INTO alerts (id, service_id, user_id, alert_type, dedupe_key, message, facts, \
                 created_at) \
             VALUES ('{user}', '{service}', '{user}', 'failure_streak', 'x', 'x', '{{}}', now()); \
             INSERT INTO deliveries (id, lane, alert_id, user_id, service_id, channel, recipient, \
                 status, next_attempt_at, created_at) \
             VALUES ('{user}', 'alert', '{user}', '{user}', '{service}', 'email', 'x', 'pending', \
                 now(), now())"
        ))
        .await;
}
