//! Logins: what they tell by their time, and what they take from others.

use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;

use crate::client::{Client, PASSWORD, Tenant};

/// Tries of each kind.
const TRIES: usize = 200;
/// People who log in at the same time, again and again.
const STORM: usize = 32;
/// How long.
const STORM_LASTS: Duration = Duration::from_secs(10);
/// Between two questions whether the process lives.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Medians of failed logins at a known and an unknown address.
pub(crate) async fn compare(client: &Client, tenant: &Tenant) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        known.push(timed(client, &tenant.email).await);
        unknown.push(timed(client, "nobody@example.com").await);
    }
    let (known, unknown) = (quantile(&mut known, 50), quantile(&mut unknown, 50));
    let difference = known.abs_diff(unknown);
    println!("| failed login at a known address, median of {TRIES} | {known:.1?} |");
    println!("| failed login at an unknown address, median of {TRIES} | {unknown:.1?} |");
    println!("| their difference (wanted: under 5 ms) | {difference:.2?} |");
}

async fn timed(client: &Client, email: &str) -> Duration {
    let begun = Instant::now();
    let (status, _) = client.login(email, "a wrong password").await;
    assert_eq!(status, 401);
    begun.elapsed()
}

/// `/healthz` alone, and while many log in.
pub(crate) async fn storm(client: &Client, tenant: &Tenant) {
    let mut quiet = ask_health(client, STORM_LASTS / 5).await;
    let mut storm = JoinSet::new();
    let end = Instant::now() + STORM_LASTS;
    for _ in 0..STORM {
        let (client, email) = (client.clone(), tenant.email.clone());
        storm.spawn(async move {
            let (mut done, mut refused) = (0_u32, 0_u32);
            while Instant::now() < end {
                match client.login(&email, PASSWORD).await.0 {
                    200 => done += 1,
                    503 => refused += 1,
                    other => panic!("a login answered {other}"),
                }
            }
            (done, refused)
        });
    }
    let mut busy = ask_health(client, STORM_LASTS).await;
    let counts = storm.join_all().await;
    let done: u32 = counts.iter().map(|count| count.0).sum();
    let refused: u32 = counts.iter().map(|count| count.1).sum();
    let (before, during) = (quantile(&mut quiet, 99), quantile(&mut busy, 99));
    println!("| `/healthz`, 99th percentile, nobody else there | {before:.2?} |");
    println!(
        "| `/healthz`, 99th percentile, {STORM} people logging in ({done} did, {refused} got 503) | {during:.2?} |"
    );
}

async fn ask_health(client: &Client, lasts: Duration) -> Vec<Duration> {
    let end = Instant::now() + lasts;
    let mut times = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        let (status, _) = client
            .send(Method::GET, "/healthz", "", String::new())
            .await;
        assert_eq!(status, 200);
        times.push(begun.elapsed());
        tokio::time::sleep(ASK_EVERY).await;
    }
    times
}

/// The smallest that `percent` of all do not exceed.
pub(crate) fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().expect("at least one")
}
