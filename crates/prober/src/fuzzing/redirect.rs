//! Where a server can send a probe: any status with any bytes as its Location, hop after hop.

use guard::{Policy, Refusal, judge_text, judge_url};
use http::{HeaderValue, StatusCode};
use models::probe::ErrorKind;
use url::{Host, Position, Url};

use super::promises::assert_tellable;
use crate::redirect::{MAX_REDIRECTS, next};
use crate::verdict::Failure;

/// Where the first answer comes from; the input's first byte chooses.
const FROM: [&str; 4] = [
    "https://example.com/a/b?c",
    "http://example.com:8080",
    "https://93.184.216.34/",
    "http://[2606:4700:4700::1111]:8443/a;b/../c",
];
/// What it answers, and what does not lead on; the second byte chooses.
const STATUSES: [u16; 8] = [301, 302, 303, 307, 308, 300, 304, 200];

/// Follows the lines of `input`, each of them a Location.
///
/// # Panics
/// Where a promise is broken.
pub fn redirect(input: &[u8]) {
    let Some(([from, status], locations)) = input.split_first_chunk() else {
        return;
    };
    let choose = |byte: &u8, of: usize| usize::from(*byte) % of;
    let from = FROM.get(choose(from, FROM.len())).copied();
    let status = STATUSES.get(choose(status, STATUSES.len())).copied();
    let url = from.and_then(|from| Url::parse(from).ok());
    let (Some(mut url), Some(Ok(status))) = (url, status.map(StatusCode::from_u16)) else {
        unreachable!("chosen from constants");
    };
    for location in locations.split(|byte| *byte == b'\n').take(MAX_REDIRECTS) {
        match follow(&url, status, location) {
            Some(further) => url = further,
            None => return,
        }
    }
}

fn follow(url: &Url, status: StatusCode, location: &[u8]) -> Option<Url> {
    let location = HeaderValue::from_bytes(location).ok()?;
    let leads_on = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let next = match next(url, status, Some(&location)) {
        Err(failure) => {
            assert!(leads_on && failure.kind == ErrorKind::RedirectInvalid);
            assert_tellable(&failure.into_error());
            return None;
        }
        Ok(next) => next,
    };
    assert_eq!(next.is_some(), leads_on, "{status}");
    let next = next?;
    assert_eq!(next.fragment(), None, "{next}");
    let policy = Policy::public_only();
    let judged = judge_url(&next, &policy);
    match judged {
        Err(refusal) => {
            assert_kept_quiet(&refusal);
            None
        }
        Ok(target) => {
            assert!(matches!(next.scheme(), "http" | "https"), "{next}");
            let again = Url::parse(next.as_str());
            assert_eq!(again.as_ref(), Ok(&next), "it reads back as another URL");
            let before_host = &next[Position::BeforeUsername..Position::BeforeHost];
            assert!(before_host.is_empty(), "{next} says who asks");
            assert_eq!(Some(target.port()), next.port_or_known_default());
            let is_public = match next.host() {
                Some(Host::Ipv4(ip)) => guard::is_public(ip.into()),
                Some(Host::Ipv6(ip)) => guard::is_public(ip.into()),
                Some(Host::Domain(name)) => name.contains('.') && !target.is_local_name(),
                None => false,
            };
            assert!(is_public, "{next}");
            // What a tenant may not write, a server may send: `judge_text` is the stricter one.
            if let Ok((_, typed)) = judge_text(next.as_str(), &policy) {
                assert_eq!(typed, target, "{next}");
            }
            Some(next)
        }
    }
}

/// What a tenant is told of a redirect that is not followed names no destination.
fn assert_kept_quiet(refusal: &Refusal) {
    let error = Failure::redirect_blocked(Some(refusal)).into_error();
    assert_tellable(&error);
    let said = &error.message;
    if refusal.is_about_destination() {
        let quiet = "the server redirects to a destination that is not allowed to be probed";
        assert_eq!(said, quiet);
    } else {
        let begins = "the server redirects to a URL that ";
        assert!(said.starts_with(begins), "{said}");
    }
}
