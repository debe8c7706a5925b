//! What durations tell of an account. Minutes, so only with `--long`; it prints, since a busy machine decides nothing.

use std::time::Duration;

use runtime::env::{ProcessEnv, Vars as _};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::{PASSWORD, TestApp};

const TRIES: usize = 200;

async fn median(app: &TestApp, path: &str, body: impl Fn() -> serde_json::Value) -> Duration {
    let mut taken = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let body = body();
        let started = Instant::now();
        app.post(path, &body).await;
        taken.push(started.elapsed());
    }
    taken.sort_unstable();
    taken[TRIES / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn known_and_unknown_addresses_take_as_long() {
    if ProcessEnv.var("PULSEMON_TEST_LONG").is_none() {
        return;
    }
    let generous = [
        "RATE_LIMIT_AUTH_PER_MINUTE",
        "RATE_LIMIT_MAILS_PER_HOUR",
        "LOGIN_FAILURES_PER_15_MINUTES",
    ];
    let mut settings = vec![("BCRYPT_COST", "8")];
    settings.extend(generous.map(|name| (name, "100000")));
    let app = TestApp::with(&settings).await;
    let user = app.user().await;
    let known = || user.email.clone();
    let unknown = || format!("{}@example.com", Uuid::new_v4().simple());
    let wrong = format!("not {PASSWORD}");
    let login = |email: String| json!({"email": email, "password": wrong});
    let forgot = |email: String| json!({"email": email});
    let rows = [
        (
            "login, known",
            median(&app, "/auth/login", || login(known())).await,
        ),
        (
            "login, unknown",
            median(&app, "/auth/login", || login(unknown())).await,
        ),
        (
            "forgot, known",
            median(&app, "/auth/forgot-password", || forgot(known())).await,
        ),
        (
            "forgot, unknown",
            median(&app, "/auth/forgot-password", || forgot(unknown())).await,
        ),
    ];
    for (what, median) in rows {
        println!("median of {TRIES}, {what}: {median:?}");
    }
}
