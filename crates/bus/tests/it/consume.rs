//! What a consumer can rely on.

use crate::{depth_is, n_of, next, number, paused, publish_until_stored};
use bus::{Bus, BusConfig, Route};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{Proxy, TestVhost, eventually};

#[tokio::test]
async fn a_rejected_message_comes_back_counted() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut jobs = bus.subscribe(Route::jobs("default"), 10);
    publish_until_stored(&bus, Route::jobs("default"), 1).await;
    for expected in 0..3 {
        let delivery = next(&mut jobs).await;
        assert_eq!(delivery.delivery_count, expected);
        assert_eq!(delivery.redelivered, expected > 0);
        delivery.reject_requeue().await;
    }
    next(&mut jobs).await.ack().await;
    bus.close().await;
}

#[tokio::test]
async fn a_message_past_its_delivery_limit_is_put_among_the_dead_by_the_broker() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut jobs = bus.subscribe(Route::jobs("default"), 10);
    publish_until_stored(&bus, Route::jobs("default"), 1).await;
    for _ in 0..=bus::route::JOB_DELIVERY_LIMIT {
        next(&mut jobs).await.reject_requeue().await;
    }
    depth_is(&bus, "probe-jobs.dead", 1).await;
    let dead = vhost.take("probe-jobs.dead", 1).await;
    assert_eq!(dead[0].body, r#"{"n":1}"#);
    bus.close().await;
}

#[tokio::test]
async fn prefetch_bounds_what_a_process_holds_and_can_be_changed() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let many = (0..10).map(|n| number(Route::Alerts, n)).collect();
    bus.publisher().publish(many).await.unwrap();
    let mut alerts = bus.subscribe(Route::Alerts, 2);
    let held = [next(&mut alerts).await, next(&mut alerts).await];
    depth_is(&bus, "alerts.v1", 8).await;
    assert!(alerts.try_next().is_none());

    alerts.set_prefetch(5);
    let mut seen = BTreeSet::from([n_of(&held[0]), n_of(&held[1])]);
    let mut more = Vec::new();
    for _ in 0..5 {
        let delivery = next(&mut alerts).await;
        assert!(seen.insert(n_of(&delivery)), "nothing comes twice");
        more.push(delivery);
    }
    bus::ack_all(held.into_iter().chain(more).collect()).await;
    while seen.len() < 10 {
        let delivery = next(&mut alerts).await;
        assert!(seen.insert(n_of(&delivery)));
        delivery.ack().await;
    }
    bus.close().await;
}

#[tokio::test]
async fn what_is_given_back_once_a_pause_holds_goes_to_somebody_else() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut jobs = bus.subscribe(Route::jobs("default"), 10);
    publish_until_stored(&bus, Route::jobs("default"), 1).await;
    let held = next(&mut jobs).await;
    jobs.pause();
    paused(&mut jobs).await;
    held.reject_requeue().await;
    let mut others = bus.subscribe(Route::jobs("default"), 10);
    let delivery = next(&mut others).await;
    assert_eq!(delivery.delivery_count, 1);
    delivery.ack().await;
    assert!(jobs.try_next().is_none(), "nothing came back");
    bus.close().await;
}

#[tokio::test]
async fn a_pause_holds_only_once_the_broker_has_heard_of_it() {
    let vhost = TestVhost::new().await;
    let wire = Proxy::to(vhost.amqp_url()).await;
    let bus = Bus::connect(BusConfig {
        amqp_url: wire.amqp_url(),
        ..vhost.bus_config()
    })
    .unwrap();
    let mut jobs = bus.subscribe(Route::jobs("default"), 10);
    publish_until_stored(&bus, Route::jobs("default"), 1).await;
    next(&mut jobs).await.ack().await;
    wire.freeze();
    jobs.pause();
    let moment = Duration::from_millis(100);
    let too_early = tokio::time::timeout(moment, jobs.paused()).await;
    assert!(too_early.is_err(), "it may still send");
    wire.cut();
    paused(&mut jobs).await; // on a new connection, which begins with nothing
    bus.close().await;
}

#[tokio::test]
async fn a_paused_subscription_takes_nothing_new_and_loses_nothing() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut alerts = bus.subscribe(Route::Alerts, 100);
    publish_until_stored(&bus, Route::Alerts, 1).await;
    let held = next(&mut alerts).await;

    alerts.pause();
    assert!(alerts.is_paused());
    // Messages stay in the queue as soon as the broker has heard of the pause.
    let mut published = 1;
    eventually(|| {
        published += 1;
        let (bus, n) = (bus.clone(), published);
        async move {
            publish_until_stored(&bus, Route::Alerts, n).await;
            bus.depth("alerts.v1").await.is_ok_and(|depth| depth > 0)
        }
    })
    .await;
    assert!(held.is_current(), "what was held can still be settled");
    held.ack().await;

    alerts.resume();
    let mut seen = BTreeSet::new();
    while seen.len() + 1 < usize::try_from(published).unwrap() {
        let delivery = next(&mut alerts).await;
        assert!(seen.insert(n_of(&delivery)), "nothing comes twice");
        delivery.ack().await;
    }
    assert_eq!(seen.first(), Some(&2), "the first was acknowledged");
    bus.close().await;
}

#[tokio::test]
async fn a_waiting_reader_may_give_up_and_miss_nothing() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut alerts = bus.subscribe(Route::Alerts, 10);
    for n in 0..20 {
        // Given up at once, over and over, while the message travels.
        publish_until_stored(&bus, Route::Alerts, n).await;
        let delivery = loop {
            let turn = tokio::time::timeout(Duration::from_micros(50), alerts.next());
            if let Ok(delivery) = turn.await {
                break delivery.unwrap();
            }
        };
        assert_eq!(n_of(&delivery), n);
        delivery.ack().await;
    }
    bus.close().await;
}

#[tokio::test]
async fn closing_the_bus_ends_subscriptions_and_gives_messages_back() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut alerts = bus.subscribe(Route::Alerts, 10);
    publish_until_stored(&bus, Route::Alerts, 1).await;
    let held = next(&mut alerts).await;
    bus.close().await;
    assert!(alerts.next().await.is_none());
    assert!(!held.is_current());
    held.ack().await; // too late, and harmless

    let other = vhost.bus().await;
    let mut alerts = other.subscribe(Route::Alerts, 10);
    let again = next(&mut alerts).await;
    assert!(again.redelivered);
    again.ack().await;
    other.close().await;
}
