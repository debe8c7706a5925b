//! The bus against a real RabbitMQ, a vhost per test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it stands"
)]

mod bury;
mod consume;
mod encrypted;
mod heal;
mod publish;
mod rights;

use bus::{Bus, Delivery, Outgoing, PublishOutcome, Route, Subscription};
use models::message::ProbeRequest;
use serde::{Deserialize, Serialize};

/// A payload of our own: the bus does not care what it carries.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Number {
    n: u32,
}

fn number(route: Route, n: u32) -> Outgoing {
    Outgoing::json(route, format!("id-{n}"), &Number { n }).unwrap()
}

/// Publishes through any outage: what a caller of the bus does.
async fn publish_until_stored(bus: &Bus, route: Route, n: u32) {
    testkit::eventually(|| async {
        match bus.publisher().publish_one(number(route.clone(), n)).await {
            Ok(PublishOutcome::Stored) => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

/// The next delivery, or a failed test.
async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(testkit::eventually::DEADLINE, subscription.next())
        .await
        .expect("no delivery in time")
        .expect("the bus is closed")
}

/// Returns once a pause holds, or fails the test.
async fn paused(subscription: &mut Subscription) {
    tokio::time::timeout(testkit::eventually::DEADLINE, subscription.paused())
        .await
        .expect("the pause does not hold");
}

fn n_of(delivery: &Delivery) -> u32 {
    bus::decode::<Number>(delivery).unwrap().n
}

/// What waits in a queue, once there is something to count.
async fn depth_is(bus: &Bus, queue: &str, expected: u32) {
    testkit::eventually(|| async {
        match bus.depth(queue).await {
            Ok(depth) if depth == expected => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

#[test]
fn the_models_messages_are_what_travels() {
    let body = serde_json::to_vec(&ProbeRequest {
        service_id: uuid::Uuid::nil().into(),
    })
    .unwrap();
    assert!(Outgoing::bytes(Route::ProbeRequests, 1, body).is_ok());
}
