//! How often mail may be asked for.

use http::Method;
use serde_json::{Value, json};

use super::{TOO_MANY, number};
use crate::app::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_asked_for_three_mails_an_hour_whether_or_not_it_exists() {
    let settings = [("RATE_LIMIT_MAILS_PER_HOUR", "3")];
    let app = TestApp::with(&settings).await;
    let twin = app.sibling(&settings).await;
    let (user, other) = (app.user().await, app.user().await);
    let nobody = "nobody@example.com";
    let paths = ["/auth/forgot-password", "/auth/resend-verify"];
    for email in [user.email.as_str(), nobody] {
        let email = json!({"email": email.to_uppercase()});
        for (path, process) in [(paths[0], &app), (paths[1], &twin), (paths[0], &twin)] {
            process.post(path, &email).await.expect(202);
        }
        // Both routes, both processes.
        for path in paths {
            for process in [&app, &twin] {
                let answer = process.post(path, &email).await;
                answer.problem(429, TOO_MANY);
                assert!((3590..=3600).contains(&number(&answer, "retry-after")));
                assert_eq!(number(&answer, "ratelimit-limit"), 3);
                assert_eq!(number(&answer, "ratelimit-remaining"), 0);
            }
        }
    }
    let asked = async || app.mails().await.len();
    assert_eq!(asked().await, 3, "what was refused is not sent");
    let email = json!({"email": other.email});
    app.post(paths[0], &email).await.expect(202);
    app.advance_seconds(3600);
    app.post(paths[1], &json!({"email": user.email}))
        .await
        .expect(202);
    assert_eq!(asked().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_flooded_by_registrations_or_moves_in_his_name() {
    let settings = [
        ("RATE_LIMIT_MAILS_PER_HOUR", "3"),
        ("EMAIL_VERIFICATION", "required"),
    ];
    let app = TestApp::with(&settings).await;
    let register = json!({"email": "ann@example.com", "password": PASSWORD});
    for _ in 0..3 {
        app.post("/auth/register", &register).await.expect(201);
    }
    let answer = app.post("/auth/register", &register).await;
    answer.problem(429, TOO_MANY);
    assert!(number(&answer, "retry-after") > 3500);
    assert_eq!(app.mails().await.len(), 3);

    // One account asks many addresses, and many accounts one address.
    let register = json!({"email": "bob@example.com", "password": PASSWORD});
    app.post("/auth/register", &register).await.expect(201);
    app.db.execute("UPDATE users SET is_verified = true").await;
    let token = |pair: &Value| pair["access_token"].as_str().unwrap().to_owned();
    let pair = app.login("bob@example.com", PASSWORD).await.expect(200);
    let bearer = format!("Bearer {}", token(&pair));
    let move_to = async |email: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let body = json!({"email": email, "password": PASSWORD}).to_string();
        app.send(Method::POST, "/auth/change-email", &headers, body)
            .await
    };
    move_to("ann@example.com").await.problem(429, TOO_MANY);
    for n in 0..3 {
        let email = format!("bob{n}@example.org");
        move_to(&email).await.expect(202);
    }
    let answer = move_to("bob3@example.org").await;
    answer.problem(429, TOO_MANY);
    assert!(number(&answer, "retry-after") > 3500);
}
