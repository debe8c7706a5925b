//! Golden samples of every message shape that was ever shipped: each must parse, for ever.
//! A new shape is a new file; an old file is never edited.

use models::Time;
use models::certificate::CertificateFacts;
use models::message::{AlertNudge, JobBatch, NudgedLane, ProbeJob, ProbeRequest, ResultBatch};
use models::probe::{Answers, ErrorKind, Outcome, Phases, ProbeError, ProbeKind, ProbeResult};
use models::signature::{Proof, Tag};
use serde::Serialize;
use serde_json::{Value, json};

const JOBS: &str = include_str!("../golden/jobs_v1.json");
const JOBS_SIGNED: &str = include_str!("../golden/jobs_v1_signed.json");
const RESULTS_FULL: &str = include_str!("../golden/results_v1_full.json");
const RESULTS_CONFIRM: &str = include_str!("../golden/results_v1_confirm.json");
const RESULTS_SIGNED: &str = include_str!("../golden/results_v1_signed.json");
const RESULTS_BARE: &str = include_str!("../golden/results_v1_bare.json");
const PROBE_REQUEST: &str = include_str!("../golden/probe_request_v1.json");
const ALERT_NUDGE: &str = include_str!("../golden/alert_nudge_v1.json");
const ACCOUNT_NUDGE: &str = include_str!("../golden/account_nudge_v1.json");

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// What we write today is still what the sample says, times compared as times.
fn assert_writes(value: &impl Serialize, sample: &str) {
    let written = serde_json::to_value(value).unwrap();
    assert_same(&written, &serde_json::from_str(sample).unwrap());
}

fn assert_same(written: &Value, sample: &Value) {
    match (written, sample) {
        (Value::Object(a), Value::Object(b)) => {
            let keys =
                |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            let (mut left, mut right) = (keys(a), keys(b));
            left.sort();
            right.sort();
            assert_eq!(left, right);
            for (key, value) in a {
                assert_same(value, &b[key]);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            for (left, right) in a.iter().zip(b) {
                assert_same(left, right);
            }
        }
        (Value::String(a), Value::String(b)) => match (a.parse::<Time>(), b.parse::<Time>()) {
            (Ok(left), Ok(right)) => assert_eq!(left, right),
            _ => assert_eq!(a, b),
        },
        _ => assert_eq!(written, sample),
    }
}

fn slot_job() -> ProbeJob {
    ProbeJob {
        probe_id: "6f0f3d7e-0c3b-5b53-9a0e-2a5b1c9d8e7f".parse().unwrap(),
        service_id: "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8091".parse().unwrap(),
        user_id: "018f3a5b-0000-7000-8000-000000000001".parse().unwrap(),
        kind: ProbeKind::Slot,
        region: "default".to_owned(),
        scheduled_at: at("2026-01-31T12:00:01.500Z"),
        not_after: at("2026-01-31T12:00:31.500Z"),
        config_version: 3,
        url: "https://example.com/health".to_owned(),
        timeout_ms: 10_000,
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}

#[test]
fn jobs_v1_parse_and_are_written_alike() {
    let confirm = ProbeJob {
        probe_id: "7a1b2c3d-0c3b-5b53-9a0e-2a5b1c9d8e7f".parse().unwrap(),
        kind: ProbeKind::Confirm,
        scheduled_at: at("2026-01-31T12:00:02.500Z"),
        not_after: at("2026-01-31T12:00:17.500Z"),
        avoid_prober: Some("prober-1".to_owned()),
        answers: Some(Answers {
            kind: ProbeKind::Slot,
            scheduled_at: at("2026-01-31T12:00:01.500Z"),
        }),
        ..slot_job()
    };
    let expected = JobBatch {
        published_at: at("2026-01-31T12:00:00.123456Z"),
        jobs: vec![slot_job(), confirm],
    };
    let (published_at, decoded) = JobBatch::decode(JOBS.as_bytes()).unwrap();
    assert_eq!(published_at, expected.published_at);
    assert_eq!(decoded.items, expected.jobs);
    assert!(decoded.bad.is_empty());
    assert_writes(&expected, JOBS);
}

#[test]
fn results_v1_parse_with_and_without_what_is_optional() {
    let bare = ProbeResult {
        probe_id: "6f0f3d7e-0c3b-5b53-9a0e-2a5b1c9d8e7f".parse().unwrap(),
        service_id: "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8091".parse().unwrap(),
        kind: ProbeKind::Slot,
        region: "default".to_owned(),
        scheduled_at: at("2026-01-31T12:00:01.500Z"),
        config_version: 3,
        checked_at: at("2026-01-31T12:00:01.502Z"),
        outcome: Outcome::Up,
        status_code: None,
        latency_us: None,
        phases: Phases::default(),
        hops: 0,
        error: None,
        certificate: None,
        prober: "prober-1".to_owned(),
        answers: None,
        second_prober: None,
        proof: None,
    };
    let decoded = ResultBatch::decode(RESULTS_BARE.as_bytes()).unwrap();
    assert_eq!(decoded.items, std::slice::from_ref(&bare));
    let full = ProbeResult {
        kind: ProbeKind::Confirm,
        outcome: Outcome::Down,
        status_code: Some(503),
        latency_us: Some(48_210),
        phases: Phases {
            dns_us: Some(1_210),
            connect_us: Some(9_000),
            tls_us: Some(18_000),
            request_us: Some(50),
            first_byte_us: Some(19_950),
            total_us: 48_900,
        },
        hops: 2,
        error: Some(ProbeError {
            kind: ErrorKind::StatusMismatch,
            message: "expected 200, got 503 Service Unavailable".to_owned(),
        }),
        certificate: Some(CertificateFacts {
            fingerprint_sha256: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
                .to_owned(),
            issuer: Some("Example CA".to_owned()),
            subject: Some("example.com".to_owned()),
            sans: vec!["example.com".to_owned(), "192.0.2.1".to_owned()],
            not_before: Some(at("2026-01-01T00:00:00Z")),
            not_after: Some(at("2026-02-01T00:00:00Z")),
            serial: Some("03a1".to_owned()),
            chain_length: 2,
            errors: vec![ErrorKind::CertNameMismatch, ErrorKind::CertUnknownIssuer],
        }),
        answers: Some(Answers {
            kind: ProbeKind::Slot,
            scheduled_at: at("2026-01-31T11:59:01.500Z"),
        }),
        ..bare.clone()
    };
    let decoded = ResultBatch::decode(RESULTS_FULL.as_bytes()).unwrap();
    assert_eq!(decoded.items, std::slice::from_ref(&full));
    assert_writes(
        &ResultBatch {
            results: vec![full],
        },
        RESULTS_FULL,
    );
    let confirm = ProbeResult {
        kind: ProbeKind::Confirm,
        scheduled_at: at("2026-01-31T12:00:02.500Z"),
        checked_at: at("2026-01-31T12:00:03.202Z"),
        phases: Phases {
            total_us: 48_900,
            ..Phases::default()
        },
        hops: 1,
        answers: Some(Answers {
            kind: ProbeKind::Slot,
            scheduled_at: at("2026-01-31T12:00:01.500Z"),
        }),
        second_prober: Some(false),
        ..bare
    };
    let decoded = ResultBatch::decode(RESULTS_CONFIRM.as_bytes()).unwrap();
    assert_eq!(decoded.items, std::slice::from_ref(&confirm));
    let results = vec![confirm.clone()];
    assert_writes(&ResultBatch { results }, RESULTS_CONFIRM);
    let signed = ProbeResult {
        proof: Some(Proof {
            digest: tag("_____________________w"),
            signature: tag("AAECAwQFBgcICQoLDA0ODw"),
        }),
        ..confirm
    };
    let decoded = ResultBatch::decode(RESULTS_SIGNED.as_bytes()).unwrap();
    assert_eq!(decoded.items, std::slice::from_ref(&signed));
    let results = vec![signed];
    assert_writes(&ResultBatch { results }, RESULTS_SIGNED);
}

fn tag(text: &str) -> Tag {
    text.try_into().unwrap()
}

#[test]
fn signed_jobs_v1_parse_and_are_written_alike() {
    let job = ProbeJob {
        signature: Some(tag("AAECAwQFBgcICQoLDA0ODw")),
        ..slot_job()
    };
    let (published_at, decoded) = JobBatch::decode(JOBS_SIGNED.as_bytes()).unwrap();
    assert_eq!(decoded.items, std::slice::from_ref(&job));
    let jobs = vec![job];
    assert_writes(&JobBatch { published_at, jobs }, JOBS_SIGNED);
}

#[test]
fn nudges_v1_parse_and_are_written_alike() {
    let request: ProbeRequest = serde_json::from_str(PROBE_REQUEST).unwrap();
    assert_eq!(
        request.service_id.to_string(),
        "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8091"
    );
    assert_writes(&request, PROBE_REQUEST);
    let nudge: AlertNudge = serde_json::from_str(ALERT_NUDGE).unwrap();
    assert_eq!(
        nudge.alert_id.to_string(),
        "018f3a5b-7c1d-7e2f-8a3b-4c5d6e7f8092"
    );
    assert_writes(&nudge, ALERT_NUDGE);
    let nudge: AlertNudge = serde_json::from_str(ACCOUNT_NUDGE).unwrap();
    assert_eq!(nudge.lane, Some(NudgedLane::Account));
    assert_writes(&nudge, ACCOUNT_NUDGE);
    let later = ACCOUNT_NUDGE.replace("account", "letters");
    let nudge: AlertNudge = serde_json::from_str(&later).unwrap();
    assert_eq!(nudge.lane, Some(NudgedLane::Other));
}

#[test]
fn fields_of_a_later_release_are_ignored() {
    let mut later: Value = serde_json::from_str(JOBS).unwrap();
    later["signature"] = json!("…");
    later["jobs"][0]["method"] = json!("HEAD");
    let (_, decoded) = JobBatch::decode(later.to_string().as_bytes()).unwrap();
    assert_eq!(decoded.items.len(), 2);
    let mut later: Value = serde_json::from_str(RESULTS_FULL).unwrap();
    later["results"][0]["phases"]["queue_us"] = json!(1);
    let decoded = ResultBatch::decode(later.to_string().as_bytes()).unwrap();
    assert!(decoded.bad.is_empty());
}

#[test]
fn bytes_that_are_no_text_do_no_harm_in_what_is_ignored() {
    let mut body = serde_json::to_vec(&JobBatch {
        published_at: at("2026-01-31T12:00:00Z"),
        jobs: vec![slot_job()],
    })
    .unwrap();
    let end = body.strip_suffix(b"}]}").unwrap().len();
    body.truncate(end);
    body.extend_from_slice(b",\"later\":\"\xff\"}]}");
    let (_, decoded) = JobBatch::decode(&body).unwrap();
    assert_eq!(decoded.items, [slot_job()]);
}

#[test]
fn one_bad_item_does_not_take_its_neighbours_with_it() {
    let mut batch: Value = serde_json::from_str(JOBS).unwrap();
    batch["jobs"][0]["timeout_ms"] = json!("soon");
    let (_, decoded) = JobBatch::decode(batch.to_string().as_bytes()).unwrap();
    assert_eq!(decoded.items.len(), 1);
    assert_eq!(decoded.items[0].kind, ProbeKind::Confirm);
    assert_eq!(decoded.bad.len(), 1);
    let raw: Value = serde_json::from_slice(&decoded.bad[0].raw).unwrap();
    assert_eq!(raw["timeout_ms"], "soon");
    assert!(
        decoded.bad[0].reason.contains("soon"),
        "{}",
        decoded.bad[0].reason
    );
    for not_a_batch in [&b"null"[..], b"{}", b"\xff", b"{\"results\": 3}"] {
        assert!(ResultBatch::decode(not_a_batch).is_err());
        assert!(JobBatch::decode(not_a_batch).is_err());
    }
}
