//! A bad certificate ends the probe with its own reason, and its facts are known all the same.

use models::certificate::CertificateFacts;
use models::message::MAX_MESSAGE_BYTES;
use models::probe::{ErrorKind, ProbeResult};

use crate::support::authority::{Authority, Leaf, malformed, probe, self_named, self_signed};
use crate::support::target::Target;
use crate::support::{assert_down, assert_up, engine, job, now, run};

/// The facts that the tests' authority puts into every leaf.
#[track_caller]
fn facts(result: &ProbeResult) -> CertificateFacts {
    let facts = result.certificate.clone().expect("certificate facts");
    let issuer = facts.issuer.as_deref().unwrap();
    assert!(
        ["Test Authority", "Other Authority"].contains(&issuer),
        "{issuer}"
    );
    assert_eq!(facts.subject.as_deref(), Some("leaf.example"));
    assert_eq!(facts.fingerprint_sha256.len(), 64);
    assert!(facts.not_before.is_some() && facts.not_after.is_some());
    facts
}

#[tokio::test]
async fn a_good_certificate_is_up_with_all_its_facts() {
    let authority = Authority::new();
    let target = Target::tls(authority.server(&Leaf::default())).await;
    let result = probe(&authority, &target).await;
    assert_up(&result);
    let facts = facts(&result);
    assert!(facts.is_valid());
    assert_eq!(facts.sans, ["localhost"]);
    assert_eq!(facts.days_remaining(now()), Some(10));
    assert_eq!(facts.chain_length, 1);
    let phases = result.phases;
    let sum = [
        phases.dns_us,
        phases.connect_us,
        phases.tls_us,
        phases.request_us,
        phases.first_byte_us,
    ];
    assert_eq!(
        result.latency_us,
        Some(sum.iter().map(|phase| phase.unwrap()).sum())
    );
    assert!(phases.request_us > Some(0), "written after the handshake");
}

#[tokio::test]
async fn d20_to_d24_each_bad_certificate_has_its_reason_and_its_facts_and_gets_no_request() {
    let trusted = Authority::new();
    let stranger = Authority::named("Other Authority");
    let leaf = |names: Vec<&'static str>, from_days, to_days| Leaf {
        names,
        from_days,
        to_days,
    };
    let cases = [
        (
            trusted.server(&leaf(vec!["localhost"], -20, -3)),
            vec![ErrorKind::CertExpired],
            "expired on",
            -3,
        ),
        (
            trusted.server(&leaf(vec!["localhost"], 3, 20)),
            vec![ErrorKind::CertNotYetValid],
            "not valid before",
            20,
        ),
        (
            trusted.server(&leaf(
                vec!["a.example", "b.example", "c.example", "d.example"],
                -1,
                5,
            )),
            vec![ErrorKind::CertNameMismatch],
            "is for a.example, b.example, c.example and 1 more, not for localhost",
            5,
        ),
        (
            stranger.server(&Leaf::default()),
            vec![ErrorKind::CertUnknownIssuer],
            "issued by Other Authority, which is not trusted",
            10,
        ),
        (
            stranger.server(&leaf(vec!["localhost"], 3, 20)),
            vec![ErrorKind::CertNotYetValid, ErrorKind::CertUnknownIssuer],
            "not valid before",
            20,
        ),
        (
            stranger.server(&leaf(vec!["a.example"], -20, -3)),
            vec![
                ErrorKind::CertExpired,
                ErrorKind::CertNameMismatch,
                ErrorKind::CertUnknownIssuer,
            ],
            "expired on",
            -3,
        ),
    ];
    for (server, errors, sentence, days) in cases {
        let target = Target::tls(server).await;
        let result = probe(&trusted, &target).await;
        let message = assert_down(&result, errors[0]);
        assert!(message.contains(sentence), "{message}");
        let facts = facts(&result);
        assert_eq!(facts.errors, errors);
        assert_eq!(facts.days_remaining(now()), Some(days));
        assert_eq!(
            (result.hops, result.status_code),
            (0, None),
            "no request was sent"
        );
        assert!(result.phases.tls_us.is_some());
    }
}

#[tokio::test]
async fn d24_a_missing_intermediate_is_an_unknown_issuer_and_the_sentence_says_what_may_be_missing()
{
    let authority = Authority::new();
    let target = Target::tls(authority.server_without_its_intermediate()).await;
    let result = probe(&authority, &target).await;
    let message = assert_down(&result, ErrorKind::CertUnknownIssuer);
    let expected = "issued by Test Intermediate, which is not trusted, or an intermediate certificate is missing";
    assert!(message.contains(expected), "{message}");
    let facts = result.certificate.unwrap();
    assert_eq!(facts.errors, [ErrorKind::CertUnknownIssuer]);
    assert_eq!(facts.days_remaining(now()), Some(10));
}

#[tokio::test]
async fn d23_a_self_signed_certificate_is_named_as_such() {
    let authority = Authority::new();
    let target = Target::tls(self_signed(&Leaf::default())).await;
    let result = probe(&authority, &target).await;
    assert_down(&result, ErrorKind::CertSelfSigned);
    let facts = result.certificate.unwrap();
    assert_eq!(facts.errors, [ErrorKind::CertSelfSigned]);
    assert_eq!(facts.days_remaining(now()), Some(10));
}

#[tokio::test]
async fn a_certificate_that_only_names_itself_as_issuer_is_not_self_signed() {
    let authority = Authority::new();
    let target = Target::tls(self_named(&Leaf::default())).await;
    let result = probe(&authority, &target).await;
    assert_down(&result, ErrorKind::CertUnknownIssuer);
    let errors = result.certificate.unwrap().errors;
    assert_eq!(errors, [ErrorKind::CertUnknownIssuer]);
}

#[tokio::test]
async fn an_expired_authority_is_not_told_as_the_leaf_s_end() {
    let authority = Authority::new();
    let target = Target::tls(authority.server_of_expired_intermediate()).await;
    let result = probe(&authority, &target).await;
    let message = assert_down(&result, ErrorKind::CertExpired);
    assert!(message.contains("of the chain has expired"), "{message}");
    let facts = facts(&result);
    assert_eq!(
        (facts.days_remaining(now()), facts.chain_length),
        (Some(10), 2)
    );
}

#[tokio::test]
async fn the_longest_names_of_a_certificate_fit_into_a_message() {
    let authority = Authority::new();
    let name: &'static str = format!("{}{}", "\u{1}".repeat(50), "\"".repeat(300)).leak();
    let leaf = Leaf {
        names: vec![name; 120],
        ..Leaf::default()
    };
    let target = Target::tls(authority.server(&leaf)).await;
    let result = probe(&authority, &target).await;
    assert_down(&result, ErrorKind::CertNameMismatch);
    let names = facts(&result).sans;
    assert_eq!(names.len(), CertificateFacts::MAX_SANS);
    assert!(names.iter().all(|name| *name == "\"".repeat(256)));
    let json = serde_json::to_vec(&result).unwrap();
    assert!(json.len() + 100 < MAX_MESSAGE_BYTES, "{}", json.len());
}

#[tokio::test]
async fn a_certificate_whose_key_the_server_does_not_have_is_refused() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let target = Target::tls(authority.thief(version)).await;
        let result = probe(&authority, &target).await;
        assert_down(&result, ErrorKind::CertBadSignature);
        assert_eq!(facts(&result).errors, [ErrorKind::CertBadSignature]);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_one_has_a_fingerprint_and_that_fault() {
    let authority = Authority::new();
    let target = Target::tls(malformed()).await;
    let result = probe(&authority, &target).await;
    assert_down(&result, ErrorKind::CertMalformed);
    let facts = result.certificate.unwrap();
    assert_eq!(
        (facts.errors, facts.issuer),
        (vec![ErrorKind::CertMalformed], None)
    );
}

#[tokio::test]
async fn d26_the_second_probe_of_a_host_still_sees_its_certificate() {
    let authority = Authority::new();
    let target = Target::tls(authority.server(&Leaf::default())).await;
    let engine = engine(&[target.addr], std::slice::from_ref(&authority.root));
    for _ in 0..3 {
        let result = run(&engine, &job(&target.url("/"))).await;
        assert_up(&result);
        facts(&result);
    }
}

#[tokio::test]
async fn a_certificate_is_judged_by_the_products_time() {
    let authority = Authority::new();
    let target = Target::tls(authority.server(&Leaf::default())).await;
    let engine = engine(&[target.addr], std::slice::from_ref(&authority.root));
    let job = job(&target.url("/"));
    let later = now() + chrono::TimeDelta::days(11);
    let result = engine
        .probe(&job, later)
        .await
        .into_result(&job, later, "p");
    assert_down(&result, ErrorKind::CertExpired);
}

#[tokio::test]
async fn certificate_facts_are_those_of_the_services_own_host() {
    let authority = Authority::new();
    let second = Target::tls(authority.server(&Leaf {
        to_days: 5,
        ..Leaf::default()
    }))
    .await;
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        second.url("/")
    );
    let first = Target::tls_answering(
        authority.server(&Leaf::default()),
        location.leak().as_bytes(),
    )
    .await;
    let engine = engine(
        &[first.addr, second.addr],
        std::slice::from_ref(&authority.root),
    );
    let result = run(&engine, &job(&first.url("/"))).await;
    assert_up(&result);
    assert_eq!(result.hops, 2);
    assert_eq!(facts(&result).days_remaining(now()), Some(10));
}
