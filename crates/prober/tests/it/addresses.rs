//! The limit of probes at one time to one address holds where they really go, whatever else a name resolves to.

use std::sync::Arc;
use std::time::Duration;

use guard::{AllowRule, Policy, Resolver};
use models::message::ProbeJob;
use models::probe::{ErrorKind, Outcome};
use prober::{Engine, EngineConfig};
use testkit::{FakeDns, Reply, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::support::stage::held;
use crate::support::target::{OK, Target, read_head};
use crate::support::{assert_up, job, probe_hastily, run};

/// Nobody listens there on the port of a target at 127.0.0.1.
const REFUSING: [&str; 2] = ["127.0.0.2", "127.0.0.3"];

/// An engine that lets one probe at a time through to an address.
fn strict_engine(dns: &FakeDns) -> Engine {
    let config = EngineConfig {
        policy: Policy::allowing(AllowRule::parse_list("127.0.0.0/8").unwrap()),
        extra_roots: vec![],
        user_agent: "Pulsemon/0.1".to_owned(),
        per_address: 1,
    };
    Engine::new(config, Resolver::with_name_server(dns.addr()).unwrap()).unwrap()
}

/// A target, names of which each leads somewhere else first, and jobs for these.
async fn names_of(gate: &Arc<Semaphore>) -> (FakeDns, Target, [ProbeJob; 2]) {
    let (dns, target) = (FakeDns::start().await, held(gate.clone()).await);
    let jobs = REFUSING.map(|refusing| {
        let name = format!("{}.example", refusing.replace('.', "-"));
        dns.name(&name, [Reply::addresses([refusing, "127.0.0.1"])]);
        job(&format!("http://{name}:{}/", target.addr.port()))
    });
    (dns, target, jobs)
}

#[tokio::test]
async fn names_that_begin_with_different_addresses_share_the_limit_of_the_one_they_lead_to() {
    let gate = Arc::new(Semaphore::new(0));
    let (dns, target, [one, mut other]) = names_of(&gate).await;
    let engine = strict_engine(&dns);
    let first = run(&engine, &one);
    let second = async {
        eventually(|| async { target.connections() == 1 }).await;
        // It waits for the first as long as it is fresh.
        other.not_after = other.scheduled_at + chrono::TimeDelta::milliseconds(300);
        let result = run(&engine, &other).await;
        assert_eq!(target.connections(), 1, "one at a time");
        gate.add_permits(1);
        result
    };
    let (first, second) = tokio::join!(first, second);
    assert_up(&first);
    let error = second.error.unwrap();
    assert_eq!(
        (second.outcome, error.kind),
        (Outcome::Inconclusive, ErrorKind::Internal),
        "the target is not to blame: {}",
        error.message
    );
}

#[tokio::test]
async fn who_waits_behind_a_dead_address_is_probed_when_its_turn_comes() {
    let gate = Arc::new(Semaphore::new(0));
    let (dns, target, [one, other]) = names_of(&gate).await;
    let engine = strict_engine(&dns);
    let opening = async {
        eventually(|| async { target.connections() == 1 }).await;
        gate.add_permits(2);
    };
    let (one, other, ()) = tokio::join!(run(&engine, &one), run(&engine, &other), opening);
    for result in [one, other] {
        assert_up(&result);
        let phases = result.phases;
        let sum = [
            phases.dns_us,
            phases.connect_us,
            phases.request_us,
            phases.first_byte_us,
        ];
        let sum: u32 = sum.into_iter().flatten().sum();
        assert_eq!(result.latency_us, Some(sum));
    }
    assert_eq!(target.connections(), 2);
}

/// The runtime's clock stands still but for timers that are waited for.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_loses_nothing_of_the_timeout_and_its_wait_is_no_latency() {
    const ANSWER_MS: u64 = 800;
    let target = Target::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(ANSWER_MS)).await;
        drop(stream.write_all(OK).await);
    })
    .await;
    let dns = FakeDns::start().await;
    let engine = strict_engine(&dns);
    let url = target.url("/");
    let results = tokio::join!(
        probe_hastily(&engine, &url),
        probe_hastily(&engine, &url),
        probe_hastily(&engine, &url)
    );
    for result in [results.0, results.1, results.2] {
        assert_up(&result);
        let (latency, total) = (result.latency_us.unwrap(), result.phases.total_us);
        let expected = 800_000..=850_000;
        assert!(
            expected.contains(&latency) && expected.contains(&total),
            "{result:?}"
        );
    }
}
