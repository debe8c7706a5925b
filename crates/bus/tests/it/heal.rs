//! Lost connections, cancelled consumers, deleted queues.

use crate::{n_of, next, number, publish_until_stored};
use bus::{BusConfig, Declares, PublishError, PublishOutcome, Route};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{Proxy, TestVhost, eventually};

#[tokio::test]
async fn closed_connections_heal_and_nothing_acknowledged_or_stored_is_lost() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut alerts = bus.subscribe(Route::Alerts, 10);
    publish_until_stored(&bus, Route::Alerts, 1).await;
    publish_until_stored(&bus, Route::Alerts, 2).await;
    next(&mut alerts).await.ack().await;
    let held = next(&mut alerts).await;

    // Both connections; the broker lists them a few seconds late.
    testkit::eventually::within(Duration::from_secs(30), || async {
        vhost.close_connections().await >= 2
    })
    .await;
    eventually(|| async { !held.is_current() }).await;
    held.ack().await; // of a channel that has ended: harmless

    publish_until_stored(&bus, Route::Alerts, 3).await;
    let again = next(&mut alerts).await;
    assert_eq!((n_of(&again), again.redelivered), (2, true));
    again.ack().await;
    // Three once, or more often if a confirm was lost; but never one or two again.
    let third = next(&mut alerts).await;
    assert_eq!(n_of(&third), 3);
    third.ack().await;
    let status = bus.status();
    eventually(|| async { status.borrow().is_ready() }).await;
    bus.close().await;
}

#[tokio::test]
async fn a_consumer_whose_queue_was_deleted_makes_it_again_and_goes_on() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut results = bus.subscribe(Route::ProbeResults, 10);
    publish_until_stored(&bus, Route::ProbeResults, 1).await;
    let held = next(&mut results).await;
    vhost.delete_queue("probe-results.v1").await;
    eventually(|| vhost.has_queue("probe-results.v1")).await;
    publish_until_stored(&bus, Route::ProbeResults, 2).await;
    let delivery = next(&mut results).await;
    assert_eq!(n_of(&delivery), 2);
    delivery.ack().await;
    held.ack().await; // its queue is gone: harmless
    publish_until_stored(&bus, Route::ProbeResults, 3).await;
    assert_eq!(n_of(&next(&mut results).await), 3);
    bus.close().await;
}

#[tokio::test]
async fn a_publisher_alone_declares_a_deleted_queue_again() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    vhost.delete_queue("probe-jobs.v1.default").await;
    let lost = bus
        .publisher()
        .publish_one(number(Route::jobs("default"), 1))
        .await;
    assert_eq!(lost, Ok(PublishOutcome::Unroutable));
    publish_until_stored(&bus, Route::jobs("default"), 2).await;
    bus.close().await;
}

#[tokio::test]
async fn who_declares_nothing_waits_for_the_queue_to_appear() {
    let vhost = TestVhost::new().await;
    let prober = bus::Bus::connect(BusConfig {
        declares: Declares::Nothing,
        ..vhost.bus_config()
    })
    .unwrap();
    let mut jobs = prober.subscribe(Route::jobs("default"), 10);
    assert!(prober.connected().await);
    assert!(!vhost.has_queue("probe-jobs.v1.default").await);
    let scheduler = vhost.bus().await;
    publish_until_stored(&scheduler, Route::jobs("default"), 4).await;
    assert_eq!(n_of(&next(&mut jobs).await), 4);
    prober.close().await;
    scheduler.close().await;
}

#[tokio::test]
async fn everything_stored_under_repeated_losses_arrives() {
    const MESSAGES: u32 = 400;
    const CUTS: usize = 4;
    let vhost = TestVhost::new().await;
    let wire = Proxy::to(vhost.amqp_url()).await;
    let bus = bus::Bus::connect(BusConfig {
        amqp_url: wire.amqp_url(),
        ..vhost.bus_config()
    })
    .unwrap();
    let mut results = bus.subscribe(Route::ProbeResults, 20);
    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES {
                publish_until_stored(&bus, Route::ProbeResults, n).await;
            }
        })
    };
    let mut seen = BTreeSet::new();
    let mut cuts = 0;
    while seen.len() < usize::try_from(MESSAGES).unwrap() {
        let delivery = next(&mut results).await;
        seen.insert(n_of(&delivery));
        delivery.ack().await;
        if cuts < CUTS && seen.len() >= (cuts + 1) * 80 {
            cuts += 1;
            wire.cut();
        }
    }
    assert_eq!(cuts, CUTS);
    publishing.await.unwrap();
    bus.close().await;
}

#[tokio::test]
async fn a_publisher_whose_exchange_is_gone_declares_it_again() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    vhost.delete_exchange("pulsemon.alerts").await;
    let failed = bus.publisher().publish_one(number(Route::Alerts, 1)).await;
    assert_eq!(failed, Err(PublishError::Disconnected));
    publish_until_stored(&bus, Route::Alerts, 2).await;
    bus.close().await;
}

#[tokio::test]
async fn a_broker_that_falls_silent_costs_one_confirm_timeout_and_heals() {
    let vhost = TestVhost::new().await;
    let wire = Proxy::to(vhost.amqp_url()).await;
    let bus = bus::Bus::connect(BusConfig {
        amqp_url: wire.amqp_url(),
        ..vhost.bus_config()
    })
    .unwrap();
    publish_until_stored(&bus, Route::Alerts, 1).await;
    wire.freeze();
    let answer = bus.publisher().publish_one(number(Route::Alerts, 2)).await;
    assert_eq!(answer, Err(PublishError::ConfirmTimeout));
    publish_until_stored(&bus, Route::Alerts, 3).await;
    bus.close().await;
}
