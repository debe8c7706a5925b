//! What durations tell of an account. Only with `--long`; it prints, since a busy machine decides nothing. (Logins are
//! compared by `cargo xtask bench api`.)

use std::time::Duration;

use runtime::env::{ProcessEnv, Vars as _};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::TestApp;

const TRIES: usize = 200;

async fn median(app: &TestApp, path: &str, email: impl Fn() -> String) -> Duration {
    let mut taken = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let body = json!({"email": email()});
        let started = Instant::now();
        app.post(path, &body).await.expect(202);
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
