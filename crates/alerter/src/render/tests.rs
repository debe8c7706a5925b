use insta::assert_snapshot;
use models::alert::{AlertService, FailedCheck};
use models::probe::{ErrorKind, Phases};

use super::*;

const LINK: &str = "https://app.test/dashboard/0190a000-0000-7000-8000-000000000001";

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn now() -> Time {
    at("2026-01-31T12:10:00Z")
}

fn facts(name: &str, event: AlertEvent) -> AlertFacts {
    AlertFacts {
        service: AlertService {
            id: "0190a000-0000-7000-8000-000000000001".parse().unwrap(),
            name: name.to_owned(),
            url: "https://shop.test/health?a=1&b=2".to_owned(),
        },
        event,
    }
}

fn streak(message: &str) -> AlertEvent {
    AlertEvent::FailureStreak {
        started_at: at("2026-01-31T12:00:00Z"),
        failed_checks: 3,
        last: FailedCheck {
            at: at("2026-01-31T12:02:00Z"),
            kind: ErrorKind::StatusMismatch,
            message: message.to_owned(),
            status_code: Some(503),
            phases: Phases {
                dns_us: Some(3_120),
                connect_us: Some(10_240),
                tls_us: Some(20_480),
                request_us: Some(90),
                first_byte_us: Some(31_000),
                total_us: 65_100,
            },
        },
        last_success_at: Some(at("2026-01-31T11:59:00Z")),
    }
}

fn expiry(not_after: &str, errors: Vec<ErrorKind>) -> AlertEvent {
    AlertEvent::SslExpiry {
        fingerprint: "ab".repeat(32),
        not_after: Some(at(not_after)),
        days_remaining: Some(13),
        issuer: Some("Test CA".to_owned()),
        subject: Some("shop.test".to_owned()),
        errors,
    }
}

fn rendered(facts: &AlertFacts) -> Rendered {
    alert(facts, IncidentNow::default(), Some(LINK), now()).unwrap()
}

/// Subject and text: the HTML carries the same page, see the tests below.
fn told(event: AlertEvent) -> String {
    let mail = rendered(&facts("Shop API", event));
    format!("Subject: {}\n\n{}", mail.subject, mail.text)
}

#[test]
fn a_failure_streak_says_what_since_when_and_what_was_seen() {
    let event = streak("expected 200, got 503 Service Unavailable");
    assert_snapshot!(told(event));
}

#[test]
fn the_html_part_is_whole() {
    let event = streak("expected 200, got 503 Service Unavailable");
    assert_snapshot!(rendered(&facts("Shop API", event)).html);
}

#[test]
fn a_failure_streak_that_is_over_says_from_when_to_when() {
    let incident = IncidentNow {
        ended_at: Some(at("2026-01-31T12:05:30Z")),
        failed_checks: 6,
    };
    let facts = facts("Shop API", streak("no answer within 10 s"));
    let mail = alert(&facts, incident, None, now()).unwrap();
    assert_snapshot!(format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn a_recovery_says_how_long_it_lasted() {
    assert_snapshot!(told(AlertEvent::Recovery {
        started_at: at("2026-01-31T12:00:00Z"),
        ended_at: at("2026-01-31T13:03:05Z"),
        failed_checks: 64,
        cause: ErrorKind::StatusMismatch,
        cause_message: "expected 200, got 503 Service Unavailable".to_owned(),
        latency_us: Some(84_210),
    }));
}

#[test]
fn an_sla_breach_says_figure_and_target() {
    assert_snapshot!(told(AlertEvent::SlaBreach {
        sla: 9987,
        target: 9990,
        judged: 10_000,
        failed: 13,
        window_days: 30,
    }));
}

#[test]
fn an_expiring_certificate_says_which_and_which_day() {
    assert_snapshot!(told(expiry("2026-02-14T08:00:00Z", Vec::new())));
}

#[test]
fn an_expired_certificate_says_since_when() {
    let event = expiry("2026-01-30T08:00:00Z", vec![ErrorKind::CertExpired]);
    assert_snapshot!(told(event));
}

#[test]
fn an_expired_intermediate_is_told_as_such_though_the_services_own_certificate_lasts() {
    let event = expiry("2026-04-30T08:00:00Z", vec![ErrorKind::CertExpired]);
    assert_snapshot!(told(event));
}

#[test]
fn an_invalid_certificate_says_what_is_wrong_with_it() {
    let faults = vec![ErrorKind::CertNameMismatch, ErrorKind::CertUnknownIssuer];
    assert_snapshot!(told(expiry("2027-01-30T08:00:00Z", faults)));
}

const HOSTILE: &str =
    "<script>alert('x')</script>\"&\r\nBcc: all@example.test\u{202e}gpj.exe עברית";

#[test]
fn a_hostile_name_is_text_and_nothing_else() {
    let mail = rendered(&facts(HOSTILE, streak("<img src=x onerror=y>\r\n.\r\n")));
    assert_snapshot!(format!("Subject: {}\n\n{}", mail.subject, mail.text));
    assert_snapshot!(mail.html);
    assert!(!mail.html.contains("<script") && !mail.html.contains("<img"));
    assert!(!mail.subject.contains(['\r', '\n', '\u{202e}']));
    assert!(!mail.text.contains(['\r', '\u{202e}']));
}

#[test]
fn whatever_the_name_the_subject_is_one_short_line() {
    let names = [
        "",
        "\r\n",
        &"é".repeat(255),
        &"\u{1}x".repeat(127),
        HOSTILE,
        "=?utf-8?q?x?=",
        "=\u{202e}?utf-8?b?eA==?=",
    ];
    let events = [
        streak("x"),
        AlertEvent::Recovery {
            started_at: at("2026-01-31T12:00:00Z"),
            ended_at: at("2026-01-31T12:00:00Z"),
            failed_checks: 3,
            cause: ErrorKind::Internal,
            cause_message: String::new(),
            latency_us: None,
        },
        expiry("2026-02-14T08:00:00Z", Vec::new()),
    ];
    for name in names {
        for event in &events {
            let subject = rendered(&facts(name, event.clone())).subject;
            assert!(subject.chars().count() <= MAX_SUBJECT, "{subject}");
            assert!(!subject.chars().any(char::is_control), "{subject:?}");
            assert!(
                !subject.contains("=?"),
                "decoded by mail programs: {subject}"
            );
        }
    }
}

#[test]
fn without_a_public_address_there_is_no_link() {
    let facts = facts("Shop API", streak("x"));
    let mail = alert(&facts, IncidentNow::default(), None, now()).unwrap();
    assert!(!mail.text.contains("Details") && !mail.html.contains("href"));
}
