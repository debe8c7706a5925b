//! A result counts only if a scheduler signed its job.

use models::probe::Outcome::{Down, Up};
use models::probe::{ProbeKind, ProbeResult, probe_id};
use models::signature::{Keys, Proof};
use testkit::eventually;

use crate::world::{KEY, World, job, signed};

const DEAD: &str = "probe-results.dead";
const OTHER: &str = "another key for tests only of thirty-two bytes";

#[tokio::test]
async fn forged_and_altered_results_are_put_among_the_dead_and_their_neighbours_are_stored() {
    let world = World::running(1).await;
    let (given, other) = (world.service().await, world.service().await);
    let mine = signed(&given.slot(10, Up));
    let strangers = Keys::new(OTHER.as_bytes(), None).unwrap();
    let made_up = given.slot(20, Down);
    let forged = [
        // Signed by somebody else.
        ProbeResult {
            proof: Proof::of(&job(&made_up, &strangers)),
            ..made_up
        },
        // A job that was given, told of another service, of another time, as another kind, and of
        // another configuration.
        ProbeResult {
            proof: mine.proof,
            ..other.slot(10, Down)
        },
        ProbeResult {
            proof: mine.proof,
            ..given.slot(30, Down)
        },
        ProbeResult {
            proof: mine.proof,
            ..given.found(ProbeKind::First, 10, Down)
        },
        ProbeResult {
            config_version: 2,
            probe_id: probe_id(given.id, "default", ProbeKind::Slot, mine.scheduled_at, 2),
            ..mine.clone()
        },
    ];
    world.publish(&forged).await;
    let unsigned = models::message::ResultBatch {
        results: vec![given.slot(40, Down), mine],
    };
    world
        .publish_body(serde_json::to_vec(&unsigned).unwrap())
        .await;
    world.rows(1).await;
    eventually(|| async { world.bus.depth(DEAD).await.unwrap() == 6 }).await;
    let letters = world.vhost.take(DEAD, 6).await;
    let reasons: Vec<&str> = letters
        .iter()
        .map(|letter| letter.header("x-pulsemon-reason"))
        .collect();
    let wrong = "the signature is not that of the result's job";
    let of = |reason: &str| reasons.iter().filter(|told| **told == reason).count();
    assert_eq!(
        (of(wrong), of("the result is not signed")),
        (5, 1),
        "{reasons:?}"
    );
    assert_eq!(world.count("SELECT sum(streak) FROM health").await, 0);
}

#[tokio::test]
async fn while_keys_are_changed_results_signed_with_either_are_taken() {
    let both = format!("{OTHER},{KEY}");
    let world = World::with("JOB_SIGNING_KEY", &both).await;
    let service = world.service().await;
    let new = Keys::new(OTHER.as_bytes(), None).unwrap();
    let result = service.slot(20, Up);
    let by_new = ProbeResult {
        proof: Proof::of(&job(&result, &new)),
        ..result
    };
    let by_old = signed(&service.slot(10, Up));
    world.take(&[by_old, by_new], 2).await;
}
