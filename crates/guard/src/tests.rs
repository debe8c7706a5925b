//! The whole of what is refused without a lookup: every range at its edges, every spelling of a literal, every rule
//! of a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::ranges::{Range, V4, V6_INSIDE, V6_OUTSIDE};

/// Every IPv4 range that is refused: the address before it, its first, its last, and the one after it. Written by hand,
/// against a slip that table and check would share. A neighbour with a `!` lies in another range.
const V4_EDGES: &[[&str; 4]] = &[
    ["", "0.0.0.0", "0.255.255.255", "1.0.0.0"],
    ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
    [
        "100.63.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "100.128.0.0",
    ],
    [
        "126.255.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "128.0.0.0",
    ],
    [
        "168.63.129.15",
        "168.63.129.16",
        "168.63.129.16",
        "168.63.129.17",
    ],
    [
        "169.253.255.255",
        "169.254.0.0",
        "169.254.255.255",
        "169.255.0.0",
    ],
    [
        "172.15.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "172.32.0.0",
    ],
    ["191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"],
    ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
    [
        "192.31.195.255",
        "192.31.196.0",
        "192.31.196.255",
        "192.31.197.0",
    ],
    [
        "192.52.192.255",
        "192.52.193.0",
        "192.52.193.255",
        "192.52.194.0",
    ],
    [
        "192.88.98.255",
        "192.88.99.0",
        "192.88.99.255",
        "192.88.100.0",
    ],
    [
        "192.167.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "192.169.0.0",
    ],
    [
        "192.175.47.255",
        "192.175.48.0",
        "192.175.48.255",
        "192.175.49.0",
    ],
    [
        "198.17.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.20.0.0",
    ],
    [
        "198.51.99.255",
        "198.51.100.0",
        "198.51.100.255",
        "198.51.101.0",
    ],
    [
        "203.0.112.255",
        "203.0.113.0",
        "203.0.113.255",
        "203.0.114.0",
    ],
    [
        "223.255.255.255",
        "224.0.0.0",
        "239.255.255.255",
        "!240.0.0.0",
    ],
    ["!239.255.255.255", "240.0.0.0", "255.255.255.255", ""],
];

/// The same of IPv6, inside the public range and outside of it.
const V6_EDGES: &[[&str; 4]] = &[
    [
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::",
    ],
    [
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
    ],
    [
        "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2003::",
    ],
    [
        "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8000::",
        "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8001::",
    ],
    [
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
    ],
    ["", "::", "::", "!::1"],
    ["!::", "::1", "::1", "!::2"],
    ["", "::", "::ffff:ffff", "!::1:0:0"],
    [
        "!::fffe:ffff:ffff",
        "::ffff:0:0",
        "::ffff:ffff:ffff",
        "!::1:0:0:0",
    ],
    [
        "!::fffe:ffff:ffff:ffff",
        "::ffff:0:0:0",
        "::ffff:0:ffff:ffff",
        "!::ffff:1:0:0",
    ],
    [
        "!64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff",
        "64:ff9b::",
        "64:ff9b::ffff:ffff",
        "!64:ff9b::1:0:0",
    ],
    [
        "!64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "!64:ff9b:2::",
    ],
    [
        "!ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "!100:0:0:1::",
    ],
    [
        "!100::ffff:ffff:ffff:ffff",
        "100:0:0:1::",
        "100::1:ffff:ffff:ffff:ffff",
        "!100:0:0:2::",
    ],
    [
        "!5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "5f00::",
        "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "!5f01::",
    ],
    [
        "!fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "!fe00::",
    ],
    [
        "!fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "!fec0::",
    ],
    [
        "!febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "!ff00::",
    ],
    [
        "!feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "",
    ],
];

/// Holds one range against the rule at its four edges; answers with its first and last address.
fn hold_at_its_edges([before, first, last, after]: [&str; 4]) -> (IpAddr, IpAddr) {
    for neighbour in [before, after].into_iter().filter(|ip| !ip.is_empty()) {
        let (is_refused, ip) = match neighbour.strip_prefix('!') {
            Some(ip) => (true, ip),
            None => (false, neighbour),
        };
        let found = forbidden_range(ip.parse().unwrap());
        assert_eq!(found.is_some(), is_refused, "{neighbour}: {found:?}");
    }
    let [first, last] = [first, last].map(|ip| {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(!is_public(ip), "{ip}");
        ip
    });
    (first, last)
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
    let held: Vec<_> = V4_EDGES.iter().copied().map(hold_at_its_edges).collect();
    let bounds = |range: &Range<Ipv4Addr>| {
        let first = u32::from(range.base);
        let last = first | u32::MAX.checked_shr(range.prefix.into()).unwrap_or(0);
        (IpAddr::V4(first.into()), IpAddr::V4(last.into()))
    };
    let known: Vec<_> = V4.iter().map(bounds).collect();
    assert_eq!(known, held, "no range without its edges");
    for ip in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "151.101.1.69",
        "223.5.5.5",
    ] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in [
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.8",
        "192.0.0.192",
    ] {
        assert!(!is_public(ip.parse().unwrap()), "{ip}: a cloud's metadata");
    }
}

#[test]
fn every_ipv6_range_is_refused_from_its_first_to_its_last_address_and_not_beyond() {
    let held: Vec<_> = V6_EDGES.iter().copied().map(hold_at_its_edges).collect();
    let bounds = |range: &Range<Ipv6Addr>| {
        let first = u128::from(range.base);
        let last = first | u128::MAX.checked_shr(range.prefix.into()).unwrap_or(0);
        (IpAddr::V6(first.into()), IpAddr::V6(last.into()))
    };
    let known: Vec<_> = V6_INSIDE.iter().chain(V6_OUTSIDE).map(bounds).collect();
    assert_eq!(known, held, "no range without its edges");
    // What is public has edges, too: all beyond it is refused, whether it has a name or not.
    let public = [
        "2000::",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ];
    let refused = [
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "4000::",
        "8000::1",
        "::7f00:1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
        "fd00:ec2::254",
        "200::5efe:127.0.0.1",
    ];
    assert!(public.iter().all(|ip| is_public(ip.parse().unwrap())));
    assert!(!refused.iter().any(|ip| is_public(ip.parse().unwrap())));
}

#[test]
fn every_address_that_is_refused_is_told_in_words() {
    for (ip, words) in [
        ("10.0.0.5", "a private network (10.0.0.0/8)"),
        ("::1", "the local machine (::1/128)"),
        ("::", "the unspecified address (::/128)"),
        ("fe80::1", "link-local (fe80::/10)"),
        ("3fff::1", "documentation (3fff::/20)"),
        ("4000::1", "outside the public range 2000::/3"),
    ] {
        assert_eq!(forbidden_range(ip.parse().unwrap()).unwrap(), words);
    }
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
    let policy = opened("10.0.0.0/8 10.9.0.1:8443")
        .denying(vec![
            "10.9.0.0/16".parse().unwrap(),
            "2606:4700::/32".parse().unwrap(),
        ])
        .with_own_names(["DB.example.com.".to_owned(), "broker".to_owned()]);
    let judge = |text: &str| judge_text(text, &policy);
    assert!(judge("http://10.8.0.1/").is_ok());
    for closed in ["http://10.9.0.1/", "http://10.9.0.1:8443/"] {
        assert!(matches!(judge(closed), Err(Refusal::Address { .. })));
    }
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
