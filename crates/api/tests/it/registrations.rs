//! Registering an address again before anybody confirmed it: who reads its mails decides whose account it is.

use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{Answer, PASSWORD, TestApp};

const REQUIRED: (&str, &str) = ("EMAIL_VERIFICATION", "required");
const ANN: &str = "ann@example.com";
const HERS: &str = "what Ann chose";
const OTHER: &str = "battery staple";

async fn register(app: &TestApp, password: &str, name: Option<&str>) -> Value {
    let body = json!({"email": ANN, "password": password, "username": name});
    app.post("/auth/register", &body).await.expect(201)
}

async fn ann(app: &TestApp) -> Uuid {
    let id: String = app.db.value("SELECT id::text FROM users").await;
    id.parse().unwrap()
}

async fn use_link(app: &TestApp, purpose: LinkPurpose, password: Option<&str>) -> Answer {
    let token = app.link(ann(app).await, purpose).await;
    match password {
        Some(new) => {
            let body = json!({"token": token, "new_password": new});
            app.post("/auth/reset-password", &body).await
        }
        None => app.post("/auth/verify", &json!({"token": token})).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_again_with_the_same_password_gets_another_link_to_confirm() {
    let app = TestApp::with(&[REQUIRED]).await;
    register(&app, HERS, Some("ann")).await;
    app.db.execute("DELETE FROM mail_tokens").await; // the first mail is lost
    let again = register(&app, HERS, Some("Ann Lee")).await;
    let mails = app.mails().await;
    assert_eq!(mails, ["verify_email → ann@example.com"; 2]);
    app.login(ANN, HERS)
        .await
        .problem(403, "email-not-verified");
    let confirmed = use_link(&app, LinkPurpose::VerifyEmail, None).await;
    confirmed.expect(200);
    let pair = app.login(ANN, HERS).await.expect(200);
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let me = app.send(Method::GET, "/auth/me", &headers, "").await;
    assert_eq!(me.expect(200)["username"], again["username"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registered_a_strangers_address_first_does_not_get_her_account() {
    let app = TestApp::with(&[REQUIRED]).await;
    register(&app, PASSWORD, Some("mallory")).await;
    register(&app, "what Mallory says next", Some("mallory2")).await;
    register(&app, HERS, None).await;
    let mails = app.mails().await;
    let told = [
        "verify_email → ann@example.com",
        "address_unconfirmed → ann@example.com",
        "address_unconfirmed → ann@example.com",
    ];
    assert_eq!(
        mails, told,
        "no link that would confirm what nobody can open"
    );
    for password in [PASSWORD, HERS] {
        let answer = app.login(ANN, password).await;
        answer.problem(401, "invalid-credentials");
    }
    // Nor by the older mail, which confirms the address and no password.
    use_link(&app, LinkPurpose::VerifyEmail, None)
        .await
        .expect(200);
    for password in [PASSWORD, HERS] {
        let answer = app.login(ANN, password).await;
        answer.problem(401, "invalid-credentials");
    }
    let chosen = use_link(&app, LinkPurpose::ResetPassword, Some(OTHER)).await;
    chosen.expect(204);
    app.login(ANN, OTHER).await.expect(200);
    // Hers alone, and once it is confirmed nobody takes it from her.
    register(&app, PASSWORD, None).await;
    app.login(ANN, OTHER).await.expect(200);
    assert_eq!(app.mails().await.len(), 4);
    assert!(app.mails().await[3].starts_with("address_known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_registration_that_is_sent_twice_at_once_keeps_its_password() {
    let app = TestApp::with(&[REQUIRED]).await;
    let twin = TestApp::on(std::sync::Arc::clone(&app.db), &[REQUIRED]).await;
    let twice = [&app, &twin, &app, &twin].map(|process| register(process, HERS, None));
    futures_util::future::join_all(twice).await;
    let mails = app.mails().await;
    assert_eq!(mails, ["verify_email → ann@example.com"; 4]);
    use_link(&app, LinkPurpose::VerifyEmail, None)
        .await
        .expect(200);
    app.login(ANN, HERS).await.expect(200);
    twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_opens_nothing_of_a_locked_account() {
    let app = TestApp::with(&[REQUIRED]).await;
    register(&app, PASSWORD, None).await;
    let hash: String = app.db.value("SELECT password_hash FROM users").await;
    app.db
        .execute("UPDATE users SET locked_at = now(); DELETE FROM mail_tokens")
        .await;
    for password in [PASSWORD, HERS] {
        register(&app, password, None).await;
    }
    assert_eq!(
        app.mails().await[1..],
        ["address_known → ann@example.com"; 2]
    );
    let links: i64 = app.db.value("SELECT count(*) FROM mail_tokens").await;
    assert_eq!(links, 0);
    let now: String = app.db.value("SELECT password_hash FROM users").await;
    assert_eq!(now, hash);
}
