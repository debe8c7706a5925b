//! Certificates that no library of today would make; the rest is tested over real handshakes.
//!
//! The fixtures are made with OpenSSL, valid from 2026-11-22 for ten years: `root` (RSA-2048) signed `rsa-1024`, `sha-1`
//! and `version-1` for `localhost`, where a version 1 has no names; `self-signed-sha-1` is RSA-1024 for `a.example`.

use chrono::TimeDelta;
use models::Time;
use rustls::CertificateError;
use rustls_pki_types::ServerName;

use super::*;

const ROOT: &[u8] = include_bytes!("fixtures/root.der");
const RSA_1024: &[u8] = include_bytes!("fixtures/rsa-1024.der");
const SHA_1: &[u8] = include_bytes!("fixtures/sha-1.der");
const VERSION_1: &[u8] = include_bytes!("fixtures/version-1.der");
const SELF_SIGNED_SHA_1: &[u8] = include_bytes!("fixtures/self-signed-sha-1.der");

fn in_2027() -> Time {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn seen(leaf: &'static [u8], verdict: Result<(), CertificateError>) -> SeenChain {
    SeenChain {
        chain: vec![CertificateDer::from(leaf)],
        name: ServerName::try_from("localhost").unwrap(),
        verdict: verdict.map_err(TlsError::from),
    }
}

fn errors(leaf: &'static [u8], now: Time) -> Vec<ErrorKind> {
    let tls = Tls::new(&[CertificateDer::from(ROOT)]).unwrap();
    let seen = seen(leaf, Err(CertificateError::ApplicationVerificationFailure));
    facts(&seen, &tls, now).unwrap().errors
}

#[test]
fn what_no_browser_accepts_any_more_is_unsupported_whoever_vouches_for_it() {
    use ErrorKind::{CertExpired, CertNameMismatch, CertSelfSigned, CertUnsupported};
    let later = in_2027() + TimeDelta::days(20 * 365);
    assert_eq!(errors(RSA_1024, in_2027()), [CertUnsupported]);
    assert_eq!(errors(SHA_1, in_2027()), [CertUnsupported]);
    assert_eq!(errors(VERSION_1, in_2027()), [CertUnsupported]);
    assert_eq!(errors(VERSION_1, later), [CertExpired, CertUnsupported]);
    assert_eq!(
        errors(SELF_SIGNED_SHA_1, later),
        [
            CertExpired,
            CertNameMismatch,
            CertSelfSigned,
            CertUnsupported
        ]
    );
}

#[test]
fn a_short_key_is_named_when_the_chain_holds_and_only_the_handshake_fails() {
    let bad = TlsError::from(CertificateError::BadSignature);
    let fault = |leaf| handshake_fault(&seen(leaf, Ok(())), &bad);
    assert_eq!(fault(RSA_1024), ErrorKind::CertUnsupported);
    assert_eq!(fault(ROOT), ErrorKind::CertBadSignature);
}
