//! Poison is parked where a person finds it.

use crate::{Number, depth_is, n_of, next, number};
use bus::{Outgoing, Route};
use testkit::TestVhost;

#[tokio::test]
async fn a_malformed_message_is_buried_with_its_reason_while_neighbours_go_through() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let poison = Outgoing::bytes(Route::ProbeResults, "bad", b"{\"n\": \"x".to_vec()).unwrap();
    let messages = vec![
        number(Route::ProbeResults, 1),
        poison,
        number(Route::ProbeResults, 2),
    ];
    bus.publisher().publish(messages).await.unwrap();
    let mut results = bus.subscribe(Route::ProbeResults, 10);
    let mut good = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut results).await;
        match bus::decode::<Number>(&delivery) {
            Ok(number) => {
                good.push(number.n);
                delivery.ack().await;
            }
            Err(error) => delivery.bury(&error.to_string()).await.unwrap(),
        }
    }
    assert_eq!(good, [1, 2]);

    let dead = vhost.take("probe-results.dead", 10).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "{\"n\": \"x");
    assert_eq!(dead[0].message_id, "bad");
    let reason = dead[0].header("x-pulsemon-reason");
    assert!(reason.starts_with("not a Number: EOF"), "{reason}");
    assert_eq!(dead[0].header("x-pulsemon-queue"), "probe-results.v1");
    assert_eq!(dead[0].header("x-pulsemon-exchange"), "pulsemon.results");
    assert_eq!(dead[0].header("x-pulsemon-routing-key"), "probe-results");
    assert_eq!(dead[0].header("x-pulsemon-buried-by"), "test");
    depth_is(&bus, "probe-results.v1", 0).await;
    bus.close().await;
}

#[tokio::test]
async fn one_bad_item_is_buried_alone_and_the_message_stays_to_be_settled() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let message = number(Route::ProbeResults, 1);
    bus.publisher().publish_one(message).await.unwrap();
    let mut results = bus.subscribe(Route::ProbeResults, 10);
    let delivery = next(&mut results).await;
    let part = delivery.bury_part(b"17".to_vec(), "not an item").await;
    part.unwrap();
    assert!(delivery.is_current());
    assert_eq!(n_of(&delivery), 1);
    delivery.ack().await;
    let dead = vhost.take("probe-results.dead", 10).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "17");
    bus.close().await;
}

#[tokio::test]
async fn each_queue_buries_into_its_own() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let routes = [
        Route::ProbeRequests,
        Route::jobs("default"),
        Route::ProbeResults,
        Route::Alerts,
    ];
    for route in routes {
        let dead_queue = route.dead_queue().queue();
        let mut subscription = bus.subscribe(route.clone(), 1);
        bus.publisher().publish_one(number(route, 5)).await.unwrap();
        // A reason of any length fits.
        let reason = "ü".repeat(10_000);
        next(&mut subscription).await.bury(&reason).await.unwrap();
        let dead = vhost.take(dead_queue, 10).await;
        assert_eq!(dead.len(), 1, "{dead_queue}");
        assert_eq!(dead[0].header("x-pulsemon-reason").len(), 500);
    }
    bus.close().await;
}

#[tokio::test]
async fn a_missing_dead_queue_is_declared_again_and_nothing_is_lost() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut alerts = bus.subscribe(Route::Alerts, 1);
    vhost.delete_queue("alerts.dead").await;
    let message = number(Route::Alerts, 5);
    bus.publisher().publish_one(message).await.unwrap();
    next(&mut alerts).await.bury("no use").await.unwrap();
    assert_eq!(vhost.take("alerts.dead", 10).await.len(), 1);
    bus.close().await;
}
