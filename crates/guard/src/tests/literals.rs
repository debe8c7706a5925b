//! Every spelling of an address in a URL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;

use super::{accepted, refused};
use crate::{Policy, Refusal, is_public, judge_text};

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

proptest! {
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
