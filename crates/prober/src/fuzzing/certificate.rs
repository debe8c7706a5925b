//! Every chain that a server can present: what is read from it, what is wrong with it, and what is said about it.

use std::sync::OnceLock;

use models::Time;
use models::certificate::CertificateFacts;
use models::probe::ErrorKind;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::{CertificateError, Error as TlsError};
use rustls_pki_types::{CertificateDer, ServerName};

use super::promises::{assert_bounded, assert_tellable};
use super::{now, root};
use crate::cert;
use crate::tls::{SeenChain, Tls};

/// Who is asked for: a name of the kept certificates, a stranger's, and an address.
const HOSTS: [&str; 3] = ["localhost", "example.com", "93.184.216.34"];
/// A server may present thousands of certificates; more than this in one input show nothing new.
const MOST_CERTIFICATES: usize = 16;

/// Judges a chain of certificates in DER, one behind the other, the leaf first.
///
/// # Panics
/// Where a promise is broken.
pub fn certificate(input: &[u8]) {
    static TLS: OnceLock<Option<Tls>> = OnceLock::new();
    let tls = TLS.get_or_init(|| Tls::new(&[root()]).ok());
    let Some(tls) = tls else {
        unreachable!("the kept root is one");
    };
    let chain = chain(input);
    for host in HOSTS {
        judge(tls, &chain, host);
    }
}

fn judge(tls: &Tls, chain: &[CertificateDer<'static>], host: &str) {
    let Some(seen) = presented(tls, chain, host) else {
        assert!(chain.is_empty());
        return;
    };
    let Some(facts) = cert::facts(&seen, tls, now()) else {
        unreachable!("a presented certificate has facts");
    };
    assert_bounded(&facts);
    assert_eq!(usize::from(facts.chain_length), chain.len());
    assert_eq!(facts.is_valid(), seen.verdict.is_ok(), "{:?}", seen.verdict);
    assert_dates(&facts, now());
    let mut faults = facts.errors.clone();
    if seen.verdict.is_ok() {
        let stolen = TlsError::from(CertificateError::BadSignature);
        faults.push(cert::handshake_fault(&seen, &stolen));
    }
    for kind in faults {
        assert!(kind.is_certificate(), "{kind:?}");
        let error = cert::failure(&facts, kind, host, now()).into_error();
        assert_eq!(error.kind, kind);
        assert_tellable(&error);
    }
    let json = serde_json::to_vec(&facts).unwrap_or_default();
    let back = serde_json::from_slice::<CertificateFacts>(&json).ok();
    assert_eq!(back.as_ref(), Some(&facts), "it reads back as it was");
}

/// Our reader and the verifier agree on dates.
fn assert_dates(facts: &CertificateFacts, now: Time) {
    let is_past = facts.not_after.is_some_and(|end| now > end);
    let is_ahead = facts.not_before.is_some_and(|start| now < start);
    let has = |kind| facts.errors.contains(&kind);
    assert!(!is_past || has(ErrorKind::CertExpired), "{facts:?}");
    let is_told = has(ErrorKind::CertNotYetValid) || is_past;
    assert!(!is_ahead || is_told, "{facts:?}");
}

/// What a handshake remembers of this chain.
fn presented(tls: &Tls, chain: &[CertificateDer<'static>], host: &str) -> Option<SeenChain> {
    let (leaf, rest) = chain.split_first()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let at = cert::unix_time(now());
    let (_config, recorder) = tls.handshake(at);
    // The verdict is in what it remembers.
    drop(recorder.verify_server_cert(leaf, rest, &name, &[], at));
    recorder.take()
}

/// Cuts where an outer sequence of DER ends by its own word; what has no length is the last.
fn chain(input: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut found = Vec::new();
    let mut rest = input;
    while !rest.is_empty() && found.len() < MOST_CERTIFICATES {
        let length = der_length(rest).unwrap_or(rest.len());
        let (one, tail) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        found.push(CertificateDer::from(one.to_vec()));
        rest = tail;
    }
    found
}

/// Tag, length and content together.
fn der_length(der: &[u8]) -> Option<usize> {
    let (_tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let digits = rest.get(..usize::from(first & 0x7f).min(4))?;
    let fold = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
    Some(2 + digits.len() + digits.iter().fold(0, fold))
}
