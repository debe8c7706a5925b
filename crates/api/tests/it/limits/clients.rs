//! How often an address may use the account routes.

use http::Method;
use serde_json::json;

use super::{TOO_MANY, number};
use crate::app::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_login_of_a_minute_is_refused_whichever_of_three_processes_it_reaches() {
    let settings = [
        ("RATE_LIMIT_AUTH_PER_MINUTE", "10"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let one = TestApp::with(&settings).await;
    let (two, three) = (one.sibling(&settings).await, one.sibling(&settings).await);
    let login = async |app: &TestApp, address: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", address),
        ];
        let body = json!({"email": "a@example.com", "password": PASSWORD}).to_string();
        app.send(Method::POST, "/api/v1/auth/login", &headers, body)
            .await
    };
    for (n, app) in (0..10_u64).zip([&one, &two, &three].into_iter().cycle()) {
        // one network of IPv6 is one client
        let answer = login(app, &format!("2001:db8::{n}")).await;
        answer.problem(401, "invalid-credentials");
        assert_eq!(number(&answer, "ratelimit-limit"), 10);
        assert_eq!(number(&answer, "ratelimit-remaining"), 9 - n);
        assert!((1..=60).contains(&number(&answer, "ratelimit-reset")));
    }
    for app in [&two, &one, &two] {
        let answer = login(app, "2001:db8::ffff").await;
        answer.problem(429, TOO_MANY);
        assert_eq!(number(&answer, "ratelimit-remaining"), 0);
        assert_eq!(
            answer.header("retry-after"),
            answer.header("ratelimit-reset")
        );
    }
    login(&one, "2001:db8:0:1::1")
        .await
        .problem(401, "invalid-credentials");
    // Who invents hops before the one that we trust stays who he is.
    login(&one, "198.51.100.1, 2001:db8::1")
        .await
        .problem(429, TOO_MANY);
    one.advance_seconds(61);
    login(&one, "2001:db8::1")
        .await
        .problem(401, "invalid-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_route_is_counted_however_its_path_is_written() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_PER_MINUTE", "3")]).await;
    let body = json!({"email": "a@example.com", "password": PASSWORD});
    let login = async |path: &str| app.post(path, &body).await;
    for path in [
        "/auth/login",
        "/%61uth/login",
        "/api/v1/auth/%6cogin",
        "/%61pi/v1/auth/login",
        "/api/%761/%61uth/login",
    ] {
        let answer = login(path).await;
        let is_told = !answer.header("ratelimit-limit").is_empty();
        assert_eq!(is_told, answer.status != 404, "{path} {}", answer.status);
    }
    let spellings = ["/auth/login", "/%61uth/login", "/api/v1/%61uth/login"];
    for path in spellings.into_iter().cycle().take(6) {
        login(path).await;
    }
    for path in spellings {
        login(path).await.problem(429, TOO_MANY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_flood_asks_the_database_nothing() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_PER_MINUTE", "2")]).await;
    for _ in 0..30 {
        app.post("/auth/logout", &json!({"refresh_token": ""}))
            .await;
    }
    let asked: i64 = app
        .db
        .value("SELECT asked FROM rate_limits WHERE key LIKE 'auth %'")
        .await;
    assert_eq!(asked, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tokens_have_a_limit_of_their_own() {
    let settings = [
        ("RATE_LIMIT_AUTH_PER_MINUTE", "2"),
        ("RATE_LIMIT_REFRESH_PER_MINUTE", "3"),
    ];
    let app = TestApp::with(&settings).await;
    let user = app.user().await; // registers and logs in
    let refresh = async || {
        app.post("/auth/refresh", &json!({"refresh_token": "x"}))
            .await
    };
    for _ in 0..3 {
        refresh().await.problem(401, "invalid-refresh-token");
    }
    refresh().await.problem(429, TOO_MANY);
    // and what is read of an account is a read
    user.get("/auth/me").await.expect(200);
    app.login(&user.email, PASSWORD)
        .await
        .problem(429, TOO_MANY);
}
