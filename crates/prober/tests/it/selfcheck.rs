//! A prober that can't trust itself judges nobody, says so, and comes back.

use std::sync::Arc;

use models::message::ProbeJob;
use models::probe::{ErrorKind, Outcome, ProbeResult};
use runtime::env::OpsConfig;
use testkit::{FakeDns, FakeTarget, Reply, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::support::stage::{Stage, held};
use crate::support::target::{OK, Target};

/// The job of a target by a name, which is never written in a hosts file.
fn by_name(mut job: ProbeJob, target: &Target) -> ProbeJob {
    job.url = format!("http://watched.example:{}/", target.addr.port());
    job
}

/// A port where nobody listens.
pub(crate) fn free_port() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// The answer of an ops port, head and body.
pub(crate) async fn read_ops(ops: std::net::SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(ops).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

pub(crate) async fn ready_says(ops: std::net::SocketAddr, status: &str, text: &str) {
    eventually(|| async {
        let answer = read_ops(ops, "/readyz").await;
        let answer = answer.map_err(|error| error.to_string())?;
        let is_so = answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(text);
        if is_so { Ok(()) } else { Err(answer) }
    })
    .await;
}

fn kind(result: &ProbeResult) -> (Outcome, Option<ErrorKind>) {
    (
        result.outcome,
        result.error.as_ref().map(|error| error.kind),
    )
}

const INCONCLUSIVE: (Outcome, Option<ErrorKind>) =
    (Outcome::Inconclusive, Some(ErrorKind::Internal));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prober_that_loses_its_resolver_hands_back_what_has_not_begun_and_judges_nobody() {
    let names = FakeDns::start().await;
    names.name("watched.example", [Reply::addresses(["127.0.0.1"])]);
    let ops = free_port();
    let mut stage = Stage::with(|config| {
        config.name_server = Some(names.addr());
        config.ops = OpsConfig { listen: ops };
    })
    .await;
    let target = Target::answering(OK).await;
    let gate = Arc::new(Semaphore::new(0));
    let slow = held(gate.clone()).await;
    let named = |stage: &Stage, n| vec![by_name(stage.job(&target, n, 0), &target)];
    stage.send(named(&stage, 1)).await;
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    ready_says(ops, "200", "self-check").await;

    // One probe runs, one batch has not begun, and then the first lookup fails.
    stage.send(vec![stage.job(&slow, 2, 0)]).await;
    eventually(|| async { slow.connections() == 1 }).await;
    stage.send(vec![stage.job(&target, 3, 8_000)]).await;
    names.fail();
    // Behind the other, so that it is the proof that the prober has both.
    stage.send(named(&stage, 4)).await;
    for result in stage.results(2).await {
        assert_eq!(kind(&result), INCONCLUSIVE, "{result:?}");
        assert_ne!(result.config_version, 3);
    }
    assert_eq!(stage.returned().await, 1);
    ready_says(ops, "503", "no name server answers").await;

    // It comes back by itself, and takes what it handed back.
    names.recover();
    stage.send(named(&stage, 5)).await;
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    ready_says(ops, "200", "self-check").await;

    // What came back before is not handed back a second time.
    names.fail();
    stage.send(named(&stage, 6)).await;
    for version in [6, 3] {
        let result = stage.results(1).await.remove(0);
        assert_eq!(result.config_version, version);
        assert_eq!(kind(&result), INCONCLUSIVE);
    }
    assert_eq!(target.connections(), 2, "only while it could be trusted");
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_without_name_servers_has_its_addresses_probed_and_no_name_judged() {
    let ops = free_port();
    let mut stage = Stage::with(|config| {
        config.name_server = Some(free_port());
        config.ops = OpsConfig { listen: ops };
    })
    .await;
    let target = Target::answering(OK).await;
    let mut dead = stage.job(&target, 2, 0);
    dead.url = format!("http://{}/", free_port());
    stage.send(vec![stage.job(&target, 1, 0), dead]).await;
    let mut found = stage.results(2).await;
    found.sort_by_key(|result| result.config_version);
    assert_eq!(kind(&found[0]), (Outcome::Up, None));
    let refused = (Outcome::Down, Some(ErrorKind::ConnectRefused));
    assert_eq!(kind(&found[1]), refused, "nobody else is to blame");
    ready_says(ops, "200", "self-check").await;

    let named = by_name(stage.job(&target, 3, 0), &target);
    stage.send(vec![named, stage.job(&target, 4, 0)]).await;
    let mut found = stage.results(2).await;
    found.sort_by_key(|result| result.config_version);
    assert_eq!(kind(&found[0]), INCONCLUSIVE);
    assert_eq!(kind(&found[1]), (Outcome::Up, None));
    ready_says(ops, "200", "no name server has answered").await;
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_while_none_of_the_operators_urls_answers_is_inconclusive() {
    let reference = FakeTarget::http().await;
    reference.answer(testkit::Step::status(500));
    let mut stage = Stage::with(|config| {
        config.self_check_urls = vec![reference.url("/").parse().unwrap()];
    })
    .await;
    // Taken and dropped: whoever connects is refused.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", dead.local_addr().unwrap());
    drop(dead);
    let failing = |mut job: ProbeJob| {
        job.url.clone_from(&url);
        vec![job]
    };
    let target = Target::answering(OK).await;
    stage.send(failing(stage.job(&target, 1, 0))).await;
    let refused = (Outcome::Down, Some(ErrorKind::ConnectRefused));
    assert_eq!(
        kind(&stage.results(1).await[0]),
        refused,
        "any status is an answer"
    );

    reference.stop().await;
    stage.send(failing(stage.job(&target, 2, 0))).await;
    assert_eq!(kind(&stage.results(1).await[0]), INCONCLUSIVE);

    reference.start().await;
    stage.send(failing(stage.job(&target, 3, 0))).await;
    assert_eq!(kind(&stage.results(1).await[0]), refused);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_makes_what_has_begun_inconclusive_and_hands_the_rest_back() {
    let mut stage = Stage::new().await;
    let (quick, gate) = (Target::answering(OK).await, Arc::new(Semaphore::new(0)));
    let slow = held(gate.clone()).await;
    stage.send(vec![stage.job(&quick, 1, 0)]).await;
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    stage.send(vec![stage.job(&slow, 2, 0)]).await;
    eventually(|| async { slow.connections() == 1 }).await;

    // This machine slept for an hour, as the next message tells.
    let hour = chrono::TimeDelta::hours(1);
    let due_ms = hour.num_milliseconds() + 5_000;
    stage
        .send_later(hour, vec![stage.job(&quick, 3, due_ms)])
        .await;
    let begun = stage.results(1).await.remove(0);
    assert_eq!((begun.config_version, kind(&begun)), (2, INCONCLUSIVE));
    assert_eq!(stage.returned().await, 1);
    let later = stage.results(1).await.remove(0);
    assert_eq!(
        (later.config_version, kind(&later)),
        (3, (Outcome::Up, None))
    );
    let clock_is_new = later.checked_at >= later.scheduled_at - chrono::TimeDelta::seconds(1);
    assert!(clock_is_new, "{later:?}");
    stage.stop().await;
}
