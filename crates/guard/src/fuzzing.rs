//! What must hold of the guard whatever a stranger writes. Fuzzers call it, and so does a test with every input that
//! they kept; nothing else is compiled with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Position, Url};

use crate::judge::TargetHost;
use crate::{
    AllowRule, IpNet, MAX_URL_BYTES, Policy, Refusal, Scheme, Target, is_public, judge_text,
    judge_url, ports,
};

/// What an operator opened, of each kind one.
const OPENED: &str = "127.0.0.1:5432 10.1.0.0/16";
/// What he closed.
const CLOSED: &str = "93.184.0.0/16";
/// What he calls his own.
const OWN_NAME: &str = "db.example.com";
/// A refusal says little more than what was written.
const MAX_REFUSAL_BYTES: usize = MAX_URL_BYTES + 256;

/// Judges a URL as a tenant types it, under three policies.
///
/// # Panics
/// Where a promise is broken.
pub fn judge(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let public = Policy::public_only();
    let judged = judge_text(text, &public);
    match &judged {
        Ok((url, target)) => {
            assert_harmless(url, target);
            assert_same_with_root_dot(url, target);
            assert_eq!(judge_url(url, &public).as_ref(), Ok(target));
            let again = judge_text(url.as_str(), &public);
            assert_eq!(again, judged, "{url}: another verdict on its normal form");
        }
        Err(refusal) => {
            let said = refusal.to_string();
            assert!(!said.chars().any(char::is_control), "{said:?}");
            assert!(said.len() <= MAX_REFUSAL_BYTES, "{said}");
        }
    }
    judge_as_opened(text, &judged);
    judge_as_closed(text, &judged);
}

/// Rules that open refuse nothing, and let through what they name alone.
fn judge_as_opened(text: &str, public: &Result<(Url, Target), Refusal>) {
    let rules = AllowRule::parse_list(OPENED).unwrap_or_default();
    assert_eq!(rules.len(), 2);
    let opened = judge_text(text, &Policy::allowing(rules));
    if public.is_ok() {
        assert_eq!(&opened, public, "a rule that opens has closed");
        return;
    }
    let Ok((url, target)) = &opened else {
        return;
    };
    let port = target.port();
    let is_named = match target.target_host() {
        TargetHost::Literal(ip) if *ip == IpAddr::V4(Ipv4Addr::LOCALHOST) => port == 5432,
        TargetHost::Literal(IpAddr::V4(ip)) => {
            ip.octets().starts_with(&[10, 1]) && !ports::is_refused(port)
        }
        TargetHost::Literal(IpAddr::V6(_)) => false,
        // Which address it leads to is judged when it is known.
        TargetHost::Name { is_local, .. } => *is_local || port == 5432,
    };
    assert!(is_named, "{url} is opened by no rule");
    assert_well_formed(url, target);
}

/// Rules that close let nothing through.
fn judge_as_closed(text: &str, public: &Result<(Url, Target), Refusal>) {
    let Ok(net) = CLOSED.parse::<IpNet>() else {
        unreachable!("{CLOSED} is a network");
    };
    let policy = Policy::public_only()
        .denying(vec![net])
        .with_own_names([OWN_NAME.to_owned()]);
    let closed = judge_text(text, &policy);
    let Ok((url, target)) = public else {
        assert!(closed.is_err(), "a rule that closes has opened {text}");
        return;
    };
    let host = target.host();
    let is_named = match target.target_host() {
        TargetHost::Literal(ip) => net.contains(ip),
        TargetHost::Name { name, .. } => {
            name == OWN_NAME || name.ends_with(&format!(".{OWN_NAME}"))
        }
    };
    assert_eq!(closed.is_err(), is_named, "{url} ({host})");
}

/// What passed without an operator's rule leads to no place but a public one, by questions that do not share their
/// lists with the code that they ask about.
fn assert_harmless(url: &Url, target: &Target) {
    assert_well_formed(url, target);
    match url.host() {
        Some(Host::Ipv4(ip)) => {
            assert!(is_public(ip.into()) && !is_plainly_local(ip), "{url}");
            assert_eq!(target.host(), ip.to_string());
        }
        Some(Host::Ipv6(ip)) => {
            assert!(is_public(ip.into()) && !carries_an_address(ip), "{url}");
            assert_eq!(target.host(), ip.to_string());
        }
        Some(Host::Domain(name)) => assert_public_name(name, &target.host()),
        None => unreachable!("{url} has no host"),
    }
    assert!(!target.is_local_name(), "{url}");
    let port = target.port();
    assert!(port != 0 && !ports::is_refused(port), "{url}");
    assert!(![22, 25, 5432, 5672, 6379].contains(&port), "{url}");
}

/// The dot of the root changes nothing about a name.
fn assert_same_with_root_dot(url: &Url, target: &Target) {
    let Some(Host::Domain(name)) = url.host() else {
        return;
    };
    let mut rooted = url.clone();
    let could_add = !name.ends_with('.') && rooted.set_host(Some(&format!("{name}."))).is_ok();
    if could_add && rooted.as_str().len() <= MAX_URL_BYTES {
        let judged = judge_url(&rooted, &Policy::public_only());
        assert_eq!(judged.as_ref(), Ok(target), "{rooted}");
    }
}

/// What holds under every policy.
fn assert_well_formed(url: &Url, target: &Target) {
    let scheme = match target.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    assert_eq!(url.scheme(), scheme);
    assert!(url.as_str().len() <= MAX_URL_BYTES, "{url}");
    assert!(url.fragment().is_none(), "{url}");
    let before_host = &url[Position::BeforeUsername..Position::BeforeHost];
    assert!(before_host.is_empty(), "{url} says who asks");
    assert_eq!(Some(target.port()), url.port_or_known_default());
    let is_literal = !matches!(url.host(), Some(Host::Domain(_)));
    assert_eq!(target.is_literal(), is_literal, "{url}");
}

fn assert_public_name(name: &str, host: &str) {
    assert_eq!(host, name.strip_suffix('.').unwrap_or(name));
    assert!(host.contains('.') && host.len() <= 253, "{host}");
    assert!(host.parse::<IpAddr>().is_err(), "{host} is an address");
    let plain = |c: char| c.is_ascii() && !c.is_ascii_uppercase() && !c.is_ascii_control();
    assert!(host.chars().all(plain), "{host}");
    assert!(!host.contains(['/', '\\', '@', ':', '?', '#', '[', '%', ' ']));
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = |digits: &str| digits.chars().all(|c| c.is_ascii_hexdigit());
    let is_number =
        last.chars().all(|c| c.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(is_hex);
    assert!(!is_number, "{host} can be read as an address");
    for local in ["localhost", "local", "internal", "home.arpa", "onion"] {
        let is_below = host.strip_suffix(local).is_some_and(|h| h.ends_with('.'));
        assert!(host != local && !is_below, "{host}");
    }
    assert_ne!(host, "metadata.goog");
}

fn is_plainly_local(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_beyond = first == 0 || first >= 224;
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || is_shared
        || is_beyond
}

/// Whether an IPv4 address can hide in it, or it is no global one.
fn carries_an_address(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let is_global = first >> 13 == 1;
    let is_6to4_or_teredo = first == 0x2002 || (first, second) == (0x2001, 0);
    !is_global || is_6to4_or_teredo || ip.to_ipv4().is_some()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::path::Path;

    #[test]
    fn every_kept_url_is_judged_as_promised() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/judge");
        let mut kept = 0;
        for file in std::fs::read_dir(&corpus).expect("fuzz/corpus/judge") {
            let path = file.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            let judged = catch_unwind(|| super::judge(&input));
            assert!(judged.is_ok(), "{} (see above)", path.display());
            kept += 1;
        }
        assert!(kept >= 20, "{kept} inputs are left");
    }
}
