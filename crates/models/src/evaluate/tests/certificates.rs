//! Warnings about certificates.

use chrono::TimeDelta;

use super::*;
use crate::certificate::CertificateFacts;
use Outcome::{Down, Up};

fn certificate(fingerprint: &str, not_after: Time, errors: &[ErrorKind]) -> CertificateFacts {
    CertificateFacts {
        fingerprint_sha256: String::from(fingerprint),
        issuer: None,
        subject: None,
        sans: Vec::new(),
        not_before: None,
        not_after: Some(not_after),
        serial: None,
        chain_length: 1,
        errors: errors.to_vec(),
    }
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// A look at a certificate that runs out on day 100, `left` days (and an hour) before that.
fn look(world: &mut World, left: i64, errors: &[ErrorKind]) -> Vec<AlertKind> {
    let seconds = (days(100 - left) - TimeDelta::hours(1)).num_seconds();
    let outcome = if errors.is_empty() { Up } else { Down };
    let mut result = result(ProbeKind::First, seconds, outcome);
    result.certificate = Some(certificate("aa", at(0) + days(100), errors));
    let told = world.alerts.len();
    world.batch(&[result]);
    world.kinds().split_off(told)
}

const TOLD: [AlertKind; 1] = [AlertKind::SslExpiry];

#[test]
fn each_step_is_told_once() {
    let mut world = World::new(1);
    for left in (0..=60).rev() {
        let expected: &[AlertKind] = match left {
            29 | 13 | 6 | 2 | 0 => &TOLD,
            _ => &[],
        };
        assert_eq!(look(&mut world, left, &[]), expected, "{left} days left");
    }
    assert_eq!(look(&mut world, -1, &[ErrorKind::CertExpired]), TOLD);
    assert_eq!(look(&mut world, -2, &[ErrorKind::CertExpired]), []);
}

#[test]
fn on_first_sight_only_the_lowest_step_is_told() {
    let mut world = World::new(1);
    assert_eq!(look(&mut world, 5, &[]), TOLD);
    assert_eq!(world.certificate.as_ref().unwrap().warned_days, Some(7));
    assert_eq!(look(&mut world, 4, &[]), []);
    assert_eq!(look(&mut world, 2, &[]), TOLD);
}

#[test]
fn warnings_begin_where_the_tenant_wants_them() {
    let told = |first: u16| {
        let mut world = World::new(1);
        world.service.ssl_expiry_days = first;
        let left = (0..=99).rev();
        left.filter(|left| !look(&mut world, *left, &[]).is_empty())
            .collect::<Vec<i64>>()
    };
    assert_eq!(told(10), [9, 6, 2, 0]);
    assert_eq!(told(60), [59, 29, 13, 6, 2, 0]);
    assert_eq!(told(1), [0]);
}

#[test]
fn a_certificate_refused_as_expired_is_at_its_expiry_whatever_the_clock_says() {
    let mut world = World::new(1);
    assert_eq!(look(&mut world, 0, &[ErrorKind::CertExpired]), TOLD);
    assert_eq!(look(&mut world, -1, &[ErrorKind::CertExpired]), []);
}

#[test]
fn a_new_fault_of_the_same_certificate_is_told_once() {
    let mut world = World::new(1);
    let (name, issuer) = (ErrorKind::CertNameMismatch, ErrorKind::CertUnknownIssuer);
    assert_eq!(look(&mut world, 90, &[name]), TOLD);
    assert_eq!(look(&mut world, 89, &[name]), []);
    assert_eq!(look(&mut world, 88, &[]), []);
    assert!(world.certificate.as_ref().unwrap().errors.is_empty());
    assert_eq!(look(&mut world, 87, &[name]), [], "it was told before");
    assert_eq!(look(&mut world, 86, &[name, issuer]), TOLD);
}

#[test]
fn a_new_certificate_begins_anew_and_a_late_sight_of_the_old_one_changes_nothing() {
    let mut world = World::new(1);
    assert_eq!(look(&mut world, 5, &[]), TOLD);
    let mut renewed = result(ProbeKind::First, days(98).num_seconds(), Up);
    renewed.certificate = Some(certificate("bb", at(0) + days(110), &[]));
    world.batch(&[renewed]);
    assert_eq!(world.alerts.len(), 2);
    assert_eq!(world.certificate.as_ref().unwrap().warned_days, Some(14));
    assert_eq!(look(&mut world, 3, &[]), []);
    assert_eq!(world.certificate.as_ref().unwrap().fingerprint, "bb");
}

#[test]
fn what_was_told_is_told_apart_by_its_key() {
    let mut world = World::new(1);
    for left in (-1..=40).rev() {
        let errors: &[ErrorKind] = match left {
            -1 => &[ErrorKind::CertExpired],
            20.. => &[ErrorKind::CertNameMismatch],
            _ => &[],
        };
        look(&mut world, left, errors);
    }
    let keys: std::collections::BTreeSet<_> = world
        .alerts
        .iter()
        .map(|a| (a.kind, &a.dedupe_key))
        .collect();
    assert_eq!(keys.len(), world.alerts.len());
}
