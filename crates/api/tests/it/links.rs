//! Links in mails: each works once, for its purpose, until its time.

use base64::Engine as _;
use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::{Answer, PASSWORD, TestApp};

const REQUIRED: (&str, &str) = ("EMAIL_VERIFICATION", "required");
const NEW: &str = "battery staple";

pub(crate) async fn register(app: &TestApp, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    app.post("/auth/register", &body).await.expect(201)
}

fn id(account: &Value) -> Uuid {
    account["id"].as_str().unwrap().parse().unwrap()
}

async fn verify(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/verify", &json!({"token": token})).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "new_password": password});
    app.post("/auth/reset-password", &body).await
}

pub(crate) async fn ask(app: &TestApp, path: &str, email: &str) {
    let answer = app.post(path, &json!({"email": email})).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_opens_when_its_address_is_confirmed_where_that_is_required() {
    let app = TestApp::with(&[REQUIRED]).await;
    let ann = register(&app, "Ann@example.com").await;
    assert_eq!(ann["is_verified"], false);
    assert_eq!(app.mails().await, ["verify_email → Ann@example.com"]);
    // Only who knows the password is told why he is not let in.
    app.login("ann@example.com", "wrong password")
        .await
        .problem(401, "invalid-credentials");
    app.login("ann@example.com", PASSWORD)
        .await
        .problem(403, "email-not-verified");
    let token = app.link(id(&ann), LinkPurpose::VerifyEmail).await;
    assert_eq!(
        verify(&app, &token).await.expect(200),
        json!({"is_verified": true})
    );
    app.login("ann@example.com", PASSWORD).await.expect(200);
    verify(&app, &token).await.problem(400, "invalid-link");
    // There is nothing more to confirm.
    ask(&app, "/auth/resend-verify", "ann@example.com").await;
    assert_eq!(app.mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_before_the_confirmation_is_no_failed_login() {
    let app = TestApp::with(&[REQUIRED, ("LOGIN_FAILURES_PER_15_MINUTES", "2")]).await;
    let ann = register(&app, "ann@example.com").await;
    for _ in 0..5 {
        let early = app.login("ann@example.com", PASSWORD).await;
        early.problem(403, "email-not-verified");
        assert_eq!(early.header("ratelimit-limit"), "1000000");
    }
    let token = app.link(id(&ann), LinkPurpose::VerifyEmail).await;
    verify(&app, &token).await.expect(200);
    app.login("ann@example.com", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_a_known_address_looks_like_a_new_one_and_its_owner_is_told() {
    let app = TestApp::with(&[REQUIRED]).await;
    let first = register(&app, "ann@example.com").await;
    app.db.execute("UPDATE users SET is_verified = true").await;
    let second = register(&app, "ANN@example.com").await;
    let names = |account: &Value| {
        account
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&second), names(&first));
    assert_eq!(second["is_verified"], false);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(app.db.value::<i64>("SELECT count(*) FROM users").await, 1);
    let mails = app.mails().await;
    assert_eq!(
        mails,
        [
            "verify_email → ann@example.com",
            "address_known → ann@example.com"
        ]
    );
    // A taken user name is told alike for both.
    let named = |email: &str| json!({"email": email, "password": PASSWORD, "username": "bob"});
    app.post("/auth/register", &named("bob@example.com"))
        .await
        .expect(201);
    for email in ["ann@example.com", "new@example.com"] {
        app.post("/auth/register", &named(email))
            .await
            .problem(409, "duplicate-username");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_to_an_account_before_its_address_is_confirmed() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let service = user.service("a").await;
    // The operator changes his mind: tokens that were given out open nothing any more.
    let strict = TestApp::on(std::sync::Arc::clone(&app.db), &[REQUIRED]).await;
    let there = user.at(&strict);
    for path in [
        "/auth/me",
        "/auth/sessions",
        "/services",
        "/dashboard",
        "/audit",
    ] {
        there.get(path).await.problem(403, "email-not-verified");
    }
    let good = json!({"name": "b", "url": "https://b.example.com/"});
    there.create(&good).await.problem(403, "email-not-verified");
    there
        .edit(&service, &json!({"name": "c"}))
        .await
        .problem(403, "email-not-verified");
    there
        .delete(&service)
        .await
        .problem(403, "email-not-verified");
    ask(&strict, "/auth/resend-verify", &user.email).await;
    let token = strict.link(user.id, LinkPurpose::VerifyEmail).await;
    verify(&strict, &token).await.expect(200);
    there.get("/services").await.expect(200);
    strict.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_work_gets_one_answer_for_every_reason() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let link = async |path: &str, purpose| {
        ask(&app, path, &user.email).await;
        app.link(user.id, purpose).await
    };
    let resend = async || link("/auth/resend-verify", LinkPurpose::VerifyEmail).await;
    let forgot = async || link("/auth/forgot-password", LinkPurpose::ResetPassword).await;
    let mut answers = Vec::new();
    // For something else, whichever way, and neither is used up by it.
    let (verifying, resetting) = (resend().await, forgot().await);
    assert_ne!(verifying, resetting);
    answers.push(verify(&app, &resetting).await);
    answers.push(reset(&app, &verifying, NEW).await);
    let confirm = json!({"token": verifying});
    answers.push(app.post("/auth/confirm-email", &confirm).await);
    // A newer one takes its place.
    let (newer_verifying, newer_resetting) = (resend().await, forgot().await);
    answers.push(verify(&app, &verifying).await);
    answers.push(reset(&app, &resetting, NEW).await);
    // Made up, or no token at all.
    for token in [app_made_up().as_str(), "", "abc", &"A".repeat(43)] {
        answers.push(verify(&app, token).await);
        answers.push(reset(&app, token, NEW).await);
    }
    // Too late.
    app.advance_seconds(30 * 60);
    answers.push(reset(&app, &newer_resetting, NEW).await);
    verify(&app, &newer_verifying).await.expect(200);
    // Used.
    answers.push(verify(&app, &newer_verifying).await);
    app.db.execute("UPDATE users SET is_verified = false").await;
    let late = resend().await;
    app.advance_seconds(24 * 3600);
    answers.push(verify(&app, &late).await);
    for answer in &answers {
        let mut problem = answer.problem(400, "invalid-link");
        let mut first = answers[0].json();
        problem["instance"] = Value::Null;
        first["instance"] = Value::Null;
        assert_eq!(problem, first);
    }
    app.login(&user.email, PASSWORD).await.expect(200);
}

fn app_made_up() -> String {
    let key = models::mail_token::TokenKey::new(b"somebody else's").unwrap();
    key.token(LinkPurpose::VerifyEmail, Uuid::now_v7(), &[1; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_ends_every_session_at_once_and_opens_the_account() {
    let app = TestApp::with(&[REQUIRED]).await;
    register(&app, "ann@example.com").await;
    app.db.execute("UPDATE users SET is_verified = true").await;
    let spent = app.login("ann@example.com", PASSWORD).await.expect(200);
    let refresh = async |pair: &Value| {
        let token = json!({"refresh_token": pair["refresh_token"]});
        app.post("/auth/refresh", &token).await
    };
    let pair = refresh(&spent).await.expect(200);
    app.db.execute("UPDATE users SET is_verified = false").await;
    let ann: String = app.db.value("SELECT id::text FROM users").await;
    let ann: Uuid = ann.parse().unwrap();
    ask(&app, "/auth/resend-verify", "ann@example.com").await;
    let verifying = app.link(ann, LinkPurpose::VerifyEmail).await;
    ask(&app, "/auth/forgot-password", "Ann@example.com").await;
    let token = app.link(ann, LinkPurpose::ResetPassword).await;
    let weak = reset(&app, &token, &"x".repeat(73)).await;
    weak.problem(422, "validation-failed");
    assert_eq!(weak.wrong_fields(), ["new_password"]);
    assert_eq!(reset(&app, &token, NEW).await.expect(204), Value::Null);
    // The pair before it, too: within its ten seconds of grace it would have answered the same successor.
    for pair in [&spent, &pair] {
        let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        app.send(Method::GET, "/auth/me", &headers, "")
            .await
            .problem(401, "unauthorized");
        refresh(pair).await.problem(401, "invalid-refresh-token");
    }
    // Each of these ends tokens by itself, so that no answer tells whether both were done.
    let ended = "SELECT token_epoch || ' ' || (SELECT count(*) FROM sessions) || ' ' || \
                 (SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL) FROM users";
    assert_eq!(app.db.value::<String>(ended).await, "1 0 0");
    app.login("ann@example.com", PASSWORD)
        .await
        .problem(401, "invalid-credentials");
    // Whoever reads the mails of the address owns it.
    app.login("ann@example.com", NEW).await.expect(200);
    reset(&app, &token, PASSWORD)
        .await
        .problem(400, "invalid-link");
    verify(&app, &verifying).await.problem(400, "invalid-link");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_a_mail_tells_nothing_of_the_account() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for path in ["/auth/forgot-password", "/auth/resend-verify"] {
        ask(&app, path, "nobody@example.com").await;
        assert_eq!(app.mails().await, Vec::<String>::new());
        let wrong = app.post(path, &json!({"email": "x", "y": 1})).await;
        assert_eq!(wrong.wrong_fields(), ["email", "y"]);
    }
    app.db.execute("UPDATE users SET locked_at = now()").await;
    ask(&app, "/auth/forgot-password", &user.email).await;
    assert_eq!(app.mails().await, Vec::<String>::new());
    let tokens: i64 = app.db.value("SELECT count(*) FROM mail_tokens").await;
    assert_eq!(tokens, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_no_token_that_works() {
    let app = TestApp::start().await;
    let user = app.user().await;
    ask(&app, "/auth/forgot-password", &user.email).await;
    let token = app.link(user.id, LinkPurpose::ResetPassword).await;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(&token)
        .unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let everything: String = app
        .db
        .value(
            "SELECT (SELECT string_agg(t::text, ' ') FROM mail_tokens t) || \
                    (SELECT string_agg(d::text, ' ') FROM deliveries d) || \
                    (SELECT string_agg(a::text, ' ') FROM audit_log a)",
        )
        .await;
    assert!(!everything.contains(&token) && !everything.contains(&hex));
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(everything.contains(&hash), "only its hash is there");
}
