//! What is dispatched when nothing is wrong, or when time was lost.

use std::collections::HashSet;

use chrono::TimeDelta;
use models::id::ProbeId;
use models::message::ProbeJob;
use models::slot;
use testkit::eventually;

use crate::rig::Rig;

/// Long enough that no slot grows stale on a busy machine while time is moved.
const INTERVALS: [&str; 4] = ["30s", "1m", "2m", "5m"];

/// Moves time in steps of different length, across windows of all lengths.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_dispatch_every_slot_exactly_once() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    rig.set_cursors(begin).await;
    let mut services = Vec::new();
    for number in 0..120 {
        let interval = INTERVALS[number % INTERVALS.len()];
        let from = begin - TimeDelta::hours(1);
        services.push(rig.service(interval, from).await);
    }
    let (one, two) = (rig.start(), rig.start());
    rig.pass(&[900, 5_130, 1, 9_990, 7_480]).await;
    one.stop().await;
    two.stop().await;
    let mut expected = Vec::new();
    for service in services {
        let slots = rig.passed(&[service], begin).await.into_iter();
        expected.extend(slots.map(|slot| (service.id, slot, 1)));
    }
    expected.sort_unstable();
    assert!(expected.len() > 30, "{}", expected.len());
    let mut jobs = rig.jobs();
    let dispatched = jobs.keys(expected.len()).await;
    assert_eq!(dispatched, expected);
    jobs.none_left(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_carries_all_that_its_probe_needs() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let service = rig.service("2s", begin - TimeDelta::hours(1)).await;
    rig.set(
        service,
        "url = 'https://a.test/x', timeout_ms = 1500, expected_status = 301, \
         follow_redirects = false",
    )
    .await;
    let running = rig.start();
    let jobs = rig.jobs().until(|jobs| !jobs.is_empty()).await;
    running.stop().await;
    let job = &jobs[0];
    assert_eq!(job.service_id, service.id);
    assert_eq!(job.url, "https://a.test/x");
    assert_eq!((job.timeout_ms, job.expected_status), (1_500, 301));
    assert!(!job.follow_redirects);
    assert_eq!(job.region, "default");
    assert_eq!(job.not_after, job.scheduled_at + TimeDelta::seconds(1));
    assert!(service.slots().contains(job.scheduled_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_lost_seconds_are_caught_up_with_and_stale_slots_are_not_sent() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let from = begin - TimeDelta::hours(1);
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(rig.service("1m", from).await);
    }
    let quick = rig.service("1s", from).await;
    rig.set_cursors(begin - TimeDelta::minutes(10)).await;
    let running = rig.start();
    rig.caught_up().await;
    running.stop().await;
    let end = rig.now().await;
    let cursors = rig.cursors().await;
    // What must have been sent whenever between `begin` and `end` a shard's turn came, and what may.
    let catch_up = TimeDelta::seconds(30);
    let (mut certain, mut possible) = (Vec::new(), Vec::new());
    for service in &slow {
        let through = cursors[usize::from(slot::shard(service.id))];
        let key = |slot| (service.id, slot, 1);
        certain.extend(service.slots().in_window(end - catch_up, through).map(key));
        possible.extend(
            service
                .slots()
                .in_window(begin - catch_up, through)
                .map(key),
        );
    }
    let sent = rig.jobs().keys(certain.len()).await;
    let (fast, slow): (Vec<_>, Vec<_>) = sent.into_iter().partition(|key| key.0 == quick.id);
    assert!(!certain.is_empty());
    for key in &certain {
        assert!(slow.contains(key), "{key:?} was not sent");
    }
    for key in &slow {
        assert!(possible.contains(key), "{key:?} was too old");
    }
    for (_, slot, _) in fast {
        assert!(
            slot > begin - TimeDelta::milliseconds(500),
            "{slot} was stale"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_repeated_carries_the_same_probe_ids() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let mut services = Vec::new();
    for _ in 0..60 {
        services.push(rig.service("2m", begin - TimeDelta::hours(1)).await);
    }
    // The second time as after a scheduler that was killed between confirm and commit.
    let mut jobs = rig.jobs();
    let mut sent = Vec::new();
    // So that there is something in the window.
    rig.shift.advance(TimeDelta::seconds(8));
    for _ in 0..2 {
        rig.set_cursors(begin).await;
        let running = rig.start();
        rig.caught_up().await;
        running.stop().await;
        let expected = rig.passed(&services, begin).await.len();
        assert!(expected > 0);
        sent.push(jobs.all(expected).await);
    }
    let ids = |jobs: &[ProbeJob]| -> HashSet<ProbeId> { jobs.iter().map(|j| j.probe_id).collect() };
    assert!(ids(&sent[0]).is_subset(&ids(&sent[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_far_in_the_future_is_reset() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let service = rig.service("1s", begin - TimeDelta::hours(1)).await;
    rig.set_cursors(begin + TimeDelta::days(1)).await;
    let running = rig.start();
    let jobs = rig.jobs().until(|jobs| jobs.len() >= 2).await;
    assert!(jobs.iter().all(|job| job.service_id == service.id));
    eventually(async || {
        let cursors = rig.cursors().await;
        let latest = rig.now().await + TimeDelta::seconds(2);
        cursors.iter().all(|through| *through <= latest)
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_never_moved_starts_the_schedule() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    rig.service("1s", begin - TimeDelta::hours(1)).await;
    rig.db
        .execute("UPDATE schedule_cursor SET scheduled_through = '-infinity'")
        .await;
    let running = rig.start();
    rig.jobs().until(|jobs| !jobs.is_empty()).await;
    running.stop().await;
}
