//! Edits, pauses and resumes: a slot is dispatched only with the configuration whose span it is in.
//!
//! Intervals are long enough that no slot grows stale on a busy machine while time is moved.

use chrono::TimeDelta;
use models::Time;

use crate::rig::{Rig, Service};

const STEPS_MS: [i64; 3] = [8_000, 950, 8_000];
const MILLISECOND: TimeDelta = TimeDelta::milliseconds(1);

async fn services(rig: &Rig, count: usize, from: Time) -> Vec<Service> {
    let mut services = Vec::new();
    for _ in 0..count {
        services.push(rig.service("30s", from).await);
    }
    services
}

/// Works through the steps; the slots of what was sent, sorted, all of configuration `version`.
async fn sent(rig: &Rig, version: i32, expected: impl AsyncFn() -> Vec<Time>) -> Vec<Time> {
    let running = rig.start();
    rig.pass(&STEPS_MS).await;
    running.stop().await;
    let jobs = rig.jobs().keys(expected().await.len()).await;
    assert!(jobs.iter().all(|job| job.2 == version), "{jobs:?}");
    let mut slots: Vec<Time> = jobs.into_iter().map(|job| job.1).collect();
    slots.sort_unstable();
    slots
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_leaves_a_gap_and_then_the_new_configuration_is_probed() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let opens = begin + TimeDelta::seconds(5);
    let services = services(&rig, 20, begin - TimeDelta::hours(1)).await;
    for &service in &services {
        rig.close_span(service, begin).await;
        rig.open_span(service, 2, opens).await;
        rig.set(service, "config_version = 2").await;
    }
    let expected = async || rig.passed(&services, opens - MILLISECOND).await;
    let sent = sent(&rig, 2, &expected).await;
    assert!(sent.len() > 5);
    assert_eq!(sent, expected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_service_is_not_probed_and_a_resumed_one_is_again() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let hour_ago = begin - TimeDelta::hours(1);
    for paused in services(&rig, 10, hour_ago).await {
        rig.close_span(paused, begin).await;
        rig.set(paused, "is_active = false").await;
    }
    let resumed = services(&rig, 10, hour_ago).await;
    for &service in &resumed {
        rig.close_span(service, begin - TimeDelta::minutes(1)).await;
        rig.open_span(service, 2, begin).await;
        rig.set(service, "config_version = 2").await;
    }
    let expected = async || rig.passed(&resumed, begin - MILLISECOND).await;
    let sent = sent(&rig, 2, &expected).await;
    assert_eq!(sent, expected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_that_ends_in_the_window_cuts_it() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    rig.set_cursors(begin).await;
    let ends = begin + TimeDelta::milliseconds(12_500);
    let ending = services(&rig, 20, begin - TimeDelta::hours(1)).await;
    for &service in &ending {
        rig.close_span(service, ends).await;
    }
    let expected = async || {
        let mut slots = rig.passed(&ending, begin).await;
        slots.retain(|slot| *slot < ends);
        slots
    };
    let sent = sent(&rig, 1, &expected).await;
    assert!(sent.len() > 2);
    assert_eq!(sent, expected().await);
}
