//! Certificates are kept, and warned about at each step once.

use chrono::TimeDelta;
use models::certificate::CertificateFacts;
use models::probe::{ErrorKind, Outcome, ProbeResult};

use crate::world::{Service, World};

fn seen(
    service: &Service,
    seconds: i64,
    mark: char,
    days: i64,
    errors: &[ErrorKind],
) -> ProbeResult {
    let outcome = if errors.is_empty() {
        Outcome::Up
    } else {
        Outcome::Down
    };
    let mut result = service.slot(seconds, outcome);
    let left = TimeDelta::days(days) + TimeDelta::hours(12);
    result.certificate = Some(CertificateFacts {
        fingerprint_sha256: mark.to_string().repeat(64),
        issuer: Some(String::from("An authority")),
        subject: Some(String::from("shop.example")),
        sans: vec![String::from("shop.example")],
        not_before: None,
        not_after: Some(result.scheduled_at + left),
        serial: None,
        chain_length: 2,
        errors: errors.to_vec(),
    });
    result
}

#[tokio::test]
async fn a_certificate_is_told_at_its_lowest_step_then_at_each_further_one_then_for_a_fault() {
    let world = World::running(1).await;
    let service = world.service().await;
    let steps = "SELECT coalesce(string_agg(message, '; ' ORDER BY created_at), '') FROM alerts";
    world.take(&[seen(&service, 10, 'a', 40, &[])], 1).await;
    assert_eq!(world.text(steps).await, "");
    world.take(&[seen(&service, 20, 'a', 12, &[])], 2).await;
    world.take(&[seen(&service, 30, 'a', 12, &[])], 3).await;
    world.take(&[seen(&service, 40, 'a', 5, &[])], 4).await;
    let fault = [ErrorKind::CertNameMismatch];
    world.take(&[seen(&service, 50, 'a', 5, &fault)], 5).await;
    world.take(&[seen(&service, 60, 'a', 5, &fault)], 6).await;
    assert_eq!(
        world.text(steps).await,
        "The certificate of shop expires in 12 days; The certificate of shop expires in 5 days; \
         The certificate of shop is not valid: name mismatch"
    );
    assert_eq!(
        world.alerts().await,
        "ssl_expiry pending, ssl_expiry pending, ssl_expiry pending",
        "no cooldown holds them"
    );
    let row = "SELECT encode(fingerprint, 'hex') || ' ' || warned_days || ' ' \
               || array_to_string(errors, ',') || ' ' || (facts->>'issuer') FROM certificates";
    let expected = format!("{} 7 cert_name_mismatch An authority", "a".repeat(64));
    assert_eq!(world.text(row).await, expected);
}

#[tokio::test]
async fn a_late_sight_of_the_old_certificate_changes_nothing() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&[seen(&service, 30, 'b', 80, &[])], 1).await;
    world.take(&[seen(&service, 20, 'a', 2, &[])], 2).await;
    let fingerprint = "SELECT encode(fingerprint, 'hex') FROM certificates";
    assert_eq!(world.text(fingerprint).await, "b".repeat(64));
    assert_eq!(world.alerts().await, "");
}
