//! The forbidden ranges, as data. IPv4 is a negative list; IPv6 is a positive one (`2000::/3`) with exceptions.
//!
//! Addresses that carry an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo, ISATAP's prefixes) are refused
//! outright and never unwrapped: no public site needs those literals, and unwrapping is how such lists get fooled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One range that may not be dialled, and what it is, in words for the person who typed the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range<A> {
    /// The first address of the range.
    pub(crate) base: A,
    /// How many leading bits of an address belong to the range.
    pub(crate) prefix: u8,
    /// What the range is for.
    pub(crate) what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8, what: &'static str) -> Range<Ipv4Addr> {
    Range {
        base: Ipv4Addr::new(a, b, c, d),
        prefix,
        what,
    }
}

/// A range from the first four 16-bit groups of its base; the other four are zero.
const fn v6(groups: [u16; 4], prefix: u8, what: &'static str) -> Range<Ipv6Addr> {
    let [a, b, c, d] = groups;
    Range {
        base: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0),
        prefix,
        what,
    }
}

const fn v6_low(groups: [u16; 4], prefix: u8, what: &'static str) -> Range<Ipv6Addr> {
    let [e, f, g, h] = groups;
    Range {
        base: Ipv6Addr::new(0, 0, 0, 0, e, f, g, h),
        prefix,
        what,
    }
}

/// IPv4: the special-purpose registry of IANA, and one cloud platform endpoint that lies inside public space.
/// AS112 and AMT are reachable by the registry; they are refused as pointless targets.
pub(crate) const V4: &[Range<Ipv4Addr>] = &[
    v4(0, 0, 0, 0, 8, "this network"),
    v4(10, 0, 0, 0, 8, "a private network"),
    v4(100, 64, 0, 0, 10, "a carrier's shared network"),
    v4(127, 0, 0, 0, 8, "the local machine"),
    v4(168, 63, 129, 16, 32, "a cloud platform endpoint"),
    v4(
        169,
        254,
        0,
        0,
        16,
        "link-local, where clouds keep their metadata",
    ),
    v4(172, 16, 0, 0, 12, "a private network"),
    v4(192, 0, 0, 0, 24, "protocol assignments"),
    v4(192, 0, 2, 0, 24, "documentation"),
    v4(192, 31, 196, 0, 24, "AS112"),
    v4(192, 52, 193, 0, 24, "AMT relays"),
    v4(192, 88, 99, 0, 24, "6to4 relays"),
    v4(192, 168, 0, 0, 16, "a private network"),
    v4(192, 175, 48, 0, 24, "AS112"),
    v4(198, 18, 0, 0, 15, "benchmarking"),
    v4(198, 51, 100, 0, 24, "documentation"),
    v4(203, 0, 113, 0, 24, "documentation"),
    v4(224, 0, 0, 0, 4, "multicast"),
    v4(240, 0, 0, 0, 4, "reserved"),
];

/// The one IPv6 range that holds public addresses; everything outside is refused.
pub(crate) const V6_PUBLIC: Range<Ipv6Addr> = v6([0x2000, 0, 0, 0], 3, "global unicast");

/// What is refused inside [`V6_PUBLIC`].
pub(crate) const V6_INSIDE: &[Range<Ipv6Addr>] = &[
    v6(
        [0x2001, 0, 0, 0],
        23,
        "protocol assignments (Teredo, benchmarking, ORCHID)",
    ),
    v6([0x2001, 0xdb8, 0, 0], 32, "documentation"),
    v6([0x2002, 0, 0, 0], 16, "6to4"),
    v6([0x2620, 0x4f, 0x8000, 0], 48, "AS112"),
    v6([0x3fff, 0, 0, 0], 20, "documentation"),
];

/// Names for what lies outside [`V6_PUBLIC`]; the first that matches is told. The list decides nothing.
pub(crate) const V6_OUTSIDE: &[Range<Ipv6Addr>] = &[
    v6_low([0, 0, 0, 0], 128, "the unspecified address"),
    v6_low([0, 0, 0, 1], 128, "the local machine"),
    v6_low([0, 0, 0, 0], 96, "an IPv4-compatible address"),
    v6_low([0, 0xffff, 0, 0], 96, "an IPv4-mapped address"),
    v6_low([0xffff, 0, 0, 0], 96, "an IPv4-translated address"),
    v6([0x64, 0xff9b, 0, 0], 96, "NAT64"),
    v6([0x64, 0xff9b, 1, 0], 48, "NAT64"),
    v6([0x100, 0, 0, 0], 64, "discard-only"),
    v6([0x100, 0, 0, 1], 64, "dummy addresses"),
    v6([0x5f00, 0, 0, 0], 16, "segment routing"),
    v6([0xfc00, 0, 0, 0], 7, "a private network"),
    v6([0xfe80, 0, 0, 0], 10, "link-local"),
    v6([0xfec0, 0, 0, 0], 10, "site-local"),
    v6([0xff00, 0, 0, 0], 8, "multicast"),
];

impl Range<Ipv4Addr> {
    /// Whether `ip` lies in the range.
    pub(crate) fn contains(&self, ip: Ipv4Addr) -> bool {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0);
        (u32::from(ip) & mask) == (u32::from(self.base) & mask)
    }
}

impl Range<Ipv6Addr> {
    /// Whether `ip` lies in the range.
    pub(crate) fn contains(&self, ip: Ipv6Addr) -> bool {
        let mask = u128::MAX
            .checked_shl(128 - u32::from(self.prefix))
            .unwrap_or(0);
        (u128::from(ip) & mask) == (u128::from(self.base) & mask)
    }
}

/// Why `ip` may not be dialled, in words ("a private network (10.0.0.0/8)"); `None` when it is public.
pub fn forbidden_range(ip: IpAddr) -> Option<String> {
    match ip {
        IpAddr::V4(ip) => V4.iter().find(|range| range.contains(ip)).map(describe),
        IpAddr::V6(ip) if V6_PUBLIC.contains(ip) => V6_INSIDE
            .iter()
            .find(|range| range.contains(ip))
            .map(describe),
        IpAddr::V6(ip) => Some(
            V6_OUTSIDE
                .iter()
                .find(|range| range.contains(ip))
                .map_or_else(|| "outside the public range 2000::/3".to_owned(), describe),
        ),
    }
}

/// Whether `ip` is an address of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    forbidden_range(ip).is_none()
}

fn describe<A: std::fmt::Display>(range: &Range<A>) -> String {
    format!("{} ({}/{})", range.what, range.base, range.prefix)
}
