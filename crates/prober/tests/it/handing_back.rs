//! When a batch is done, what goes back to the queue, and what is not probed twice.

use std::sync::Arc;

use bus::Route;
use chrono::TimeDelta;
use models::probe::{Answers, Outcome, ProbeKind};
use models::signature::Proof;
use testkit::eventually;
use tokio::sync::Semaphore;

use crate::support::stage::{Stage, held};
use crate::support::target::{OK, Target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_in_flight_and_leaves_what_has_not_begun() {
    let mut stage = Stage::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    stage.send(vec![stage.job(&target, 2, 20_000)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    // Both batches are in the prober's hands.
    stage.waiting(0).await;
    stage.trigger.shut_down();
    gate.add_permits(10);
    let found = stage.results(1).await;
    assert_eq!(found[0].config_version, 1);
    stage.stop_leaving(1).await;
    assert_eq!(
        target.connections(),
        1,
        "the second job is another prober's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_what_waits_for_a_place() {
    let mut stage = Stage::with(|config| config.pool_size = 1).await;
    let gate = Arc::new(Semaphore::new(0));
    let target = held(gate.clone()).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    stage.send(vec![stage.job(&target, 2, 0)]).await;
    stage.waiting(0).await;
    stage.trigger.shut_down();
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].config_version, 1);
    stage.stop_leaving(1).await;
    assert_eq!(target.connections(), 1, "its place came too late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_avoided_prober_hands_a_confirm_back_three_times_and_then_runs_it_itself() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    let prober = stage.results(1).await.remove(0).prober;
    let mut confirm = stage.job(&target, 2, 0);
    confirm.kind = ProbeKind::Confirm;
    confirm.avoid_prober = Some(prober.clone());
    confirm.answers = Some(Answers {
        kind: ProbeKind::Slot,
        scheduled_at: confirm.scheduled_at - TimeDelta::seconds(1),
    });
    confirm.signature = Some("AAECAwQFBgcICQoLDA0ODw".try_into().unwrap());
    stage.send(vec![confirm.clone()]).await;
    let own = stage.results(1).await.remove(0);
    assert_eq!(
        (&own.answers, own.proof),
        (&confirm.answers, Proof::of(&confirm)),
        "what the processor goes by"
    );
    assert_eq!(
        (own.outcome, own.second_prober),
        (Outcome::Up, Some(false)),
        "it says whose opinion it is"
    );
    assert_eq!(own.prober, prober);
    let waited = own.checked_at - confirm.scheduled_at;
    assert!(waited >= TimeDelta::milliseconds(3 * 200), "{waited}");
    // One that is to avoid another is run at once, and so is one in company.
    let mut confirm = stage.job(&target, 3, 0);
    confirm.avoid_prober = Some("another".to_owned());
    let mut avoided = stage.job(&target, 4, 0);
    avoided.avoid_prober = Some(prober);
    stage.send(vec![confirm, avoided]).await;
    let mut seconds: Vec<_> = stage.results(2).await;
    seconds.sort_by_key(|result| result.config_version);
    let seconds: Vec<_> = seconds.iter().map(|result| result.second_prober).collect();
    assert_eq!(seconds, [Some(true), Some(false)]);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_acknowledged_only_when_its_result_is_safe() {
    let mut stage = Stage::new().await;
    let target = Target::answering(OK).await;
    // Nobody consumes results, so nobody makes their queue again.
    stage.results = stage.bus.subscribe(Route::Alerts, 1);
    stage.vhost.delete_queue("probe-results.v1").await;
    stage.send(vec![stage.job(&target, 1, 0)]).await;
    eventually(|| async { target.connections() == 1 }).await;
    stage.results = stage.bus.subscribe(Route::ProbeResults, 100);
    assert_eq!(stage.results(1).await[0].config_version, 1);
    assert_eq!(target.connections(), 1);
    stage.stop_leaving(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_comes_again_after_a_lost_connection_is_not_probed_again() {
    let mut stage = Stage::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let (quick, slow) = (Target::answering(OK).await, held(gate.clone()).await);
    stage
        .send(vec![stage.job(&quick, 1, 0), stage.job(&slow, 2, 0)])
        .await;
    assert_eq!(stage.results(1).await[0].config_version, 1);
    eventually(|| async { slow.connections() == 1 }).await;
    // Two of the prober and two of the test; the broker lists them a few seconds late.
    eventually(|| async { stage.vhost.close_connections().await >= 4 }).await;
    // Sent later, it comes behind the batch that comes again.
    let later = Target::answering(OK).await;
    stage.send(vec![stage.job(&later, 3, 0)]).await;
    let next = stage.results(1).await;
    assert_eq!(
        next[0].config_version, 3,
        "what the broker has is not sent again"
    );
    gate.add_permits(10);
    assert_eq!(stage.results(1).await[0].config_version, 2);
    assert_eq!((quick.connections(), slow.connections()), (1, 1));
    stage.stop_leaving(0).await;
}
