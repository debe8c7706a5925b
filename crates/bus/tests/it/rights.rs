//! The rights that deployments give: a prober may read its jobs and write results and dead
//! letters, and nothing else.

use crate::{n_of, next, number, publish_until_stored};
use bus::{Bus, BusConfig, Declares, PublishError, PublishOutcome, Route};
use testkit::TestVhost;

#[tokio::test]
async fn a_prober_works_with_the_rights_of_a_prober_and_cannot_do_more() {
    let vhost = TestVhost::new().await;
    let scheduler = vhost.bus().await;
    let write = "^pulsemon\\.(results|dead)$";
    let read = "^probe-jobs\\.v1\\.default$";
    let prober = Bus::connect(BusConfig {
        amqp_url: vhost.restricted_url("^$", write, read).await,
        declares: Declares::Nothing,
        ..vhost.bus_config()
    })
    .unwrap();
    let mut jobs = prober.subscribe(Route::jobs("default"), 5);
    assert!(prober.connected().await);
    publish_until_stored(&scheduler, Route::jobs("default"), 1).await;
    publish_until_stored(&scheduler, Route::jobs("default"), 2).await;

    let first = next(&mut jobs).await;
    assert_eq!(n_of(&first), 1);
    let result = number(Route::ProbeResults, 1);
    let stored = prober.publisher().publish_one(result).await;
    assert_eq!(stored, Ok(PublishOutcome::Stored));
    first.ack().await;
    next(&mut jobs).await.bury("unreadable").await.unwrap();

    let publisher = prober.publisher();
    let forged = publisher.publish_one(number(Route::Alerts, 1)).await;
    assert_eq!(forged, Err(PublishError::Disconnected));
    // The refusal cost a connection; the rest of the prober's work goes on.
    publish_until_stored(&prober, Route::ProbeResults, 2).await;
    prober.close().await;
    scheduler.close().await;
}
