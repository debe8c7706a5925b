//! Facts and faults of a presented certificate, read from the leaf itself and independent of one another.

mod faults;
mod issuer;
mod leaves;
mod outdated;
mod signature;
#[cfg(test)]
mod tests;

use chrono::DateTime;
use models::Time;
use models::certificate::CertificateFacts;
use models::probe::ErrorKind;
use rustls::Error as TlsError;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::tls::{SeenChain, Tls};
use crate::verdict::{Failure, moves_text};
use faults::Faults;

pub(crate) use leaves::Leaves;

/// A name longer than this is cut; a result stays small whatever a certificate holds.
const MAX_NAME_CHARS: usize = 256;
/// How many names a sentence lists.
const NAMES_IN_SENTENCE: usize = 3;

/// Reads what a handshake presented; `None` when it presented nothing.
pub(crate) fn facts(seen: &SeenChain, tls: &Tls, now: Time) -> Option<CertificateFacts> {
    let (leaf, rest) = seen.chain.split_first()?;
    let mut facts = tls.leaves().facts(leaf);
    facts.chain_length = u16::try_from(seen.chain.len()).unwrap_or(u16::MAX);
    if let Err(verdict) = &seen.verdict {
        facts.errors = Faults {
            leaf,
            rest,
            name: &seen.name,
            tls,
            now,
        }
        .all(&facts, verdict);
    }
    Some(facts)
}

/// The fault behind a handshake that a certificate ended although its chain, name and dates hold: a key or signature
/// that nobody accepts any more, or a signature that does not fit.
pub(crate) fn handshake_fault(seen: &SeenChain, error: &TlsError) -> ErrorKind {
    if seen.chain.first().is_some_and(|leaf| outdated::is(leaf)) {
        return ErrorKind::CertUnsupported;
    }
    faults::kind_of(error)
}

/// The facts of a leaf with this SHA-256. One that our reader refuses has a fingerprint and nothing else.
fn read_leaf(leaf: &CertificateDer<'_>, digest: &[u8]) -> CertificateFacts {
    let mut facts = CertificateFacts {
        fingerprint_sha256: hex(digest),
        issuer: None,
        subject: None,
        sans: Vec::new(),
        not_before: None,
        not_after: None,
        serial: None,
        chain_length: 1,
        errors: Vec::new(),
    };
    let Ok(certificate) = Certificate::from_der(leaf) else {
        return facts;
    };
    let tbs = certificate.tbs_certificate();
    facts.issuer = display_name(tbs.issuer(), true);
    facts.subject = display_name(tbs.subject(), false);
    facts.serial = Some(hex(tbs.serial_number().as_bytes()));
    facts.not_before = time(tbs.validity().not_before);
    facts.not_after = time(tbs.validity().not_after);
    if let Ok(Some((_critical, SubjectAltName(names)))) = tbs.get_extension::<SubjectAltName>() {
        facts.sans = names
            .iter()
            .filter_map(general_name)
            .take(CertificateFacts::MAX_SANS)
            .collect();
    }
    facts
}

/// The sentence for a certificate's deciding fault.
pub(crate) fn failure(facts: &CertificateFacts, kind: ErrorKind, host: &str, now: Time) -> Failure {
    let day = |time: Time| time.format("%Y-%m-%d %H:%M UTC");
    let message = match kind {
        ErrorKind::CertExpired => match facts.not_after {
            Some(end) if now > end => format!("the certificate expired on {}", day(end)),
            _ => "a certificate of the chain has expired".to_owned(),
        },
        ErrorKind::CertNotYetValid => match facts.not_before {
            Some(start) if now < start => {
                format!("the certificate is not valid before {}", day(start))
            }
            _ => "a certificate of the chain is not valid yet".to_owned(),
        },
        ErrorKind::CertNameMismatch if names_only_as_text(facts, host) => format!(
            "the certificate names {host} as a host name, not as the IP address that it is"
        ),
        ErrorKind::CertNameMismatch => match names(facts) {
            Some(names) => format!("the certificate is for {names}, not for {host}"),
            None => format!("the certificate names no host, so it does not hold for {host}"),
        },
        ErrorKind::CertSelfSigned => "the certificate is self-signed".to_owned(),
        ErrorKind::CertUnknownIssuer => format!(
            "the certificate was issued by {}, which is not trusted, or an intermediate certificate is missing",
            facts.issuer.as_deref().unwrap_or("an unnamed authority")
        ),
        ErrorKind::CertRevoked => "the certificate was revoked".to_owned(),
        ErrorKind::CertBadSignature => {
            "a signature of the certificate chain does not hold".to_owned()
        }
        ErrorKind::CertMalformed => "the certificate can't be read".to_owned(),
        _ => "the certificate is of a kind that is not accepted for servers (its key, signature, version or purpose)"
            .to_owned(),
    };
    Failure::new(kind, message)
}

/// Whether an address that is asked for stands among the names, which it then does in the wrong way: a DNS name may not
/// spell an address (RFC 6125, B.2), and one that is named as an address would have fitted.
fn names_only_as_text(facts: &CertificateFacts, host: &str) -> bool {
    let address = |text: &str| text.parse::<std::net::IpAddr>().ok();
    address(host).is_some_and(|asked| facts.sans.iter().any(|san| address(san) == Some(asked)))
}

fn names(facts: &CertificateFacts) -> Option<String> {
    let shown: Vec<&str> = facts
        .sans
        .iter()
        .take(NAMES_IN_SENTENCE)
        .map(String::as_str)
        .collect();
    let more = facts.sans.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown.join(", ")),
        (false, more) => Some(format!("{} and {more} more", shown.join(", "))),
    }
}

/// The part of a name that people know: its common name, for an issuer else its organisation, else all of it.
fn display_name(name: &Name, is_issuer: bool) -> Option<String> {
    let common = name.common_name().ok().flatten();
    let organisation = || name.organization().ok().flatten().filter(|_| is_issuer);
    let text = match common.or_else(organisation) {
        Some(text) => text.value().into_owned(),
        None => name.to_string(),
    };
    let text = bounded(&text);
    (!text.is_empty()).then_some(text)
}

/// Only what is read as text. Control characters would also grow sixfold in JSON, and a result must fit into a message.
fn bounded(text: &str) -> String {
    text.chars()
        .filter(|c| !moves_text(*c))
        .take(MAX_NAME_CHARS)
        .collect()
}

fn general_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(bounded(name.as_str())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(std::net::IpAddr::from);
            let v6 = <[u8; 16]>::try_from(octets).map(std::net::IpAddr::from);
            v4.or(v6).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn time(time: x509_cert::time::Time) -> Option<Time> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    DateTime::from_timestamp(seconds, 0)
}

/// The product's time as rustls takes it; before 1970 is 1970.
pub(crate) fn unix_time(time: Time) -> UnixTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16);
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(digit)
        .collect()
}
