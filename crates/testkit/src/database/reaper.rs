//! Removes test databases: each after its test, and those of tests that were killed.

use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;
use uuid::Uuid;

use super::{admin, unix_now};

/// All test databases are called so, followed by the second they were made in.
const PREFIX: &str = "pulsemon_test_";
/// A test that is still running after this hangs anyway.
const LEFT_OVER_AFTER_SECONDS: i64 = 3600;

static SWEPT: AtomicBool = AtomicBool::new(false);

/// A name that nobody has.
pub(super) fn fresh_name() -> String {
    format!("{PREFIX}{}_{}", unix_now(), Uuid::new_v4().simple())
}

/// Drops what earlier runs left, once a process.
pub(super) async fn sweep_once(server: &Url) {
    if SWEPT.swap(true, Ordering::Relaxed) {
        return;
    }
    let client = admin::client(server).await;
    for name in admin::databases(&client, PREFIX).await {
        let made = name
            .trim_start_matches(PREFIX)
            .split('_')
            .next()
            .map(str::parse::<i64>);
        if let Some(Ok(made)) = made
            && made + LEFT_OVER_AFTER_SECONDS < unix_now()
        {
            // Another process may be faster; then it is gone as wanted.
            drop(client.batch_execute(&drop_sql(&name)).await);
        }
    }
}

/// Drops one database from a thread of its own: the caller is a `Drop` inside some runtime.
pub(super) fn drop_database(server: &Url, name: &str) {
    let (server, sql) = (server.clone(), drop_sql(name));
    let reaper = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime for the reaper");
        runtime.block_on(admin::execute(&server, &sql));
    });
    if reaper.join().is_err() {
        eprintln!("a test database was not dropped; the next run sweeps it");
    }
}

fn drop_sql(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}
