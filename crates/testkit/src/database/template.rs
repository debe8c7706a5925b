//! The migrated database that all others are copied from.

use chrono::TimeDelta;
use db::partitions::{self, Keep};
use tokio::sync::OnceCell;
use url::Url;

use super::{admin, connect, now, reaper};

/// Raise it when what a template holds changes without the migrations changing.
const VERSION: u32 = 1;
const PREFIX: &str = "pulsemon_template_";
/// Held while a template is built or old ones are removed, by all test processes of a server.
const LOCK: i64 = 0x7075_6c73_0003;
/// Every copy pays for each partition, and no test looks further back.
const KEEP: Keep = Keep {
    results: 31,
    hourly: 35,
    daily: 62,
};

static READY: OnceCell<String> = OnceCell::const_new();

/// The template's name, after building it where it is not there yet.
pub(super) async fn ready(server: &Url) -> &'static str {
    READY.get_or_init(|| build(server)).await
}

async fn build(server: &Url) -> String {
    // The partitions follow the calendar, so a template is good for one day.
    let today = now().format("%Y%m%d").to_string();
    let name = format!("{PREFIX}{today}_{VERSION}_{}", db::migrations::FINGERPRINT);
    let client = admin::client(server).await;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .expect("lock the template");
    let existing = admin::databases(&client, PREFIX).await;
    if !existing.contains(&name) {
        // Named like a test's own, so that the sweep takes it if we are killed.
        let building = reaper::fresh_name();
        let sql = format!("CREATE DATABASE {building}");
        client
            .batch_execute(&sql)
            .await
            .expect("create the template");
        fill(server, &building).await;
        // The rename is what makes it visible, and it fails while anybody is connected.
        let sql = format!("ALTER DATABASE {building} RENAME TO {name}");
        client
            .batch_execute(&sql)
            .await
            .expect("publish the template");
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
        client
            .batch_execute(&sql)
            .await
            .expect("close the template");
    }
    let yesterday = (now() - TimeDelta::days(1)).format("%Y%m%d").to_string();
    for old in existing {
        let day = old.trim_start_matches(PREFIX).get(..8);
        if day.is_some_and(|day| *day < *yesterday) {
            // Another process may be faster; then it is gone as wanted.
            drop(
                client
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {old}"))
                    .await,
            );
        }
    }
    name
}

async fn fill(server: &Url, name: &str) {
    let mut url = server.clone();
    url.set_path(name);
    let db = connect(&url, 2);
    db::migrations::migrate(&db)
        .await
        .expect("the migrations run");
    partitions::ensure(&db, now(), KEEP)
        .await
        .expect("the partitions are made");
    db.close().await;
    let client = admin::client(server).await;
    let open = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    crate::eventually(async || {
        let open: i64 = client
            .query_one(&open, &[])
            .await
            .expect("count sessions")
            .get(0);
        open == 0
    })
    .await;
}
