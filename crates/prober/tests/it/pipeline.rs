//! The whole process over a real broker: jobs in, results out.

use chrono::TimeDelta;
use models::message::JobBatch;
use models::probe::{ErrorKind, Outcome};
use runtime::{Clock, Shutdown};
use testkit::dns::Family;
use testkit::{FakeDns, Reply, TestVhost, eventually};

use crate::support::authority::{Authority, Leaf};
use crate::support::stage::{PROBER_RIGHTS, Stage, config};
use crate::support::target::{OK, Target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_becomes_a_result_at_its_moment_and_its_batch_is_gone() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    let soon = stage.job(&target, 1, 300);
    let late = {
        let mut job = stage.job(&target, 2, -60_000);
        job.not_after = stage.clock.now() - TimeDelta::seconds(1);
        job
    };
    stage.send(vec![late, soon.clone()]).await;
    let found = stage.results(1).await;
    assert_eq!(found[0].probe_id, soon.probe_id);
    assert_eq!(found[0].outcome, Outcome::Up);
    assert_eq!(found[0].config_version, 1);
    // The clocks are the same here; a learned offset of a few milliseconds may remain.
    assert!(
        found[0].checked_at >= soon.scheduled_at - TimeDelta::milliseconds(250),
        "not before its moment"
    );
    assert!(found[0].prober.starts_with("default-"));
    assert_eq!(target.connections(), 1, "the stale job was not run");
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_read_is_buried_with_its_reason_and_its_neighbours_go_on() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    stage.send_body(b"not json".to_vec()).await;
    let mut batch = serde_json::to_value(JobBatch {
        published_at: stage.clock.now(),
        jobs: vec![
            stage.job(&target, 1, 0),
            stage.job(&target, 2, 0),
            stage.job(&target, 3, 0),
        ],
    })
    .unwrap();
    batch["jobs"][0]["url"] = 7.into();
    batch["jobs"][1]["timeout_ms"] = 0.into();
    stage.send_body(serde_json::to_vec(&batch).unwrap()).await;
    let found = stage.results(1).await;
    assert_eq!(
        (found[0].config_version, found[0].outcome),
        (3, Outcome::Up)
    );
    let mut reasons = Vec::new();
    while reasons.len() < 3 {
        let dead = stage.vhost.take("probe-jobs.dead", 10).await;
        reasons.extend(
            dead.iter()
                .map(|letter| letter.header("x-pulsemon-reason").to_owned()),
        );
    }
    let all = reasons.join("\n");
    for part in ["not a batch", "expected a string", "timeout_ms 0"] {
        assert!(all.contains(part), "{part} in {all}");
    }
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_authority_that_the_operator_trusts_is_good() {
    let authority = Authority::new();
    let leaf = Leaf {
        from_days: -900,
        to_days: 900,
        ..Leaf::default()
    };
    let target = Target::tls(authority.server(&leaf)).await;
    let roots = vec![authority.root.clone()];
    let mut stage = Stage::with(|config| config.extra_roots = roots).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.outcome, Outcome::Up, "{:?}", result.error);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_closes_is_blocked_though_it_is_opened_as_well() {
    let dns = FakeDns::start().await;
    for name in ["a.closed.example", "open.example"] {
        dns.name(name, [Reply::addresses(["127.0.0.1"])]);
    }
    let mut stage = Stage::with(|config| {
        config.name_server = Some(dns.addr());
        config.deny_names = vec!["closed.example".to_owned()];
        config.deny = vec!["127.0.0.3/32".parse().unwrap()];
    })
    .await;
    let target = Target::answering(OK).await;
    let jobs = (1..).zip(["a.closed.example", "127.0.0.3", "open.example"]);
    let jobs = jobs.map(|(n, host)| {
        let mut job = stage.job(&target, n, 0);
        job.url = format!("http://{host}:{}/", target.addr.port());
        job
    });
    stage.send(jobs.collect()).await;
    let mut found = stage.results(3).await;
    found.sort_by_key(|result| result.config_version);
    let kinds = found
        .iter()
        .map(|result| result.error.as_ref().map(|error| error.kind));
    let blocked = Some(ErrorKind::BlockedDestination);
    assert_eq!(kinds.collect::<Vec<_>>(), [blocked, blocked, None]);
    assert_eq!(dns.questions("a.closed.example", Family::V4), 0);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prober_whose_queue_is_absent_is_not_ready_and_says_which() {
    let vhost = TestVhost::new().await;
    let (configure, write, read) = PROBER_RIGHTS;
    let mut config = config(vhost.restricted_url(configure, write, read).await);
    // Free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.ops.listen = listener.local_addr().unwrap();
    drop(listener);
    let ops = config.ops;
    let (shutdown, trigger) = Shutdown::manual();
    let prober = tokio::spawn(prober::run(config, Clock::system(), shutdown));
    eventually(async || match runtime::process::ready(ops).await {
        Err(error) if error.to_string().contains("NOT_FOUND") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let bus = vhost.bus().await;
    eventually(async || runtime::process::ready(ops).await).await;
    vhost.delete_queue("probe-jobs.v1.default").await;
    eventually(async || runtime::process::ready(ops).await.is_err()).await;
    trigger.shut_down();
    prober.await.unwrap().unwrap();
    bus.close().await;
}
