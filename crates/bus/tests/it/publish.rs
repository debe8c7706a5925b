//! What a publisher is told.

use crate::{depth_is, n_of, next, number};
use bus::{Bus, BusConfig, PublishError, PublishOutcome, Route};
use testkit::TestVhost;

#[tokio::test]
async fn what_is_published_arrives_once_with_its_id_and_is_gone_after_the_ack() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mut jobs = bus.subscribe(Route::jobs("default"), 10);
    let message = number(Route::jobs("default"), 7).with_traceparent("00-ab-cd-01");
    let outcome = bus.publisher().publish_one(message).await;
    assert_eq!(outcome, Ok(PublishOutcome::Stored));

    let delivery = next(&mut jobs).await;
    assert_eq!(n_of(&delivery), 7);
    assert_eq!(delivery.message_id.as_deref(), Some("id-7"));
    assert_eq!(delivery.traceparent.as_deref(), Some("00-ab-cd-01"));
    assert_eq!((delivery.delivery_count, delivery.redelivered), (0, false));
    delivery.ack().await;
    drop(jobs);
    depth_is(&bus, "probe-jobs.v1.default", 0).await;

    let mut again = bus.subscribe(Route::jobs("default"), 10);
    publish_marker_and_expect_it_first(&bus, &mut again).await;
    bus.close().await;
}

/// Had the acknowledged message come back, it would stand before the marker.
async fn publish_marker_and_expect_it_first(bus: &Bus, jobs: &mut bus::Subscription) {
    let marker = number(Route::jobs("default"), 99);
    bus.publisher().publish_one(marker).await.unwrap();
    assert_eq!(n_of(&next(jobs).await), 99);
}

#[tokio::test]
async fn many_messages_are_all_confirmed_and_arrive_in_order() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let many: Vec<_> = (0..1000).map(|n| number(Route::ProbeResults, n)).collect();
    let outcomes = bus.publisher().publish(many).await.unwrap();
    assert_eq!(outcomes.len(), 1000);
    assert!(outcomes.iter().all(|outcome| outcome.is_stored()));
    let mut results = bus.subscribe(Route::ProbeResults, 400);
    for expected in 0..1000 {
        let delivery = next(&mut results).await;
        assert_eq!(n_of(&delivery), expected);
        delivery.ack().await;
    }
    bus.close().await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_so_message_by_message() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    vhost.limit_length("^probe-jobs", 5).await;
    // A quorum queue refuses a little late, so look at one message after the other.
    let publisher = bus.publisher();
    let mut stored = 0;
    let refused_at = testkit::eventually(|| {
        stored += 1;
        let (publisher, n) = (publisher.clone(), stored);
        async move {
            match publisher
                .publish_one(number(Route::jobs("default"), n))
                .await
            {
                Ok(PublishOutcome::Refused) => Ok(n),
                other => Err(other),
            }
        }
    })
    .await;
    assert!(refused_at > 5, "refused at {refused_at}");
    // The neighbours' queues still take messages in the same call.
    let mixed = vec![
        number(Route::jobs("default"), 1),
        number(Route::ProbeResults, 2),
    ];
    let outcomes = publisher.publish(mixed).await.unwrap();
    assert_eq!(outcomes, [PublishOutcome::Refused, PublishOutcome::Stored]);
    bus.close().await;
}

#[tokio::test]
async fn a_message_without_a_queue_is_reported_and_its_neighbours_go_through() {
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let mixed = vec![
        number(Route::Alerts, 1),
        number(Route::jobs("atlantis"), 2),
        number(Route::Alerts, 3),
    ];
    let outcomes = bus.publisher().publish(mixed).await.unwrap();
    assert_eq!(
        outcomes,
        [
            PublishOutcome::Stored,
            PublishOutcome::Unroutable,
            PublishOutcome::Stored
        ]
    );
    bus.close().await;
}

/// The broker confirms several at once where it can, and says of none which one it hands back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_queue_is_told_of_itself_whatever_is_published_beside_it() {
    const ROUNDS: u32 = 20;
    const EACH: u32 = 24;
    let vhost = TestVhost::new().await;
    let bus = vhost.bus().await;
    let route = |n: u32| match n % 3 {
        0 => Route::jobs("atlantis"),
        _ => Route::Alerts,
    };
    let expected = |n: u32| match n % 3 {
        0 => PublishOutcome::Unroutable,
        _ => PublishOutcome::Stored,
    };
    for _ in 0..ROUNDS {
        // In one call, and in as many at one time.
        let together: Vec<_> = (0..EACH).map(|n| number(route(n), n)).collect();
        let outcomes = bus.publisher().publish(together).await.unwrap();
        assert_eq!(outcomes, (0..EACH).map(expected).collect::<Vec<_>>());
        let apart = (0..EACH).map(|n| {
            let (publisher, message) = (bus.publisher(), number(route(n), n));
            tokio::spawn(async move { publisher.publish_one(message).await.unwrap() })
        });
        let apart: Vec<_> = apart.collect();
        for (n, publishing) in (0..).zip(apart) {
            assert_eq!(publishing.await.unwrap(), expected(n), "{n}");
        }
    }
    bus.close().await;
}

#[tokio::test]
async fn without_a_broker_publishing_fails_at_once_and_the_status_says_why() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let config = BusConfig {
        amqp_url: format!("amqp://u:secret@127.0.0.1:{port}/x").into(),
        ca_file: None,
        process_name: "test",
        declares: bus::Declares::Nothing,
    };
    let bus = Bus::connect(config).unwrap();
    let answer = bus.publisher().publish_one(number(Route::Alerts, 1)).await;
    assert_eq!(answer, Err(PublishError::Disconnected));
    let status = bus.status();
    let trouble = testkit::eventually(|| {
        let trouble = status.borrow().trouble();
        async move { trouble.filter(|text| text.contains("refused")) }
    })
    .await;
    assert!(!trouble.contains("secret"), "{trouble}");
    bus.close().await;
}

#[test]
fn a_configuration_that_cannot_work_is_refused_without_its_password() {
    let config = BusConfig {
        amqp_url: "http://u:secret@h/x".into(),
        ca_file: None,
        process_name: "test",
        declares: bus::Declares::default_region(),
    };
    let error = Bus::connect(config.clone()).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    let missing = BusConfig {
        amqp_url: "amqps://u:p@h/x".into(),
        ca_file: Some("/nonexistent/ca.pem".into()),
        ..config.clone()
    };
    assert!(Bus::connect(missing).is_err());
    let regions = vec![String::from("Über all")];
    let region = BusConfig {
        amqp_url: "amqp://u:p@h/x".into(),
        declares: bus::Declares::Topology { regions },
        ..config
    };
    assert!(Bus::connect(region).is_err());
}
