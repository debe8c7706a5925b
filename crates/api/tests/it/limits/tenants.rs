//! How often a tenant may read and write.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{TOO_MANY, number};
use crate::app::{Answer, PASSWORD, TestApp, User};

async fn reads(users: &[&User<'_>], count: usize) -> Vec<Answer> {
    join_all(
        users
            .iter()
            .cycle()
            .take(count)
            .map(|user| user.get("/services")),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_together_never_let_a_tenant_pass_more_than_his_limit() {
    let settings = [
        ("RATE_LIMIT_READS_PER_MINUTE", "60"),
        ("RATE_LIMIT_WRITES_PER_MINUTE", "4"),
    ];
    let app = TestApp::with(&settings).await;
    let twin = app.sibling(&settings).await;
    let user = app.user().await;
    let there = user.at(&twin);
    let answers = reads(&[&user, &there], 150).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    // Each may hold back the rest of one block of 5 %.
    assert!((56..=60).contains(&passed), "{passed}");
    let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
    refused.problem(429, TOO_MANY);
    assert_eq!(number(refused, "ratelimit-limit"), 60);
    // What 150 requests cost the database: a block of three each time, and one refusal a process.
    let asked: i64 = app
        .db
        .value("SELECT asked FROM rate_limits WHERE key LIKE 'reads %'")
        .await;
    assert!(asked <= 60 + 2 * 3, "{asked}");
    // Writes are counted apart, and other tenants, too.
    let statuses: Vec<u16> = {
        let bad = json!({});
        join_all(
            [&user, &there]
                .into_iter()
                .cycle()
                .take(9)
                .map(|user| user.create(&bad)),
        )
        .await
        .iter()
        .map(|answer| answer.status)
        .collect()
    };
    assert_eq!(
        statuses.iter().filter(|status| **status == 422).count(),
        4,
        "{statuses:?}"
    );
    let other = app.user().await;
    let answer = other.get("/services").await;
    answer.expect(200);
    assert_eq!(number(&answer, "ratelimit-remaining"), 59);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_leaked_key_or_session_cannot_keep_its_owner_from_ending_it() {
    let settings = [
        ("RATE_LIMIT_READS_PER_MINUTE", "5"),
        ("RATE_LIMIT_WRITES_PER_MINUTE", "5"),
    ];
    let app = TestApp::with(&settings).await;
    let stolen = app.user().await;
    let pair: Value = app.login(&stolen.email, PASSWORD).await.expect(200);
    let owner = User {
        token: pair["access_token"].as_str().unwrap().to_owned(),
        ..stolen.at(&app)
    };
    // The thief spends all that the tenant may, and all that his session may.
    for (read, write) in [
        ("/services", "/services"),
        ("/auth/me", "/auth/change-password"),
    ] {
        for _ in 0..5 {
            stolen.get(read).await.expect(200);
            stolen.post(write, &json!({})).await.expect(422);
        }
        stolen.get(read).await.problem(429, TOO_MANY);
        stolen.post(write, &json!({})).await.problem(429, TOO_MANY);
    }
    owner.get("/services").await.problem(429, TOO_MANY);
    owner.get("/auth/me").await.expect(200);
    owner.get("/api-keys").await.expect(200);
    owner.post("/auth/logout-all", &json!({})).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_spends_nothing_of_its_user() {
    let app = TestApp::with(&[("RATE_LIMIT_READS_PER_MINUTE", "5")]).await;
    let user = app.user().await;
    app.db.execute("UPDATE users SET token_epoch = 1").await;
    for _ in 0..20 {
        user.get("/services").await.problem(401, "unauthorized");
    }
    let pair: Value = app.login(&user.email, PASSWORD).await.expect(200);
    let renewed = User {
        token: pair["access_token"].as_str().unwrap().to_owned(),
        ..user.at(&app)
    };
    for _ in 0..5 {
        renewed.get("/services").await.expect(200);
    }
    renewed.get("/services").await.problem(429, TOO_MANY);
}
