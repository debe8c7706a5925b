//! What an authenticated read costs, beside bare actix with one lookup.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use testkit::TestDb;
use tokio::task::JoinSet;

use crate::client::{Client, Tenant};
use crate::cpu;
use crate::logins::quantile;
use crate::program::Program;

/// Requests of one round.
const REQUESTS: u32 = 8_000;
/// Connections that they come over.
const CONNECTIONS: u32 = 8;
/// Rounds of each; they alternate, and the median counts.
const ROUNDS: usize = 5;
/// Services of the long list: the largest page.
const SERVICES: usize = 100;

/// What one round took.
#[derive(Debug, Clone, Copy)]
struct Round {
    program: Duration,
    postgres: Duration,
    median: Duration,
}

/// `GET /services/{id}` in turns with the yardstick.
pub(crate) async fn compare(db: &TestDb, api: &Program, client: &Client, tenant: &Tenant) {
    let body = json!({"name": "a", "url": "https://a.example.com/"});
    let (status, service) = client.post("/api/v1/services", &tenant.token, &body).await;
    assert_eq!(status, 201, "{service}");
    let id = service["id"].as_str().expect("an id");
    let path = format!("/api/v1/services/{id}");
    let bare = Program::bare(&tenant.id, db).await;
    let bare_client = Client::new(bare.port());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(round(db, &bare, &bare_client, "/lookup", "").await);
        ours.push(round(db, api, client, &path, &tenant.token).await);
    }
    show("bare actix and one lookup", &mut theirs);
    show("`GET /services/{id}` with a token", &mut ours);
    let ratio = micros(middle(&mut ours, |round| round.program))
        / micros(middle(&mut theirs, |round| round.program));
    println!("| CPU of the program, beside the yardstick (wanted: at most 1.6) | {ratio:.2} |");
}

/// `GET /services` where there are a hundred.
pub(crate) async fn list(db: &TestDb, api: &Program, client: &Client, tenant: &Tenant) {
    for n in 1..SERVICES {
        let body = json!({"name": "a", "url": format!("https://a{n}.example.com/")});
        let (status, _) = client.post("/api/v1/services", &tenant.token, &body).await;
        assert_eq!(status, 201);
    }
    let path = format!("/api/v1/services?limit={SERVICES}");
    let mut rounds = vec![round(db, api, client, &path, &tenant.token).await];
    show("`GET /services`, a page of 100", &mut rounds);
}

async fn round(db: &TestDb, program: &Program, client: &Client, path: &str, token: &str) -> Round {
    let server = cpu::postgres(db).await;
    let read = || {
        (
            cpu::of(program.pid()),
            server.map_or(Duration::ZERO, cpu::of_family),
        )
    };
    let before = read();
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, path, token) = (client.clone(), path.to_owned(), token.to_owned());
        senders.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..REQUESTS / CONNECTIONS {
                let begun = Instant::now();
                let (status, _) = client.send(Method::GET, &path, &token, String::new()).await;
                assert_eq!(status, 200);
                times.push(begun.elapsed());
            }
            times
        });
    }
    let mut times: Vec<Duration> = senders.join_all().await.into_iter().flatten().collect();
    let after = read();
    Round {
        program: after.0.saturating_sub(before.0) / REQUESTS,
        postgres: after.1.saturating_sub(before.1) / REQUESTS,
        median: quantile(&mut times, 50),
    }
}

fn show(what: &str, rounds: &mut [Round]) {
    let program = micros(middle(rounds, |round| round.program));
    let postgres = micros(middle(rounds, |round| round.postgres));
    let median = middle(rounds, |round| round.median);
    println!(
        "| {what}: CPU of the program, of PostgreSQL, median time | {program:.0} µs, {postgres:.0} µs, {median:.2?} |"
    );
}

fn middle(rounds: &mut [Round], of: impl Fn(&Round) -> Duration) -> Duration {
    let mut values: Vec<Duration> = rounds.iter().map(of).collect();
    quantile(&mut values, 50)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
