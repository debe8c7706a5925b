//! What is broken is named, parked and gone around.

use bus::{Outgoing, PublishOutcome, Route};
use serde_json::json;
use testkit::{FakeTarget, eventually};

use crate::stack::{Stack, ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_message_on_any_queue_is_parked_with_a_reason_while_its_neighbours_go_through()
{
    let stack = Stack::start().await;
    let bus = stack.vhost.bus().await;
    let routes = [
        (Route::ProbeRequests, "probe-requests.dead"),
        (Route::ProbeJobs("default".into()), "probe-jobs.dead"),
        (Route::ProbeResults, "probe-results.dead"),
        (Route::Alerts, "alerts.dead"),
    ];
    for (route, dead) in routes {
        let garbage = b"{\"this is\": no message".to_vec();
        let garbage = Outgoing::bytes(route, "garbage", garbage).expect("small enough");
        let outcome = bus
            .publisher()
            .publish_one(garbage)
            .await
            .expect("a broker");
        assert_eq!(outcome, PublishOutcome::Stored);
        let parked = eventually(async || stack.vhost.take(dead, 1).await.pop()).await;
        assert!(!parked.header("x-pulsemon-reason").is_empty(), "{parked:?}");
    }
    // The road is free.
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let id = tenant.watch(json!({"url": target.url("/")})).await;
    eventually(async || tenant.results(&id).await.len() == 1).await;
    bus.close().await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_connection_is_cut_the_product_goes_on_by_itself() {
    let stack = Stack::start().await;
    let target = FakeTarget::http().await;
    let tenant = stack.tenant().await;
    let id = tenant
        .watch(json!({"url": target.url("/"), "interval": "1s"}))
        .await;
    let newest = async || {
        let results = tenant.results(&id).await;
        results.first().map(|result| result["id"].clone())
    };
    eventually(async || tenant.results(&id).await.len() >= 2).await;

    stack.db.terminate_sessions().await;
    // The api answers 503 for the moment that it takes to connect again.
    ready(stack.api).await;
    let before = eventually(&newest).await;
    eventually(async || newest().await.is_some_and(|id| id != before)).await;

    eventually(async || stack.vhost.close_connections().await >= 5).await;
    let before = eventually(&newest).await;
    eventually(async || newest().await.is_some_and(|id| id != before)).await;
    stack.stop().await;
}
