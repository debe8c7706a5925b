//! What every test needs: an engine that may probe one target, a job, and the target.

pub(crate) mod authority;
pub(crate) mod own_network;
pub(crate) mod stage;
pub(crate) mod target;

use std::net::SocketAddr;

use guard::{AllowRule, Policy, Resolver};
use models::Time;
use models::id::{ServiceId, UserId};
use models::message::ProbeJob;
use models::probe::{ErrorKind, Outcome, ProbeKind, ProbeResult, probe_id};
use prober::{Engine, EngineConfig};
use rustls_pki_types::CertificateDer;

/// Long, because nothing here waits for it, on however busy a machine.
pub(crate) const PATIENT_MS: u32 = 10_000;
/// Short, for what times out on purpose.
pub(crate) const HASTY_MS: u32 = 1_000;

/// The moment of all probes here; certificates are made around it.
pub(crate) fn now() -> Time {
    chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn job(url: &str) -> ProbeJob {
    let service = ServiceId::from(uuid::Uuid::from_u128(1));
    ProbeJob {
        probe_id: probe_id(service, "default", ProbeKind::Slot, now(), 1),
        service_id: service,
        user_id: UserId::from(uuid::Uuid::from_u128(2)),
        kind: ProbeKind::Slot,
        region: "default".into(),
        scheduled_at: now(),
        not_after: now() + chrono::TimeDelta::seconds(5),
        config_version: 1,
        url: url.to_owned(),
        timeout_ms: PATIENT_MS,
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}

/// An engine that may probe exactly these addresses of this machine.
pub(crate) fn engine(opened: &[SocketAddr], roots: &[CertificateDer<'static>]) -> Engine {
    let rules: Vec<String> = opened.iter().map(ToString::to_string).collect();
    let config = EngineConfig {
        policy: Policy::allowing(AllowRule::parse_list(&rules.join(",")).unwrap()),
        extra_roots: roots.to_vec(),
        user_agent: "Pulsemon/0.1 (+https://status.example/)".to_owned(),
        per_address: 64,
    };
    let nobody = "127.0.0.1:1".parse().unwrap();
    Engine::new(config, Resolver::with_name_server(nobody).unwrap()).unwrap()
}

/// An engine with the guard as a public service has it: nothing private is opened.
pub(crate) fn public_engine(name_server: SocketAddr, roots: &[CertificateDer<'static>]) -> Engine {
    let config = EngineConfig {
        policy: Policy::public_only(),
        extra_roots: roots.to_vec(),
        user_agent: "Pulsemon/0.1".to_owned(),
        per_address: 64,
    };
    Engine::new(config, Resolver::with_name_server(name_server).unwrap()).unwrap()
}

pub(crate) async fn run(engine: &Engine, job: &ProbeJob) -> ProbeResult {
    let finding = engine.probe(job, now()).await;
    finding.into_result(job, now(), "prober-1")
}

/// Probes `path` of a target that may be probed.
pub(crate) async fn probe(target: &target::Target, path: &str) -> ProbeResult {
    run(&engine(&[target.addr], &[]), &job(&target.url(path))).await
}

/// Probes a target that will not answer in time.
pub(crate) async fn probe_hastily(engine: &Engine, url: &str) -> ProbeResult {
    let mut job = job(url);
    job.timeout_ms = HASTY_MS;
    run(engine, &job).await
}

#[track_caller]
pub(crate) fn assert_up(result: &ProbeResult) {
    assert_eq!(result.outcome, Outcome::Up, "{:?}", result.error);
    assert_eq!(result.error, None);
}

#[track_caller]
pub(crate) fn assert_down(result: &ProbeResult, kind: ErrorKind) -> String {
    let error = result.error.clone().expect("an error");
    assert_eq!(
        (result.outcome, error.kind),
        (Outcome::Down, kind),
        "{}",
        error.message
    );
    error.message
}
