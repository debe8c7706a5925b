//! How often anybody may ask, over all processes.

use std::sync::Arc;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, TestApp, User};

const TOO_MANY: &str = "too-many-requests";

impl TestApp {
    /// Another process with these settings on the same database.
    async fn sibling(&self, settings: &[(&str, &str)]) -> Self {
        Self::on(Arc::clone(&self.db), settings).await
    }
}

fn number(answer: &Answer, header: &str) -> u64 {
    answer
        .header(header)
        .parse()
        .unwrap_or_else(|_| panic!("{header}: {:?}", answer.headers))
}

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

#[tokio::test(flavor = "multi_thread")]
async fn five_failed_logins_of_an_account_and_address_are_enough_and_its_owner_gets_in_from_elsewhere()
 {
    let settings = [
        ("LOGIN_FAILURES_PER_15_MINUTES", "5"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::with(&settings).await;
    let twin = app.sibling(&settings).await;
    let user = app.user().await;
    let login = async |app: &TestApp, address: &str, email: &str, password: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", address),
        ];
        let body = json!({"email": email, "password": password}).to_string();
        app.send(Method::POST, "/auth/login", &headers, body).await
    };
    // At once, for who tries many passwords does not wait for answers; an unknown account is told apart by nothing.
    for email in [user.email.as_str(), "nobody@example.com"] {
        let tries = [&app, &twin].into_iter().cycle().take(9);
        let answers =
            join_all(tries.map(|app| login(app, "198.51.100.1", email, "wrong password"))).await;
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        assert_eq!(refused, 4, "{email}");
    }
    login(&app, "198.51.100.1", &user.email.to_uppercase(), PASSWORD)
        .await
        .problem(429, TOO_MANY);
    login(&app, "198.51.100.2", &user.email, PASSWORD)
        .await
        .expect(200);
    app.advance_seconds(15 * 60 + 1);
    for _ in 0..3 {
        // a success begins the count anew
        for _ in 0..3 {
            login(&app, "198.51.100.1", &user.email, "wrong password")
                .await
                .problem(401, "invalid-credentials");
        }
        login(&app, "198.51.100.1", &user.email, PASSWORD)
            .await
            .expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_guesses_no_password_wherever_it_is_used_and_whatever_for() {
    let settings = [
        ("LOGIN_FAILURES_PER_15_MINUTES", "5"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::with(&settings).await;
    let twin = app.sibling(&settings).await;
    let (user, stranger) = (app.user().await, app.user().await);
    let uses = async |n: usize, password: &str| {
        let (method, path, body) = match n % 3 {
            0 => (
                Method::POST,
                "/auth/change-password",
                json!({"current_password": password, "new_password": "battery staple"}),
            ),
            1 => (
                Method::POST,
                "/auth/change-email",
                json!({"password": password, "email": "thief@example.com"}),
            ),
            _ => (Method::DELETE, "/auth/me", json!({"password": password})),
        };
        let (bearer, address) = (format!("Bearer {}", user.token), format!("198.51.100.{n}"));
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
            ("x-forwarded-for", address.as_str()),
        ];
        let process = [&app, &twin][n % 2];
        loop {
            let body = body.to_string();
            let answer = process.send(method.clone(), path, &headers, body).await;
            if answer.status != 503 {
                return answer; // 503: so many at once, asked again
            }
        }
    };
    // Each from an address of its own, all at once.
    let answers = join_all((0..9).map(|n| uses(n, "wrong password"))).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 422).count();
    assert!((1..=5).contains(&looked_at), "{looked_at}");
    for answer in answers.iter().filter(|answer| answer.status != 422) {
        answer.problem(429, TOO_MANY);
        assert!((1..=15 * 60).contains(&number(answer, "retry-after")));
    }
    // Even the right one is not looked at, so that nobody learns which it is.
    for n in 0..3 {
        uses(n, PASSWORD).await.problem(429, TOO_MANY);
    }
    // Its owner sees what was tried, ends the thief's token without a password, and logs in.
    let failed = user.get("/audit?event=login_failed").await.expect(200);
    assert_eq!(failed["events"].as_array().unwrap().len(), looked_at);
    user.post("/auth/logout-all", &json!({})).await.expect(204);
    user.get("/auth/me").await.problem(401, "unauthorized");
    let pair = app.login(&user.email, PASSWORD).await.expect(200);
    let owner = user.with(&pair);
    let gone = json!({"password": "wrong password"}).to_string();
    let other = stranger.send(Method::DELETE, "/auth/me", gone).await;
    other.problem(422, "validation-failed");
    app.advance_seconds(15 * 60 + 1);
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        owner.post("/auth/change-password", &body).await
    };
    // A right one begins the count anew.
    for _ in 0..4 {
        change("wrong password", "battery staple")
            .await
            .problem(422, "validation-failed");
    }
    let owner = owner.with(&change(PASSWORD, "battery staple").await.expect(200));
    let body = json!({"password": "wrong password"}).to_string();
    for _ in 0..5 {
        let again = owner.send(Method::DELETE, "/auth/me", body.clone()).await;
        again.problem(422, "validation-failed");
    }
    let again = owner.send(Method::DELETE, "/auth/me", body).await;
    again.problem(429, TOO_MANY);
}

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

/// A hash of this cost takes a test build some tenths of a second.
const SLOW: &str = "9";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_storm_waits_a_bounded_time_and_holds_nobody_else_up() {
    let app = TestApp::with(&[("BCRYPT_COST", SLOW)]).await;
    let user = app.user().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    // More than all cores hash in the time that one waits for a turn.
    let storm = join_all((0..60 * cores).map(|_| app.login(&user.email, PASSWORD)));
    let others = async {
        let mut answered = 0;
        for _ in 0..5 {
            app.get("/healthz").await.expect(200);
            user.get("/auth/me").await.expect(200);
            answered += 1;
        }
        answered
    };
    let mut storm = std::pin::pin!(storm);
    let answered = tokio::select! {
        biased;
        answered = others => answered,
        _ = &mut storm => panic!("the storm was over before others were answered"),
    };
    assert_eq!(answered, 5);
    let answers = storm.await;
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .collect();
    assert!(
        !refused.is_empty() && refused.len() < answers.len(),
        "{} of {}",
        refused.len(),
        answers.len()
    );
    for answer in refused {
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2");
    }
}
