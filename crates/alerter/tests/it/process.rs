//! The process around it: what it waits for, what it hears, how it ends.

use std::net::{SocketAddr, TcpListener};

use bus::{Outgoing, Route};
use models::message::AlertNudge;
use runtime::env::OpsConfig;
use secrecy::ExposeSecret as _;
use testkit::resend::Answer;
use testkit::{TestDb, TestVhost, eventually};

use crate::world::World;

/// Free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_finishes_what_is_on_the_wire_and_claims_no_more() {
    let world = World::new().await;
    world.resend.script([Answer::Hold]);
    let (_, delivery) = world.failure().await;
    let alerter = world.start();
    world.until_requests(1).await;
    alerter.ask_to_stop();
    let (_, late) = world.failure().await;
    assert!(!alerter.has_ended());
    world.resend.release();
    alerter.stop().await;
    assert_eq!(world.status(delivery).await, "sent");
    assert_eq!(world.status(late).await, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_schema_and_says_so_and_works_without_a_broker() {
    let world = World::with(TestDb::unmigrated().await).await;
    let listen = free_port();
    let mut env = world.env();
    env.insert("OPS_PORT".into(), listen.port().to_string());
    let alerter = world.start_with(&env);
    let ops = OpsConfig { listen };
    eventually(async || {
        let answer = runtime::process::ready(ops).await;
        let reason = answer.map_or_else(|error| error.to_string(), |()| "ready".into());
        if reason.contains("schema is behind") {
            Ok(())
        } else {
            Err(reason)
        }
    })
    .await;
    db::migrations::migrate(world.db.db()).await.unwrap();
    let (_, delivery) = world.failure().await;
    world.until(delivery, "sent").await;
    eventually(async || runtime::process::ready(ops).await).await;
    alerter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hears_nudges_and_buries_what_is_none() {
    let world = World::new().await;
    let vhost = TestVhost::new().await;
    let mut env = world.env();
    let amqp_url = vhost.amqp_url().expose_secret().to_owned();
    env.insert("AMQP_URL".into(), amqp_url);
    let bus = vhost.bus().await;
    let alerter = world.start_with(&env);
    let (_, delivery) = world.failure().await;
    let nudge = AlertNudge {
        alert_id: delivery.into(),
        lane: None,
    };
    let bad = Outgoing::bytes(Route::Alerts, "bad", b"not a nudge".to_vec()).unwrap();
    let good = Outgoing::json(Route::Alerts, "good", &nudge).unwrap();
    for message in [bad, good] {
        let outcome = bus.publisher().publish_one(message).await.unwrap();
        assert!(outcome.is_stored());
    }
    world.until(delivery, "sent").await;
    let dead_queue = Route::Alerts.dead_queue();
    let dead = eventually(async || {
        let dead = vhost.take(dead_queue.queue(), 10).await;
        (!dead.is_empty()).then_some(dead)
    })
    .await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, "not a nudge");
    alerter.stop().await;
    let left = bus.depth(&Route::Alerts.queue()).await.unwrap();
    assert_eq!(left, 0, "both were settled");
    bus.close().await;
}
