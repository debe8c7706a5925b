//! Every rule of a URL.

use proptest::prelude::*;

use super::{accepted, refused};
use crate::{MAX_URL_BYTES, Policy, Refusal, Scheme, is_public, judge_text};

#[test]
fn d04_a_refusal_says_which_rule_was_broken() {
    let long = format!("http://example.com/{}", "a".repeat(MAX_URL_BYTES - 18));
    assert_eq!(long.len(), MAX_URL_BYTES + 1);
    let cases = [
        (
            "http://u:p@example.com/",
            "must not contain a user name or password",
        ),
        (
            "http://u@example.com/",
            "must not contain a user name or password",
        ),
        (
            "http://:p@example.com/",
            "must not contain a user name or password",
        ),
        ("ftp://x/", "must begin with http:// or https://, not ftp:"),
        (
            "file:///etc/passwd",
            "must begin with http:// or https://, not file:",
        ),
        ("//x/", "is not a valid URL: relative URL without a base"),
        ("http:///", "is not a valid URL: empty host"),
        (&long, "must be at most 2048 bytes long"),
        ("http://example.com:0/", "uses port 0, which is not probed"),
        (
            "http://example.com:65536/",
            "is not a valid URL: invalid port number",
        ),
        (
            "http://example.com:25/",
            "uses port 25, which is not probed",
        ),
        (
            "http://example.com:5432/",
            "uses port 5432, which is not probed",
        ),
        ("http://8.8.8.8:22/", "uses port 22, which is not probed"),
        (
            "http://exa mple.com/",
            "must not contain spaces, control characters or backslashes",
        ),
        (
            " http://example.com/",
            "must not contain spaces, control characters or backslashes",
        ),
        (
            "http://example.com\\@evil.com/",
            "must not contain spaces, control characters or backslashes",
        ),
        (
            "http://example.com/\u{7}",
            "must not contain spaces, control characters or backslashes",
        ),
        (
            "http://exam\nple.com/",
            "must not contain spaces, control characters or backslashes",
        ),
        (
            "http://localhost/",
            "names a host that is not on the public internet (localhost)",
        ),
        (
            "http://metadata.google.internal./",
            "names a host that is not on the public internet (metadata.google.internal)",
        ),
        (
            "http://rabbitmq:8080/",
            "names a host that is not on the public internet (rabbitmq)",
        ),
        (
            "http://a..b.com/",
            "has a host that is not a valid name (1 to 63 characters between dots, no hyphen at either end, 253 in all)",
        ),
    ];
    for (text, sentence) in cases {
        assert_eq!(refused(text).to_string(), sentence, "{text}");
    }
    accepted(&long[..MAX_URL_BYTES]);
    // Short as it would be sent, and too long as it is written.
    let shrinks = format!("http://example.com/{}", "./".repeat(1100));
    assert_eq!(refused(&shrinks), Refusal::TooLong);
    // Short as it is written, and too long as it would be sent.
    let grows = format!("http://example.com/{}", "é".repeat(500));
    assert!(grows.len() < MAX_URL_BYTES);
    assert_eq!(refused(&grows), Refusal::TooLong);
}

#[test]
fn a_url_comes_back_normalised_without_its_fragment() {
    let (url, target) =
        judge_text("HTTPS://Bücher.Example.:443/a?b#c", &Policy::public_only()).unwrap();
    assert_eq!(url.as_str(), "https://xn--bcher-kva.example./a?b");
    assert_eq!(
        (target.host().as_str(), target.port(), target.scheme()),
        ("xn--bcher-kva.example", 443, Scheme::Https)
    );
}

proptest! {
    #[test]
    fn judging_never_panics_and_what_passes_leads_to_no_forbidden_literal(text in "(http|https|ftp)?(://)?.{0,60}") {
        if let Ok((url, _)) = judge_text(&text, &Policy::public_only()) {
            match url.host() {
                Some(url::Host::Ipv4(ip)) => prop_assert!(is_public(ip.into())),
                Some(url::Host::Ipv6(ip)) => prop_assert!(is_public(ip.into())),
                _ => {}
            }
            let again = judge_text(url.as_str(), &Policy::public_only());
            prop_assert_eq!(again.map(|(url, _)| url), Ok(url), "the normalised form is stable");
        }
    }
}
