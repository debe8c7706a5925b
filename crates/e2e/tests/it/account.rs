//! An account's whole life, as its owner's mailbox and his client see it.

use http::Method;
use serde_json::{Value, json};
use testkit::eventually;

use crate::client::{Answer, send};
use crate::stack::{Plan, Stack};

const FIRST: &str = "correct horse battery";
const SECOND: &str = "staple of the horse";

async fn post(stack: &Stack, path: &str, body: Value) -> Answer {
    ask(stack, (Method::POST, path), None, Some(body)).await
}

async fn ask(
    stack: &Stack,
    (method, path): (Method, &str),
    token: Option<&str>,
    body: Option<Value>,
) -> Answer {
    let path = format!("/api/v1{path}");
    send(stack.api, method, &path, token, body.as_ref())
        .await
        .expect("the api answers")
}

async fn login(stack: &Stack, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    post(stack, "/auth/login", body).await
}

/// The token in the newest mail of this subject, which leads to this page.
async fn mailed(stack: &Stack, to: &str, subject: &str, page: &str) -> String {
    let mail = eventually(async || {
        let mut mails = stack.resend.accepted().into_iter().rev();
        mails.find(|mail| mail.field("to") == to && mail.field("subject") == subject)
    })
    .await;
    let link = format!("http://pulsemon.example{page}?token=");
    let token = |part: &str| {
        let text = mail.field(part);
        let after = text.split(&link).nth(1);
        let after = after.unwrap_or_else(|| panic!("no {link} in {text}"));
        after.chars().take(43).collect::<String>()
    };
    assert_eq!(token("html"), token("text"));
    token("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_lives_by_its_mails_from_the_first_to_the_last() {
    let stack = Stack::with(Plan::default().with("EMAIL_VERIFICATION", "required")).await;
    let (old, new) = ("ann@example.com", "ann@example.org");
    let account = json!({"email": old, "password": FIRST});
    post(&stack, "/auth/register", account).await.expect(201);
    login(&stack, old, FIRST).await.expect(403);
    let verify = mailed(&stack, old, "Confirm your e-mail address", "/auth/verify").await;
    let body = json!({"token": verify});
    post(&stack, "/auth/verify", body).await.expect(200);
    let pair = login(&stack, old, FIRST).await.expect(200);
    let token = pair["access_token"].as_str();
    let service = json!({"name": "a", "url": "https://a.example/", "is_active": false});
    let created = ask(&stack, (Method::POST, "/services"), token, Some(service)).await;
    created.expect(201);

    let wish = json!({"email": new, "password": FIRST});
    let asked = ask(
        &stack,
        (Method::POST, "/auth/change-email"),
        token,
        Some(wish),
    )
    .await;
    asked.expect(202);
    let subject = "Your account is to move to another address";
    let leave = mailed(&stack, old, subject, "/auth/confirm-email").await;
    let subject = "Confirm your new e-mail address";
    let take = mailed(&stack, new, subject, "/auth/confirm-email").await;
    for (link, is_changed) in [(&take, false), (&leave, true)] {
        let answer = post(&stack, "/auth/confirm-email", json!({"token": link})).await;
        assert_eq!(answer.expect(200)["is_changed"], is_changed);
    }

    let body = json!({"email": new});
    post(&stack, "/auth/forgot-password", body)
        .await
        .expect(202);
    let reset = mailed(&stack, new, "Choose a new password", "/auth/reset-password").await;
    let body = json!({"token": reset, "new_password": SECOND});
    post(&stack, "/auth/reset-password", body).await.expect(204);
    ask(&stack, (Method::GET, "/auth/me"), token, None)
        .await
        .expect(401);
    let pair = login(&stack, new, SECOND).await.expect(200);
    let token = pair["access_token"].as_str();

    // Every mail went once, and no token ever lay in the database.
    eventually(async || {
        let waiting = "SELECT count(*) FROM deliveries WHERE status <> 'sent'";
        stack.db.value::<i64>(waiting).await == 0
    })
    .await;
    assert_eq!(stack.resend.accepted().len(), 4);
    let rows = "SELECT string_agg(d::text, ' ') FROM deliveries d";
    let rows: String = stack.db.value(rows).await;
    for link in [verify, leave, take, reset] {
        assert!(!rows.contains(&link));
    }

    let body = json!({"password": SECOND});
    ask(&stack, (Method::DELETE, "/auth/me"), token, Some(body))
        .await
        .expect(204);
    login(&stack, new, SECOND).await.expect(401);
    eventually(async || stack.db.value::<i64>("SELECT count(*) FROM purge").await == 0).await;
    stack.stop().await;
}
