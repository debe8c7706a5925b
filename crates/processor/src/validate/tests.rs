use models::DEFAULT_REGION;
use models::certificate::CertificateFacts;
use models::id::ServiceId;
use models::probe::{ErrorKind, Phases, ProbeKind};
use uuid::Uuid;

use super::*;

const MONTH: TimeDelta = TimeDelta::days(30);

fn now() -> Time {
    Time::from_timestamp(1_800_000_000, 0).unwrap()
}

fn result(scheduled_at: Time) -> ProbeResult {
    let service_id = ServiceId(Uuid::from_u128(7));
    ProbeResult {
        probe_id: probe_id(service_id, DEFAULT_REGION, ProbeKind::Slot, scheduled_at, 1),
        service_id,
        kind: ProbeKind::Slot,
        region: DEFAULT_REGION.to_owned(),
        scheduled_at,
        config_version: 1,
        checked_at: scheduled_at,
        outcome: Outcome::Up,
        status_code: Some(200),
        latency_us: Some(1_000),
        phases: Phases::default(),
        hops: 1,
        error: None,
        certificate: None,
        prober: String::from("prober-1"),
        answers: None,
        second_prober: None,
        proof: None,
    }
}

fn refused(change: impl FnOnce(&mut ProbeResult)) -> String {
    let mut result = result(now());
    assert_eq!(check(&result, now(), MONTH), Ok(()));
    change(&mut result);
    check(&result, now(), MONTH).unwrap_err()
}

fn error(bytes: usize) -> Option<ProbeError> {
    Some(ProbeError {
        kind: ErrorKind::Internal,
        message: "x".repeat(bytes),
    })
}

#[test]
fn a_time_without_a_partition_is_poison() {
    let check_at = |by: TimeDelta, retention| check(&result(now() + by), now(), retention).is_ok();
    assert!(check_at(TimeDelta::days(-30), MONTH));
    assert!(!check_at(
        TimeDelta::days(-30) - TimeDelta::seconds(1),
        MONTH
    ));
    assert!(!check_at(TimeDelta::days(-31), TimeDelta::days(365)));
    assert!(!check_at(TimeDelta::days(-8), TimeDelta::days(7)));
    assert!(check_at(TimeDelta::days(1), MONTH));
    assert!(!check_at(TimeDelta::days(1) + TimeDelta::seconds(1), MONTH));
}

#[test]
fn what_contradicts_itself_is_poison() {
    assert!(refused(|r| r.config_version = 2).contains("probe_id"));
    assert!(refused(|r| r.outcome = Outcome::Down).contains("no error"));
    assert!(refused(|r| r.error = error(3)).contains("it is up"));
}

#[test]
fn what_the_columns_cannot_hold_is_poison() {
    assert!(refused(|r| r.latency_us = Some(u32::MAX)).contains("half an hour"));
    assert!(refused(|r| r.status_code = Some(40_000)).contains("status code"));
    assert!(refused(|r| r.prober = "p".repeat(300)).contains("prober"));
    let too_long = |r: &mut ProbeResult| {
        r.outcome = Outcome::Down;
        r.error = error(ProbeError::MAX_MESSAGE + 1);
    };
    assert!(refused(too_long).contains("301 bytes"));
}

#[test]
fn a_probers_clock_moves_no_time_beyond_a_second() {
    let scheduled_at = now() - TimeDelta::seconds(10);
    let mended = |off: TimeDelta| {
        let mut result = result(scheduled_at);
        result.checked_at += off;
        mend(&mut result, now());
        result.checked_at - scheduled_at
    };
    assert_eq!(mended(TimeDelta::seconds(-60)), TimeDelta::seconds(-1));
    assert_eq!(mended(TimeDelta::seconds(4)), TimeDelta::seconds(4));
    assert_eq!(mended(TimeDelta::hours(2)), TimeDelta::seconds(11));
}

#[test]
fn texts_of_strangers_lose_what_the_database_does_not_take() {
    let mut result = result(now());
    result.certificate = Some(CertificateFacts {
        fingerprint_sha256: "0a".repeat(32),
        issuer: Some(String::from("a\0b")),
        subject: None,
        sans: vec![String::from("\0")],
        not_before: None,
        not_after: None,
        serial: None,
        chain_length: 1,
        errors: Vec::new(),
    });
    mend(&mut result, now());
    assert_eq!(check(&result, now(), MONTH), Ok(()));
    let facts = result.certificate.unwrap();
    assert_eq!(facts.issuer.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(facts.sans, ["\u{fffd}"]);
}
