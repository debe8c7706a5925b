//! A thousand dead targets keep no healthy one waiting, and who finds no place in time is nobody's failure.

use std::sync::Arc;

use chrono::TimeDelta;
use models::message::ProbeJob;
use models::probe::Outcome;
use models::probe::ProbeResult;
use testkit::eventually;
use tokio::sync::Semaphore;

use crate::support::stage::{Stage, held};
use crate::support::target::{OK, Target};

/// How late the probe of a healthy target may be.
const LATE: TimeDelta = TimeDelta::seconds(2);

/// Takes connections and never says a word.
async fn tarpit() -> Target {
    Target::raw(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// The same job as that of another service.
fn of_service(mut job: ProbeJob, service: u128) -> ProbeJob {
    job.service_id = uuid::Uuid::from_u128(service).into();
    job.probe_id = models::probe::probe_id(
        job.service_id,
        &job.region,
        job.kind,
        job.scheduled_at,
        job.config_version,
    );
    job
}

/// Waits for the results of these healthy services, and looks how late they were.
async fn assert_in_time(stage: &mut Stage, services: std::ops::Range<u128>) {
    let mut waiting: std::collections::BTreeSet<u128> = services.collect();
    while !waiting.is_empty() {
        let ups = stage.results(1).await;
        for up in ups.iter().filter(|result| result.outcome == Outcome::Up) {
            let ProbeResult {
                checked_at,
                scheduled_at,
                ..
            } = *up;
            assert!(waiting.remove(&up.service_id.as_uuid().as_u128()));
            let late = checked_at - scheduled_at;
            assert!(late <= LATE, "{late} late, with {} to come", waiting.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d19_a_thousand_dead_targets_keep_no_healthy_one_waiting() {
    let mut stage = Stage::with(|config| {
        config.pool_size = 200;
        config.per_tenant = 100;
        config.per_address = 32;
    })
    .await;
    let dead = tarpit().await;
    // Servers of their own: one that this machine is slow to answer for says nothing about the others.
    let mut healthy = Vec::new();
    for _ in 0..40 {
        healthy.push(Target::answering(OK).await);
    }
    // All of one tenant, at one address, none of them known: the dead come first.
    let dead_jobs: Vec<ProbeJob> = (0..1000)
        .map(|n| {
            let mut job = of_service(stage.job(&dead, 1, 500), 1_000 + n);
            job.timeout_ms = 5_000;
            job
        })
        .collect();
    for batch in dead_jobs.chunks(50) {
        stage.send(batch.to_vec()).await;
    }
    let healthy_jobs = (0_u8..).zip(&healthy).map(|(n, target)| {
        let due = 500 + 100 * i64::from(n);
        of_service(stage.job(target, 1, due), u128::from(n))
    });
    stage.send(healthy_jobs.collect()).await;
    assert_in_time(&mut stage, 0..40).await;
    assert!(dead.connections() >= 16, "they were probed, too");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_wait_for_slow_targets_do_not_use_up_the_prefetch() {
    let mut stage = Stage::with(|config| config.pool_size = 16).await;
    let (dead, healthy) = (tarpit().await, Target::answering(OK).await);
    for n in 0..100 {
        let mut job = of_service(stage.job(&dead, 1, 0), 1_000 + n);
        job.timeout_ms = 5_000;
        stage.send(vec![job]).await;
    }
    stage
        .send(vec![of_service(stage.job(&healthy, 1, 0), 1)])
        .await;
    assert_in_time(&mut stage, 1..2).await;
    stage.stop().await;
}

/// One job holds the only place of a limit; another one's freshness ends while it waits for it.
async fn second_place(stage: &mut Stage) -> (Arc<Semaphore>, Target, ProbeJob) {
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    let mut waiting = stage.job(&target, 2, 0);
    waiting.not_after = waiting.scheduled_at + TimeDelta::milliseconds(400);
    stage.send(vec![waiting.clone()]).await;
    (gate, target, waiting)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_of_his_tenant_in_time_is_stale_and_other_tenants_are_not_held_up() {
    let mut stage = Stage::with(|config| config.per_tenant = 1).await;
    let (gate, target, waiting) = second_place(&mut stage).await;
    let mut others = stage.job(&target, 3, 0);
    others.user_id = uuid::Uuid::from_u128(7).into();
    stage.send(vec![others]).await;
    eventually(|| async { target.connections() == 2 }).await;
    eventually(|| async { stage.clock.now() > waiting.not_after }).await;
    gate.add_permits(10);
    let mut found: Vec<i32> = stage
        .results(2)
        .await
        .iter()
        .map(|r| r.config_version)
        .collect();
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
    stage.stop_leaving(0).await;
    assert_eq!(target.connections(), 2, "the stale one was not run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_at_his_address_in_time_is_nobody_s_failure() {
    let mut stage = Stage::with(|config| config.per_address = 1).await;
    let (gate, target, waiting) = second_place(&mut stage).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.probe_id, waiting.probe_id);
    assert_eq!(result.outcome, Outcome::Inconclusive, "{result:?}");
    assert_eq!(target.connections(), 1);
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].outcome, Outcome::Up);
    stage.stop_leaving(0).await;
}
