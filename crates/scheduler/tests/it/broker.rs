//! What becomes of slots when the broker does not take them.

use chrono::TimeDelta;
use testkit::eventually;

use crate::rig::{JOBS, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn slots_of_a_full_queue_are_missed_and_the_cursor_moves() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    rig.vhost.limit_length("^probe-jobs", 1).await;
    for _ in 0..30 {
        rig.service("1s", begin - TimeDelta::hours(1)).await;
    }
    let running = rig.start();
    rig.pass(&[3_000, 3_000]).await;
    let through = rig.caught_up().await;
    assert!(through > begin + TimeDelta::seconds(5));
    // Dozens of batches were refused: each shard's cursor moved several times.
    let depth = rig.bus.depth(JOBS).await.unwrap();
    assert!(depth <= 5, "{depth} batches in a queue of one");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_the_cursor_stays_and_afterwards_catches_up() {
    let rig = Rig::new().await;
    let service = rig
        .service("1h", rig.now().await - TimeDelta::days(1))
        .await;
    let slot = service.slots().next_after(rig.now().await);
    rig.shift.set(slot - rig.now().await);
    rig.set_cursors(slot - TimeDelta::seconds(1)).await;
    let shard = usize::from(models::slot::shard(service.id));
    let before = rig.cursors().await[shard];
    let mut config = rig.config();
    // A port that nobody listens on: it was ours a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    config.broker.amqp_url = format!("amqp://a:b@127.0.0.1:{port}/x").into();
    // Shards without anything to send go on: by those it is seen that the schedule was tried.
    let lost = rig.start_with(config);
    eventually(async || {
        let cursors = rig.cursors().await;
        cursors.iter().filter(|through| **through > slot).count() >= 3
    })
    .await;
    lost.stop().await;
    assert_eq!(rig.cursors().await[shard], before);
    let running = rig.start();
    let sent = rig.jobs().keys(1).await;
    running.stop().await;
    assert_eq!(sent, [(service.id, slot, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_queue_is_made_again_and_gets_its_slots() {
    let rig = Rig::new().await;
    let begin = rig.now().await;
    let mut services = Vec::new();
    for _ in 0..30 {
        services.push(rig.service("20s", begin - TimeDelta::hours(1)).await);
    }
    let running = rig.start();
    rig.caught_up().await;
    rig.vhost.delete_queue(JOBS).await;
    let lost_until = rig.cursors().await.into_iter().max().unwrap();
    rig.shift.advance(TimeDelta::seconds(8));
    rig.caught_up().await;
    running.stop().await;
    let expected = rig.passed(&services, lost_until).await;
    assert!(expected.len() > 1);
    let sent = rig.jobs().all(expected.len()).await;
    let sent: Vec<_> = sent.into_iter().map(|job| job.scheduled_at).collect();
    for slot in expected {
        assert!(sent.contains(&slot), "{slot} was lost");
    }
}
