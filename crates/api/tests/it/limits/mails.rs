//! How many mails an address gets, and that nobody loses his own because of what others ask for.

use std::sync::Arc;

use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, TestApp};

const REQUIRED: (&str, &str) = ("EMAIL_VERIFICATION", "required");
const THREE: (&str, &str) = ("RATE_LIMIT_MAILS_PER_HOUR", "3");
const ANN: &str = "ann@example.com";
const NEW: &str = "battery staple";

async fn register(app: &TestApp, email: &str) -> Answer {
    let body = json!({"email": email, "password": PASSWORD});
    app.post("/auth/register", &body).await
}

async fn ask(app: &TestApp, path: &str, email: &str) {
    let answer = app.post(path, &json!({"email": email})).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""), "{path}");
}

/// How many mails of a kind wait.
async fn sent(app: &TestApp, mail: &str) -> usize {
    let mails = app.mails().await;
    mails.iter().filter(|told| told.starts_with(mail)).count()
}

/// Whoever lives at `email` asks for his account to move.
async fn move_to(app: &TestApp, email: &str, new: &str) -> Answer {
    let pair = app.login(email, PASSWORD).await.expect(200);
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let body = json!({"email": new, "password": PASSWORD}).to_string();
    app.send(Method::POST, "/auth/change-email", &headers, body)
        .await
}

async fn confirmed(app: &TestApp, email: &str) {
    register(app, email).await.expect(201);
    app.db.execute("UPDATE users SET is_verified = true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_ask_for_an_address_takes_nothing_from_its_owner() {
    let app = TestApp::with(&[THREE, REQUIRED]).await;
    for other in ["bob@example.com", "carl@example.com"] {
        confirmed(&app, other).await;
    }
    // Nobody is mailed, so nothing is spent.
    for _ in 0..5 {
        ask(&app, "/auth/resend-verify", ANN).await;
        ask(&app, "/auth/forgot-password", ANN).await;
    }
    for other in ["bob@example.com", "carl@example.com"] {
        move_to(&app, other, ANN).await.expect(202);
    }
    let ann = register(&app, ANN).await.expect(201);
    assert_eq!(sent(&app, "verify_email → ann").await, 1);
    for _ in 0..5 {
        ask(&app, "/auth/resend-verify", ANN).await;
        register(&app, ANN).await.expect(201);
        let theirs = json!({"email": ANN, "password": "a stranger's"});
        app.post("/auth/register", &theirs).await.expect(201);
        ask(&app, "/auth/forgot-password", ANN).await;
    }
    // Each is counted with those that have the same link.
    for (mails, most) in [
        (["verify_email → ann"].as_slice(), 3),
        (&["address_unconfirmed", "reset_password"], 3),
        (&["address_known"], 0),
    ] {
        let mut all = 0;
        for mail in mails {
            all += sent(&app, mail).await;
        }
        assert_eq!(all, most, "{mails:?}: {:?}", app.mails().await);
    }
    // Whoever asked: the link of the last mail works.
    let ann = ann["id"].as_str().unwrap().parse().unwrap();
    let token = app.link(ann, LinkPurpose::VerifyEmail).await;
    let body = json!({"token": token});
    app.post("/auth/verify", &body).await.expect(200);
    let token = app.link(ann, LinkPurpose::ResetPassword).await;
    let body = json!({"token": token, "new_password": NEW});
    app.post("/auth/reset-password", &body).await.expect(204);
    // That link is used up: there is another one for who needs it.
    let before = sent(&app, "reset_password").await;
    ask(&app, "/auth/forgot-password", ANN).await;
    ask(&app, "/auth/forgot-password", ANN).await;
    assert_eq!(sent(&app, "reset_password").await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_sent_three_mails_of_a_kind_an_hour_over_all_processes() {
    let app = TestApp::with(&[THREE]).await;
    let twin = TestApp::on(Arc::clone(&app.db), &[THREE]).await;
    let (user, other) = (app.user().await, app.user().await);
    let asked = async |process: &TestApp, email: &str| {
        ask(process, "/auth/forgot-password", &email.to_uppercase()).await;
    };
    for _ in 0..3 {
        asked(&app, &user.email).await;
        asked(&twin, &user.email).await;
    }
    assert_eq!(sent(&app, "reset_password").await, 3);
    let requested = "SELECT count(*) FROM audit_log WHERE event = 'password_reset_requested'";
    assert_eq!(app.db.value::<i64>(requested).await, 3, "what was sent");
    asked(&twin, &other.email).await;
    assert_eq!(sent(&app, "reset_password").await, 4);
    // The link of the last one has expired: one more, and no flood of them.
    app.advance_seconds(31 * 60);
    for _ in 0..3 {
        asked(&app, &user.email).await;
    }
    assert_eq!(sent(&app, "reset_password").await, 5);
    app.advance_seconds(30 * 60);
    for _ in 0..5 {
        asked(&app, &user.email).await;
    }
    assert_eq!(sent(&app, "reset_password").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_an_account_is_counted_by_the_same_statements() {
    let app = TestApp::with(&[THREE]).await;
    for _ in 0..4 {
        ask(&app, "/auth/forgot-password", "nobody@example.com").await;
    }
    let rows = "SELECT count(*) || ' ' || sum(asked) FROM rate_limits WHERE key LIKE 'mails %'";
    assert_eq!(app.db.value::<String>(rows).await, "1 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_flooded_by_moves_to_his_address_and_one_account_asks_few() {
    let app = TestApp::with(&[THREE, REQUIRED]).await;
    let others: Vec<String> = (0..4).map(|n| format!("bob{n}@example.com")).collect();
    for email in others.iter().map(String::as_str).chain([ANN]) {
        confirmed(&app, email).await;
    }
    // What is refused costs nothing.
    for _ in 0..5 {
        move_to(&app, ANN, ANN)
            .await
            .problem(422, "validation-failed");
    }
    let limited = |answer: &Answer| {
        answer.problem(429, "too-many-requests");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((3500..=3600).contains(&wait), "{wait}");
    };
    // Many accounts and one address: whether it has an account or not.
    register(&app, ANN).await.expect(201);
    for new in [ANN, "nobody@example.com"] {
        for other in &others[..3] {
            move_to(&app, other, new).await.expect(202);
        }
        limited(&move_to(&app, &others[3], new).await);
    }
    assert_eq!(sent(&app, "address_known → ann").await, 3);
    // Nor by moves and registrations together.
    register(&app, ANN).await.expect(201);
    assert_eq!(sent(&app, "address_known → ann").await, 3);
    // One account and many addresses.
    for n in 0..3 {
        let new = format!("ann{n}@example.org");
        move_to(&app, ANN, &new).await.expect(202);
    }
    limited(&move_to(&app, ANN, "ann3@example.org").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_move_to_ones_own_or_a_taken_address_costs_nothing() {
    let app = TestApp::with(&[THREE]).await;
    let (user, other) = (app.user().await, app.user().await);
    for _ in 0..4 {
        let answer = move_to(&app, &user.email, &user.email).await;
        answer.problem(422, "validation-failed");
        let answer = move_to(&app, &user.email, &other.email).await;
        answer.problem(409, "duplicate-email");
    }
    move_to(&app, &user.email, ANN).await.expect(202);
    let mails: Vec<Value> = app.mails().await.into_iter().map(Value::from).collect();
    assert_eq!(mails.len(), 2, "{mails:?}");
}
