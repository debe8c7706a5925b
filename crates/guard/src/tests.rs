//! The whole of what is refused without a lookup: every range at its edges, every spelling of a literal, every rule
//! of a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::ranges::{Range, V4, V6_INSIDE, V6_OUTSIDE, V6_PUBLIC};

fn v4_edges(range: &Range<Ipv4Addr>) -> (u32, u32) {
    let first = u32::from(range.base);
    (
        first,
        first | u32::MAX.checked_shr(u32::from(range.prefix)).unwrap_or(0),
    )
}

fn v6_edges(range: &Range<Ipv6Addr>) -> (u128, u128) {
    let first = u128::from(range.base);
    (
        first,
        first | u128::MAX.checked_shr(u32::from(range.prefix)).unwrap_or(0),
    )
}

fn refused(text: &str) -> Refusal {
    judge_text(text, &Policy::public_only()).expect_err(text)
}

fn accepted(text: &str) -> Target {
    judge_text(text, &Policy::public_only())
        .unwrap_or_else(|error| panic!("{text} {error}"))
        .1
}

fn opened(rules: &str) -> Policy {
    Policy::allowing(AllowRule::parse_list(rules).unwrap())
}

#[test]
fn every_ipv4_range_is_refused_from_its_first_to_its_last_address_and_not_beyond() {
    let in_any = |ip: u32| {
        V4.iter()
            .any(|range| (v4_edges(range).0..=v4_edges(range).1).contains(&ip))
    };
    for range in V4 {
        let (first, last) = v4_edges(range);
        for ip in [
            Some(first),
            Some(last),
            first.checked_sub(1),
            last.checked_add(1),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(
                is_public(IpAddr::V4(ip.into())),
                !in_any(ip),
                "{} of {range:?}",
                Ipv4Addr::from(ip)
            );
        }
    }
    // The edges by hand, against a slip that table and check would share.
    let public = [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.31.195.255",
        "192.31.197.0",
        "192.52.194.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "192.175.49.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
    ];
    let refused = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.255",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ];
    assert!(public.iter().all(|ip| is_public(ip.parse().unwrap())));
    assert!(!refused.iter().any(|ip| is_public(ip.parse().unwrap())));
}

#[test]
fn every_ipv6_range_is_refused_from_its_first_to_its_last_address_and_not_beyond() {
    let (public_first, public_last) = v6_edges(&V6_PUBLIC);
    let in_exception = |ip: u128| {
        V6_INSIDE
            .iter()
            .any(|range| (v6_edges(range).0..=v6_edges(range).1).contains(&ip))
    };
    let expected = |ip: u128| (public_first..=public_last).contains(&ip) && !in_exception(ip);
    for range in V6_INSIDE.iter().chain(V6_OUTSIDE).chain([&V6_PUBLIC]) {
        let (first, last) = v6_edges(range);
        for ip in [
            Some(first),
            Some(last),
            first.checked_sub(1),
            last.checked_add(1),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(
                is_public(IpAddr::V6(ip.into())),
                expected(ip),
                "{} of {range:?}",
                Ipv6Addr::from(ip)
            );
        }
    }
    let public = [
        "2606:4700:4700::1111",
        "2001:200::1",
        "2001:db7:ffff::",
        "2001:db9::",
        "2001:4860:4860::8888",
        "2003::1",
        "2620:4f:7fff::1",
        "2620:4f:8001::",
        "3ffe:ffff::1",
        "3fff:1000::",
    ];
    let refused = [
        "::",
        "::1",
        "::7f00:1",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff::",
        "2001:db8::1",
        "2002:808:808::",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff:ffff::",
        "4000::1",
        "5f00::1",
        "8000::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];
    assert!(public.iter().all(|ip| is_public(ip.parse().unwrap())));
    assert!(!refused.iter().any(|ip| is_public(ip.parse().unwrap())));
}

#[test]
fn d01_private_literals_are_refused_and_their_neighbours_are_not() {
    for ip in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "203.0.113.1",
    ] {
        let refusal = refused(&format!("https://{ip}/"));
        assert!(
            matches!(refusal, Refusal::Address { .. }) && refusal.is_about_destination(),
            "{ip}: {refusal}"
        );
    }
    for ip in [
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "223.255.255.255",
    ] {
        accepted(&format!("http://{ip}/"));
    }
}

#[test]
fn d02_ipv6_literals_are_judged_too() {
    for ip in [
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
    ] {
        assert!(
            matches!(refused(&format!("http://[{ip}]/")), Refusal::Address { .. }),
            "{ip}"
        );
    }
    assert_eq!(
        accepted("http://[2606:4700:4700::1111]/").host(),
        "2606:4700:4700::1111"
    );
    assert!(matches!(
        refused("http://[fe80::1%25eth0]/"),
        Refusal::Unparsable(_)
    ));
}

#[test]
fn d03_every_spelling_of_a_literal_is_judged_as_its_address() {
    let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
    for host in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "%31%32%37.0.0.1",
    ] {
        let refusal = refused(&format!("http://{host}/"));
        assert!(
            matches!(&refusal, Refusal::Address { ip, .. } if *ip == loopback),
            "{host}: {refusal}"
        );
    }
    assert!(matches!(refused("http://0/"), Refusal::Address { .. }));
}

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

#[test]
fn a_rule_opens_its_network_its_port_and_local_names_and_nothing_else() {
    let policy = opened("127.0.0.1:5432 10.1.0.0/16");
    let judge = |text: &str| judge_text(text, &policy);
    assert!(
        judge("http://127.0.0.1:5432/").is_ok(),
        "a rule with a port overrides the port list"
    );
    assert!(matches!(
        judge("http://127.0.0.1:8080/"),
        Err(Refusal::Address { .. })
    ));
    assert!(judge("http://10.1.2.3:8080/").is_ok());
    assert!(
        matches!(
            judge("http://10.1.2.3:5432/"),
            Err(Refusal::Port { port: 5432 })
        ),
        "the port list stays for a network"
    );
    assert!(matches!(
        judge("http://10.2.0.1/"),
        Err(Refusal::Address { .. })
    ));
    assert!(judge("http://localhost:8080/").is_ok() && judge("http://printer.local/").is_ok());
    assert!(
        matches!(judge("http://metadata/"), Err(Refusal::Name { .. })),
        "metadata names stay refused"
    );
    assert!(judge("http://8.8.8.8/").is_ok());
}

#[test]
fn what_an_operator_closes_stays_closed_and_his_own_names_are_refused() {
    let policy = opened("10.0.0.0/8")
        .denying(vec![
            "10.9.0.0/16".parse().unwrap(),
            "2606:4700::/32".parse().unwrap(),
        ])
        .with_own_names(["DB.example.com.".to_owned(), "broker".to_owned()]);
    let judge = |text: &str| judge_text(text, &policy);
    assert!(judge("http://10.8.0.1/").is_ok());
    assert!(matches!(
        judge("http://10.9.0.1/"),
        Err(Refusal::Address { .. })
    ));
    assert!(matches!(
        judge("http://[2606:4700:4700::1111]/"),
        Err(Refusal::Address { .. })
    ));
    assert!(matches!(
        judge("http://db.example.com/"),
        Err(Refusal::Name { .. })
    ));
    assert!(matches!(judge("http://broker/"), Err(Refusal::Name { .. })));
    assert!(matches!(
        judge("http://replica.DB.example.com./"),
        Err(Refusal::Name { .. })
    ));
    assert!(judge("http://notdb.example.com/").is_ok());
    assert!(judge("http://example.com/").is_ok());
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

    #[test]
    fn an_address_passes_as_a_literal_exactly_when_it_is_public(bits in any::<u32>(), wide in any::<u128>()) {
        for ip in [IpAddr::V4(bits.into()), IpAddr::V6(wide.into()), IpAddr::V6((wide >> 3 | 1 << 125).into())] {
            let text = format!("https://{}/", SocketAddr::new(ip, 443));
            prop_assert_eq!(judge_text(&text, &Policy::public_only()).is_ok(), is_public(ip));
        }
    }

    #[test]
    fn every_number_spelling_of_an_ipv4_address_is_judged_alike(bits in any::<u32>()) {
        let plain = judge_text(&format!("http://{}/", Ipv4Addr::from(bits)), &Policy::public_only());
        for host in [format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}")] {
            prop_assert_eq!(&judge_text(&format!("http://{host}/"), &Policy::public_only()), &plain);
        }
    }
}
