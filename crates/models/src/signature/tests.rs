use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::probe::{Outcome, Phases, probe_id};

const KEY: &[u8] = b"a key of some thirty-two bytes or more";
const OLD: &[u8] = b"the key before it, of thirty-two bytes";

fn keys() -> Keys {
    Keys::new(KEY, None).unwrap()
}

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn job() -> ProbeJob {
    let service = Uuid::from_u128(7).into();
    ProbeJob {
        probe_id: probe_id(service, "default", ProbeKind::Confirm, at(0), 3),
        service_id: service,
        user_id: Uuid::from_u128(1).into(),
        kind: ProbeKind::Confirm,
        region: String::from("default"),
        scheduled_at: at(0),
        not_after: at(15),
        config_version: 3,
        url: String::from("https://shop.example/"),
        timeout_ms: 5_000,
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: Some(String::from("one")),
        answers: Some(Answers {
            kind: ProbeKind::Slot,
            scheduled_at: at(-1),
        }),
        signature: None,
    }
}

fn signed(keys: &Keys) -> ProbeJob {
    let mut job = job();
    job.signature = Some(keys.sign(&job));
    job
}

fn result(job: &ProbeJob) -> ProbeResult {
    ProbeResult {
        probe_id: job.probe_id,
        service_id: job.service_id,
        kind: job.kind,
        region: job.region.clone(),
        scheduled_at: job.scheduled_at,
        config_version: job.config_version,
        checked_at: at(1),
        outcome: Outcome::Up,
        status_code: Some(200),
        latency_us: Some(1),
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: String::from("two"),
        answers: job.answers.clone(),
        second_prober: Some(true),
        proof: Proof::of(job),
    }
}

#[test]
fn a_result_of_a_signed_job_is_taken_and_one_without_a_job_is_not() {
    assert_eq!(keys().check(&result(&signed(&keys()))), Ok(()));
    assert_eq!(keys().check(&result(&job())), Err(Forged::Unsigned));
    let strangers = Keys::new(OLD, None).unwrap();
    let forged = result(&signed(&strangers));
    assert_eq!(keys().check(&forged), Err(Forged::Wrong));
}

#[test]
fn two_keys_live_while_they_are_changed() {
    let old = Keys::new(OLD, None).unwrap();
    let both = Keys::new(KEY, Some(OLD)).unwrap();
    for job in [signed(&old), signed(&both)] {
        assert_eq!(both.check(&result(&job)), Ok(()));
    }
    assert_eq!(
        keys().check(&result(&signed(&both))),
        Ok(()),
        "the new one signs"
    );
    assert_eq!(old.check(&result(&signed(&both))), Err(Forged::Wrong));
}

#[test]
fn nothing_that_a_result_says_of_its_job_can_be_changed() {
    type Change = fn(&mut ProbeResult);
    let changes: [(&str, Change); 9] = [
        ("probe", |r| r.probe_id = Uuid::from_u128(9).into()),
        ("service", |r| r.service_id = Uuid::from_u128(9).into()),
        ("kind", |r| r.kind = ProbeKind::Slot),
        ("region", |r| r.region = String::from("mars")),
        ("time", |r| r.scheduled_at += TimeDelta::microseconds(1)),
        ("version", |r| r.config_version = 4),
        ("no answers", |r| r.answers = None),
        ("answered kind", |r| {
            r.answers.as_mut().unwrap().kind = ProbeKind::First
        }),
        ("answered time", |r| {
            r.answers.as_mut().unwrap().scheduled_at = at(-2)
        }),
    ];
    for (what, change) in changes {
        let mut result = result(&signed(&keys()));
        change(&mut result);
        assert_eq!(keys().check(&result), Err(Forged::Wrong), "{what}");
    }
}

#[test]
fn a_job_that_was_rewritten_on_its_way_leads_to_no_result() {
    type Change = fn(&mut ProbeJob);
    let changes: [(&str, Change); 8] = [
        ("tenant", |j| j.user_id = Uuid::from_u128(9).into()),
        ("url", |j| j.url = String::from("https://other.example/")),
        ("timeout", |j| j.timeout_ms = 60_000),
        ("status", |j| j.expected_status = 500),
        ("redirects", |j| j.follow_redirects = false),
        ("whom to avoid", |j| {
            j.avoid_prober = Some(String::from("two"))
        }),
        ("nobody to avoid", |j| j.avoid_prober = None),
        ("staleness", |j| j.not_after = at(900)),
    ];
    for (what, change) in changes {
        let mut job = signed(&keys());
        change(&mut job);
        assert_eq!(keys().check(&result(&job)), Err(Forged::Wrong), "{what}");
    }
}

#[test]
fn the_encoding_of_version_one_is_frozen() {
    let proof = Proof::of(&signed(&keys())).unwrap();
    let json = serde_json::to_value(proof).unwrap();
    // The same bytes as by Python's hashlib and hmac.
    let expected = serde_json::json!({
        "digest": "HdvBNRwQCScPNNGLZRJkyg",
        "signature": "TOpS0HSQfD_apYZDhZkteQ",
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Proof>(json).unwrap(), proof);
    for wrong in [
        "",
        "AAAA",
        "not base64 at all!!!!!",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(
            serde_json::from_value::<Tag>(serde_json::json!(wrong)).is_err(),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_runs_into_the_next(url in ".{0,40}", prober in ".{0,40}", cut in 0_usize..20) {
        let mut one = job();
        one.url = format!("{prober}{url}");
        one.avoid_prober = Some(String::new());
        let mut other = one.clone();
        let at = one.url.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(0);
        prop_assume!(at > 0);
        let (front, back) = one.url.split_at(at);
        other.avoid_prober = Some(front.to_owned());
        other.url = back.to_owned();
        prop_assert_ne!(keys().sign(&one), keys().sign(&other));
    }
}
