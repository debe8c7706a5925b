//! Probes outside the schedule.

use bus::{Outgoing, Route};
use chrono::TimeDelta;
use models::Time;
use models::message::{JobBatch, ProbeRequest};
use models::probe::{Answers, ProbeKind};
use serde_json::json;
use testkit::{Proxy, eventually};

use crate::rig::{JOBS, Rig, Service};

/// A day, so that no slot is in the way.
const NEVER: &str = "24h";

async fn want(rig: &Rig, service: Service, kind: &str, version: i32, at: Time) {
    let (id, at) = (service.id, at.to_rfc3339());
    rig.run(format!(
        "INSERT INTO extra_probes (service_id, region, kind, scheduled_at, config_version, \
            dispatch_at, created_at) \
         VALUES ('{id}', 'default', '{kind}', '{at}', {version}, '{at}', '{at}')"
    ))
    .await;
}

async fn wanted(rig: &Rig) -> i64 {
    rig.db.value("SELECT count(*) FROM extra_probes").await
}

async fn calm(rig: &Rig) -> Service {
    let now = rig.now().await;
    let service = rig.service(NEVER, now - TimeDelta::hours(1)).await;
    // Its slot of the day, should it be now, is over.
    rig.close_span(service, now).await;
    rig.open_span(service, 2, now + TimeDelta::days(1)).await;
    rig.set(service, "config_version = 2").await;
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wanted_probe_is_dispatched_once_though_nobody_announced_it() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let (one, two) = (rig.start(), rig.start());
    for kind in ["first", "manual", "catchup"] {
        let at = rig.now().await;
        want(&rig, service, kind, 2, at).await;
    }
    let mut jobs = rig.jobs();
    let sent = jobs.until(|jobs| jobs.len() >= 3).await;
    eventually(async || wanted(&rig).await == 0).await;
    one.stop().await;
    two.stop().await;
    let mut kinds: Vec<&str> = sent.iter().map(|job| job.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["catchup", "first", "manual"]);
    for job in &sent {
        assert_eq!((job.service_id, job.config_version), (service.id, 2));
        let patience = match job.kind {
            ProbeKind::Manual => TimeDelta::seconds(15),
            _ => TimeDelta::hours(12),
        };
        let slack = TimeDelta::minutes(1);
        assert!(job.not_after >= job.scheduled_at + patience);
        assert!(job.not_after < job.scheduled_at + patience + slack);
    }
    jobs.none_left(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nudge_is_acknowledged_and_a_malformed_one_is_buried_with_its_reason() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let running = rig.start();
    let at = rig.now().await;
    want(&rig, service, "first", 2, at).await;
    let good = ProbeRequest {
        service_id: service.id,
    };
    let messages = vec![
        Outgoing::bytes(Route::ProbeRequests, "bad", b"{\"service\": 1}".to_vec()).unwrap(),
        Outgoing::json(Route::ProbeRequests, "good", &good).unwrap(),
    ];
    rig.bus.publisher().publish(messages).await.unwrap();
    rig.jobs().until(|jobs| !jobs.is_empty()).await;
    let dead = eventually(async || {
        let dead = rig.vhost.take("probe-requests.dead", 5).await;
        (!dead.is_empty()).then_some(dead)
    })
    .await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "{\"service\": 1}");
    let reason = dead[0].header("x-pulsemon-reason");
    assert!(reason.contains("service_id"), "{reason}");
    running.stop().await;
    eventually(async || rig.bus.depth("probe-requests.v1").await.unwrap() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_of_paused_services_and_old_versions_are_deleted_unsent() {
    let rig = Rig::new().await;
    let (paused, edited, good) = (calm(&rig).await, calm(&rig).await, calm(&rig).await);
    rig.set(paused, "is_active = false").await;
    let at = rig.now().await;
    want(&rig, paused, "manual", 2, at).await;
    want(&rig, edited, "first", 1, at).await;
    want(&rig, good, "manual", 2, at - TimeDelta::seconds(20)).await;
    want(&rig, good, "first", 2, at).await;
    let running = rig.start();
    eventually(async || wanted(&rig).await == 0).await;
    running.stop().await;
    let mut jobs = rig.jobs();
    let sent = jobs.keys(1).await;
    assert_eq!(sent, [(good.id, at, 2)], "the manual one was stale");
    jobs.none_left(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_waits_for_its_time() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let at = rig.now().await + TimeDelta::minutes(5);
    want(&rig, service, "first", 2, at).await;
    let running = rig.start();
    // The schedule has been worked at, and so have the extra probes.
    rig.caught_up().await;
    let other = calm(&rig).await;
    let now = rig.now().await;
    want(&rig, other, "first", 2, now).await;
    let mut jobs = rig.jobs();
    let sent = jobs.keys(1).await;
    assert_eq!(sent, [(other.id, now, 2)]);
    assert_eq!(wanted(&rig).await, 1);
    rig.shift.advance(TimeDelta::minutes(5));
    let sent = jobs.keys(1).await;
    assert_eq!(sent, [(service.id, at, 2)]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_probe_is_tried_again_until_there_is_room() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    rig.vhost.limit_length("^probe-jobs", 1).await;
    // A filler that takes the place; quorum queues let some more through before they refuse.
    eventually(async || {
        let filler = Outgoing::bytes(Route::jobs("default"), "filler", b"{}".to_vec()).unwrap();
        let outcome = rig.bus.publisher().publish_one(filler).await.unwrap();
        !outcome.is_stored()
    })
    .await;
    let at = rig.now().await;
    want(&rig, service, "first", 2, at).await;
    let running = rig.start();
    rig.caught_up().await;
    assert_eq!(wanted(&rig).await, 1);
    rig.vhost.take(JOBS, 100).await;
    eventually(async || wanted(&rig).await == 0).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirm_travels_alone_with_what_it_answers() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let at = rig.now().await;
    want(&rig, service, "first", 2, at).await;
    let (id, time) = (service.id, at.to_rfc3339());
    let answers = json!({"kind": "slot", "scheduled_at": at});
    rig.run(format!(
        "INSERT INTO extra_probes (service_id, region, kind, scheduled_at, config_version, \
            dispatch_at, avoid_prober, answers, created_at) \
         VALUES ('{id}', 'default', 'confirm', '{time}', 2, '{time}', 'prober-1', '{answers}', '{time}')"
    ))
    .await;
    let running = rig.start();
    eventually(async || wanted(&rig).await == 0).await;
    running.stop().await;
    eventually(async || rig.bus.depth(JOBS).await.unwrap() == 2).await;
    let sent = rig.jobs().until(|jobs| jobs.len() >= 2).await;
    let confirm = sent.iter().find(|job| job.kind == ProbeKind::Confirm);
    let confirm = confirm.unwrap();
    assert_eq!(confirm.avoid_prober.as_deref(), Some("prober-1"));
    let expected = Answers {
        kind: ProbeKind::Slot,
        scheduled_at: at,
    };
    assert_eq!(confirm.answers.as_ref(), Some(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_locked_while_the_broker_is_awaited_and_none_is_lost_when_it_goes_away() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let wire = Proxy::to(rig.vhost.amqp_url()).await;
    let mut config = rig.config();
    config.broker.amqp_url = wire.amqp_url();
    let running = rig.start_with(config);
    let at = rig.now().await;
    want(&rig, service, "first", 2, at).await;
    eventually(async || wanted(&rig).await == 0).await;
    wire.freeze();
    let next = rig.now().await;
    want(&rig, service, "manual", 2, next).await;
    let claimed = "SELECT count(*) FROM extra_probes WHERE dispatch_at > scheduled_at";
    eventually(async || rig.db.value::<i64>(claimed).await == 1).await;
    // As an edit does; it would fail at once.
    rig.run("SELECT FROM extra_probes FOR UPDATE NOWAIT").await;
    wire.cut();
    let sent = rig.jobs().keys(2).await;
    assert_eq!(sent, [(service.id, at, 2), (service.id, next, 2)]);
    eventually(async || wanted(&rig).await == 0).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_takes_nothing_holds_up_no_other() {
    let rig = Rig::new().await;
    let service = calm(&rig).await;
    let mut config = rig.config();
    config.regions = vec!["default".into(), "full".into()];
    // Before the queue is there: the broker sometimes loses a limit that is set while it makes the queue.
    rig.vhost.limit_length("^probe-jobs.v1.full", 1).await;
    let running = rig.start_with(config);
    rig.caught_up().await;
    eventually(async || {
        // By a publisher of its own: who publishes already is not always told that the queue is full.
        let bus = rig.vhost.bus().await;
        let filler = Outgoing::bytes(Route::jobs("full"), "filler", b"{}".to_vec()).unwrap();
        let outcome = bus.publisher().publish_one(filler).await.unwrap();
        bus.close().await;
        !outcome.is_stored()
    })
    .await;
    // More than one look takes, and older.
    let at = rig.now().await;
    rig.run(format!(
        "INSERT INTO extra_probes (service_id, region, kind, scheduled_at, config_version, \
            dispatch_at, created_at) \
         SELECT '{id}', 'full', 'first', at, 2, at, at \
           FROM generate_series(1, 500) n, \
                LATERAL (SELECT '{at}'::timestamptz - n * interval '1 s') t (at)",
        id = service.id,
        at = at.to_rfc3339(),
    ))
    .await;
    want(&rig, service, "first", 2, at).await;
    let sent = rig.jobs().keys(1).await;
    assert_eq!(sent, [(service.id, at, 2)]);
    running.stop().await;
    let here = "SELECT count(*) FROM extra_probes WHERE region = 'default'";
    assert_eq!(rig.db.value::<i64>(here).await, 0);
    // The broker lets a few messages in before it has told a publisher that a queue is full: those are there, the rest waits.
    let waiting = wanted(&rig).await;
    assert!(waiting > 0, "nothing was refused");
    let mut full = rig.bus.subscribe(Route::jobs("full"), 500);
    let mut taken = 0;
    while taken + waiting < 500 {
        let next = tokio::time::timeout(testkit::eventually::DEADLINE, full.next()).await;
        let delivery = next.expect("a job for each row that is gone").unwrap();
        let jobs = JobBatch::decode(&delivery.body).map_or(0, |(_, batch)| batch.items.len());
        taken += i64::try_from(jobs).unwrap();
        delivery.ack().await;
    }
    assert_eq!(taken + waiting, 500);
}
