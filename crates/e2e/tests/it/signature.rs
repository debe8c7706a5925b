//! Signed jobs: what somebody with a prober's credentials can do, and how keys are changed.

use std::collections::HashMap;

use bus::{Outgoing, Route};
use models::message::{JobBatch, ProbeJob, ResultBatch};
use models::probe::{Outcome, Phases, ProbeKind, ProbeResult, probe_id};
use models::signature::Proof;
use runtime::{Clock, Shutdown, Trigger};
use serde_json::json;
use testkit::{FakeTarget, eventually};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::stack::{Plan, Stack};

const NEW: &str = "the next key for tests only of thirty-two bytes";

/// What an honest prober would report of `job`.
fn honest(job: &ProbeJob) -> ProbeResult {
    ProbeResult {
        probe_id: job.probe_id,
        service_id: job.service_id,
        kind: job.kind,
        region: job.region.clone(),
        scheduled_at: job.scheduled_at,
        config_version: job.config_version,
        checked_at: job.scheduled_at,
        outcome: Outcome::Up,
        status_code: Some(200),
        latency_us: Some(1_000),
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: "a thief".to_owned(),
        answers: None,
        second_prober: None,
        proof: Proof::of(job),
    }
}

/// The same, told of another kind of probe.
fn told_as(job: &ProbeJob, kind: ProbeKind) -> ProbeResult {
    let id = probe_id(
        job.service_id,
        &job.region,
        kind,
        job.scheduled_at,
        job.config_version,
    );
    ProbeResult {
        probe_id: id,
        kind,
        ..honest(job)
    }
}

/// The same, told of another service.
fn told_of(job: &ProbeJob, service: Uuid) -> ProbeResult {
    let stolen = ProbeJob {
        service_id: service.into(),
        ..job.clone()
    };
    told_as(&stolen, job.kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_prober_credential_makes_up_no_results_of_jobs_that_it_was_not_given() {
    let plan = Plan {
        probers: 0,
        ..Plan::default()
    };
    let stack = Stack::with(plan).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    let watch = async |path: &str| {
        let service = json!({"url": target.url(path), "interval": "1h"});
        owner.watch(service).await
    };
    let (given, other) = (watch("/given").await, watch("/other").await);
    // The first probes of both wait in one queue; the thief gets one of them.
    let jobs: Mutex<Vec<ProbeJob>> = Mutex::default();
    let job = eventually(async || {
        for message in stack.vhost.take("probe-jobs.v1.default", 10).await {
            let (_, batch) = JobBatch::decode(message.body.as_bytes()).unwrap();
            jobs.lock().await.extend(batch.items);
        }
        let is_given = |job: &&ProbeJob| job.service_id.to_string() == given;
        jobs.lock().await.iter().find(is_given).cloned()
    })
    .await;
    let rewritten = ProbeJob {
        url: target.url("/elsewhere"),
        ..job.clone()
    };
    let mut later = job.clone();
    later.scheduled_at += chrono::TimeDelta::seconds(1);
    let results = vec![
        told_of(&job, other.parse().unwrap()),
        told_as(&job, ProbeKind::Manual),
        told_as(&later, job.kind),
        told_as(&rewritten, job.kind),
        ProbeResult {
            proof: None,
            ..honest(&job)
        },
        honest(&job),
    ];
    let forged = results.len() - 1;
    let body = serde_json::to_vec(&ResultBatch { results }).unwrap();
    let message = Outgoing::bytes(Route::ProbeResults, Uuid::new_v4(), body).unwrap();
    let bus = stack.vhost.bus().await;
    assert!(
        bus.publisher()
            .publish_one(message)
            .await
            .unwrap()
            .is_stored()
    );

    eventually(async || owner.results(&given).await.len() == 1).await;
    let dead = Mutex::new(Vec::new());
    eventually(async || {
        let mut dead = dead.lock().await;
        dead.extend(stack.vhost.take("probe-results.dead", 10).await);
        dead.len() == forged
    })
    .await;
    for letter in &dead.into_inner() {
        let reason = letter.header("x-pulsemon-reason");
        assert!(reason.contains("sign"), "{reason}");
    }
    assert!(owner.results(&other).await.is_empty());
    stack.stop().await;
}

/// Another scheduler beside the stack's, with keys of its own.
fn scheduler(stack: &Stack, keys: &str) -> (Trigger, JoinHandle<anyhow::Result<()>>) {
    let mut settings: HashMap<String, String> = stack.settings.clone();
    settings.insert("JOB_SIGNING_KEY".to_owned(), keys.to_owned());
    let config = scheduler::Config::from_env(&settings).expect("valid settings");
    let (shutdown, trigger) = Shutdown::manual();
    let run = scheduler::run(config, Clock::system(), shutdown);
    (trigger, tokio::spawn(run))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_while_results_flow_and_none_is_refused() {
    const OLD: &str = "the last key for tests only of thirty-two bytes";
    let plan = Plan {
        schedulers: 0,
        ..Plan::default()
    };
    // The processors know both already; the schedulers change one after the other.
    let stack = Stack::with(plan.with("JOB_SIGNING_KEY", format!("{NEW},{OLD}"))).await;
    let target = FakeTarget::http().await;
    let owner = stack.tenant().await;
    let id = owner
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    for keys in [OLD.to_owned(), format!("{NEW},{OLD}"), NEW.to_owned()] {
        let before = owner.results(&id).await.len();
        let (trigger, running) = scheduler(&stack, &keys);
        eventually(async || owner.results(&id).await.len() > before + 1).await;
        trigger.shut_down();
        running.await.expect("no panic").expect("a clean end");
    }
    stack.stop().await; // and no letter is among the dead
}
