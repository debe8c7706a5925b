//! What durations tell of an account. Only with `--long`; it prints, since a busy machine decides nothing. (Logins are
//! compared by `cargo xtask bench api`.)

use std::time::Duration;

use runtime::env::{ProcessEnv, Vars as _};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::{PASSWORD, TestApp};

const TRIES: usize = 200;

async fn median(app: &TestApp, path: &str, email: impl Fn() -> String) -> Duration {
    let body = || json!({"email": email()});
    of_many(app, path, body, 202).await
}

async fn of_many(app: &TestApp, path: &str, body: impl Fn() -> Value, status: u16) -> Duration {
    let mut taken = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let body = body();
        let started = Instant::now();
        app.post(path, &body).await.expect(status);
        taken.push(started.elapsed());
    }
    taken.sort_unstable();
    taken[TRIES / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_mail_takes_as_long_for_known_and_unknown_addresses() {
    if ProcessEnv.var("PULSEMON_TEST_LONG").is_none() {
        return;
    }
    let app = TestApp::start().await;
    let user = app.user().await;
    for path in ["/auth/forgot-password", "/auth/resend-verify"] {
        let known = median(&app, path, || user.email.clone()).await;
        let nobody = || format!("{}@example.com", Uuid::new_v4().simple());
        let unknown = median(&app, path, nobody).await;
        println!("median of {TRIES}, {path}: known {known:.2?}, unknown {unknown:.2?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_takes_as_long_for_known_and_unknown_addresses() {
    if ProcessEnv.var("PULSEMON_TEST_LONG").is_none() {
        return;
    }
    let app = TestApp::with(&[("EMAIL_VERIFICATION", "required")]).await;
    let random = || Uuid::new_v4().simple().to_string();
    let body = |email: String| json!({"email": email, "password": PASSWORD, "username": random()});
    let known = "known@example.com".to_owned();
    app.post("/auth/register", &body(known.clone()))
        .await
        .expect(201);
    let path = "/auth/register";
    let fresh = || body(format!("{}@example.com", random()));
    let unknown = of_many(&app, path, fresh, 201).await;
    let known = of_many(&app, path, || body(known.clone()), 201).await;
    println!("median of {TRIES}, {path}: known {known:.2?}, unknown {unknown:.2?}");
}
