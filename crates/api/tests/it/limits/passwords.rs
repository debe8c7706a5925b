//! How often a password may be guessed.

use futures_util::future::join_all;
use http::Method;
use models::account_mail::LinkPurpose;
use serde_json::json;

use super::{TOO_MANY, number};
use crate::app::{Answer, PASSWORD, TestApp};

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
    let refused = user.get("/audit?event=password_refused").await;
    let refused = refused.expect(200)["events"].as_array().unwrap().clone();
    assert_eq!(refused.len(), looked_at);
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
async fn a_failure_tells_what_is_left_of_the_nearer_limit_and_not_whether_there_is_an_account() {
    let settings = [
        ("RATE_LIMIT_AUTH_PER_MINUTE", "6"),
        ("LOGIN_FAILURES_PER_15_MINUTES", "4"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::with(&settings).await;
    let user = app.user().await;
    let told = |answer: &Answer| {
        ["ratelimit-limit", "ratelimit-remaining"].map(|header| number(answer, header))
    };
    let login = async |address: &str, email: &str, password: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", address),
        ];
        let body = json!({"email": email, "password": password}).to_string();
        let answer = app.send(Method::POST, "/auth/login", &headers, body).await;
        let window = if answer.status == 200 { 60 } else { 15 * 60 };
        let reset = number(&answer, "ratelimit-reset");
        assert!((window - 30..=window).contains(&reset), "{reset}");
        (answer.status, told(&answer))
    };
    for (address, email) in [
        ("198.51.100.1", user.email.as_str()),
        ("198.51.100.2", "nobody@example.com"),
    ] {
        for left in [3, 2, 1, 0] {
            let answer = login(address, email, "wrong password").await;
            assert_eq!(answer, (401, [4, left]), "{email}");
        }
        let refused = login(address, email, PASSWORD).await;
        assert_eq!(refused, (429, [4, 0]), "{email}");
    }
    // A success counts against the client's limit alone.
    let known = login("198.51.100.3", &user.email, PASSWORD).await;
    assert_eq!(known, (200, [6, 5]));
    // Where a user is asked again; now his client's limit is the nearer one.
    let wrong = json!({"password": "wrong password"}).to_string();
    let mut all = Vec::new();
    for _ in 0..2 {
        let answer = user.send(Method::DELETE, "/auth/me", wrong.clone()).await;
        all.push((answer.status, told(&answer)));
    }
    assert_eq!(all, [(422, [4, 3]), (422, [4, 2])]);
    let lost = user.post("/auth/logout", &json!({})).await;
    assert_eq!((lost.status, told(&lost)), (422, [6, 1]));
    let answer = user.send(Method::DELETE, "/auth/me", wrong).await;
    assert_eq!((answer.status, told(&answer)), (422, [6, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_mail_lifts_what_failed_at_that_account_wherever_and_nothing_else() {
    let settings = [
        ("LOGIN_FAILURES_PER_15_MINUTES", "2"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::with(&settings).await;
    let twin = app.sibling(&settings).await;
    let (user, other) = (app.user().await, app.user().await);
    let login = async |process: &TestApp, address: &str, email: &str, password: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", address),
        ];
        let body = json!({"email": email, "password": password}).to_string();
        let answer = process.send(Method::POST, "/auth/login", &headers, body);
        answer.await
    };
    let addresses = ["198.51.100.1", "198.51.100.2"];
    for email in [&user.email, &other.email] {
        for address in addresses.into_iter().flat_map(|address| [address; 2]) {
            let failed = login(&app, address, email, "wrong password").await;
            failed.problem(401, "invalid-credentials");
        }
    }
    let wrong = json!({"password": "wrong password"}).to_string();
    for status in [422, 422, 429] {
        let answer = user.send(Method::DELETE, "/auth/me", wrong.clone()).await;
        assert_eq!(answer.status, status);
    }
    let body = json!({"email": user.email});
    app.post("/auth/forgot-password", &body).await.expect(202);
    let token = app.link(user.id, LinkPurpose::ResetPassword).await;
    let body = json!({"token": token, "new_password": "battery staple"});
    app.post("/auth/reset-password", &body).await.expect(204);
    for (process, address) in [(&twin, addresses[0]), (&app, addresses[1])] {
        let pair = login(process, address, &user.email, "battery staple").await;
        let again = user.with(&pair.expect(200));
        let asked = again.send(Method::DELETE, "/auth/me", wrong.clone()).await;
        asked.problem(422, "validation-failed");
        let others = login(process, address, &other.email, PASSWORD).await;
        others.problem(429, TOO_MANY);
    }
}

/// A hash of this cost takes a test build some tenths of a second.
const SLOW: &str = "9";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_storm_waits_a_bounded_time_and_holds_nobody_else_up() {
    let app = TestApp::with(&[("BCRYPT_COST", SLOW)]).await;
    let user = app.user().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    // More than all cores hash in the time that one waits for a turn.
    let emails: Vec<String> = (0..150 * cores)
        .map(|n| match n % 2 {
            0 => user.email.clone(),
            _ => format!("nobody{n}@example.com"),
        })
        .collect();
    let storm = join_all(emails.iter().map(|email| app.login(email, PASSWORD)));
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
        .filter(|answer| !matches!(answer.status, 200 | 401))
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
    // Where nothing was compared, nobody failed. Others are counted twice: with their address and without.
    let failed = answers.iter().filter(|answer| answer.status == 401).count();
    let counted =
        "SELECT coalesce(sum(asked), 0)::bigint FROM rate_limits WHERE key LIKE 'logins %'";
    assert_eq!(
        usize::try_from(app.db.value::<i64>(counted).await).unwrap(),
        2 * failed
    );
}
