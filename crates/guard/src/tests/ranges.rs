//! Every range that is refused, at its edges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ranges::{Range, V4, V6_INSIDE, V6_OUTSIDE};
use crate::{forbidden_range, is_public};

use super::edges::{V4_EDGES, V6_EDGES};

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
