use models::id::{ServiceId, UserId};
use models::probe::{Outcome, Phases, ProbeKind};

use super::*;

fn at(seconds: i64) -> Time {
    chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn job(id: u128) -> ProbeJob {
    ProbeJob {
        probe_id: ProbeId::from(uuid::Uuid::from_u128(id)),
        service_id: ServiceId::from(uuid::Uuid::from_u128(1)),
        user_id: UserId::from(uuid::Uuid::from_u128(2)),
        kind: ProbeKind::Slot,
        region: "default".into(),
        scheduled_at: at(0),
        not_after: at(5),
        config_version: 1,
        url: "https://example.com/".into(),
        timeout_ms: 1000,
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}

fn result(id: u128) -> Arc<ProbeResult> {
    let job = job(id);
    Arc::new(ProbeResult {
        probe_id: job.probe_id,
        service_id: job.service_id,
        kind: job.kind,
        region: job.region,
        scheduled_at: job.scheduled_at,
        config_version: 1,
        checked_at: at(0),
        outcome: Outcome::Up,
        status_code: Some(200),
        latency_us: Some(1),
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: "p".into(),
        answers: None,
        second_prober: None,
        proof: None,
    })
}

#[test]
fn a_batch_is_done_when_its_last_result_is_confirmed() {
    let ledger = Ledger::new();
    let admitted = ledger.admit("one", vec![job(1), job(2), job(3)], at(0));
    assert_eq!(admitted.run.len(), 3);
    assert!(ledger.confirmed([job(1).probe_id]).is_empty());
    assert!(
        ledger.skipped(job(2).probe_id).is_empty(),
        "a stale job holds nobody up"
    );
    assert_eq!(ledger.confirmed([job(3).probe_id]), ["one"]);
    assert_eq!(ledger.open(), 0);
    assert_eq!(
        ledger.admit("empty", Vec::<ProbeJob>::new(), at(0)).done,
        Some("empty")
    );
}

#[test]
fn a_batch_that_comes_again_is_sent_again_and_not_probed_again() {
    let ledger = Ledger::new();
    ledger.admit("lost", vec![job(1), job(2)], at(0));
    ledger.found(&result(1));
    let again = ledger.admit("again", vec![job(1), job(2), job(3)], at(1));
    assert_eq!(again.resend, [result(1)], "finished: only sent");
    assert_eq!(again.run, [job(3)], "running: waited for");
    assert!(ledger.confirmed([job(1).probe_id]).is_empty());
    assert_eq!(ledger.confirmed([job(2).probe_id]), ["lost"]);
    assert_eq!(ledger.confirmed([job(3).probe_id]), ["again"]);
}

#[test]
fn a_batch_of_which_the_broker_has_all_results_is_done_when_it_comes_again() {
    let ledger = Ledger::new();
    ledger.admit("one", vec![job(1), job(2)], at(0));
    ledger.found(&result(1));
    assert!(ledger.confirmed([job(1).probe_id]).is_empty());
    let again = ledger.admit("half", vec![job(1), job(2)], at(1));
    assert_eq!((again.run.len(), again.resend.len()), (0, 0));
    assert_eq!(again.done, None, "the other one is being probed");
    assert_eq!(ledger.confirmed([job(2).probe_id]), ["one", "half"]);
    let again = ledger.admit("ack was lost", vec![job(1), job(2)], at(4));
    assert_eq!((again.run.len(), again.resend.len()), (0, 0));
    assert_eq!(again.done, Some("ack was lost"));
    assert_eq!(ledger.open(), 0);
}

#[test]
fn a_probe_is_known_for_as_long_as_its_job_is_fresh_and_no_longer() {
    let ledger = Ledger::new();
    let mut fresh = job(1);
    fresh.not_after = at(30);
    ledger.admit("one", vec![fresh.clone()], at(0));
    assert_eq!(ledger.confirmed([fresh.probe_id]), ["one"]);
    for (seconds, runs) in [(12, 0), (25, 0), (40, 1)] {
        let again = ledger.admit("again", vec![fresh.clone()], at(seconds));
        assert_eq!(again.run.len(), runs, "{seconds}");
    }
}

#[test]
fn one_probe_twice_in_a_batch_runs_once() {
    let ledger = Ledger::new();
    let admitted = ledger.admit("one", vec![job(1), job(1)], at(0));
    assert_eq!(admitted.run.len(), 1);
    assert_eq!(ledger.confirmed([job(1).probe_id]), ["one"]);
}

#[test]
fn only_a_batch_of_which_nothing_has_begun_is_handed_back() {
    let ledger = Ledger::new();
    let begun = ledger.admit("begun", vec![job(1), job(2)], at(0));
    assert!(ledger.begin(job(1).probe_id, begun.ticket));
    ledger.admit("again", vec![job(2)], at(0));
    let first = ledger.admit("unbegun", vec![job(3)], at(0));
    ledger.admit("returned before", vec![job(4)], at(0));
    assert_eq!(
        ledger.hand_back(|delivery| *delivery != "returned before"),
        ["unbegun"]
    );
    assert!(
        !ledger.begin(job(3).probe_id, first.ticket),
        "it is another prober's"
    );
    let again = ledger.admit("unbegun again", vec![job(3)], at(1));
    assert_eq!(again.run, [job(3)]);
    assert!(
        !ledger.begin(job(3).probe_id, first.ticket),
        "the first task must not run it beside the second"
    );
    assert!(ledger.begin(job(3).probe_id, again.ticket));
    assert_eq!(ledger.confirmed([job(3).probe_id]), ["unbegun again"]);
    assert_eq!(ledger.open(), 3);
}
