//! Everything that is wrong with a certificate, each question asked on its own.

use models::Time;
use models::certificate::CertificateFacts;
use models::probe::ErrorKind;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error as TlsError};
use rustls_pki_types::{CertificateDer, ServerName};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{outdated, unix_time};
use crate::tls::Tls;

/// Faults in the order in which they decide: what the owner must mend first.
const ORDER: [ErrorKind; 9] = [
    ErrorKind::CertMalformed,
    ErrorKind::CertExpired,
    ErrorKind::CertNotYetValid,
    ErrorKind::CertNameMismatch,
    ErrorKind::CertSelfSigned,
    ErrorKind::CertUnknownIssuer,
    ErrorKind::CertRevoked,
    ErrorKind::CertBadSignature,
    ErrorKind::CertUnsupported,
];

/// Asks each question on its own, because a verifier stops at its first complaint.
pub(super) struct Faults<'a> {
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) rest: &'a [CertificateDer<'a>],
    pub(super) name: &'a ServerName<'a>,
    pub(super) tls: &'a Tls,
    pub(super) now: Time,
}

impl Faults<'_> {
    /// In the order in which they decide; `verdict` counts where our own questions find nothing.
    pub(super) fn all(&self, facts: &CertificateFacts, verdict: &TlsError) -> Vec<ErrorKind> {
        let mut found = Vec::new();
        found.extend(self.dates(facts));
        if outdated::is(self.leaf) {
            found.push(ErrorKind::CertUnsupported);
        }
        match ParsedCertificate::try_from(self.leaf) {
            Ok(parsed) => {
                found.extend(self.name(&parsed));
                found.extend(self.chain(&parsed, facts));
            }
            // Older versions are readable, only not by a verifier of today.
            Err(_unreadable) if self.is_before_version_3() => {
                found.extend(self.is_self_signed().then_some(ErrorKind::CertSelfSigned));
            }
            Err(_unreadable) => found.push(ErrorKind::CertMalformed),
        }
        if found.is_empty() {
            found.push(kind_of(verdict));
        }
        found.sort_by_key(|kind| ORDER.iter().position(|known| known == kind));
        found.dedup();
        found
    }

    fn is_before_version_3(&self) -> bool {
        Certificate::from_der(self.leaf)
            .is_ok_and(|certificate| certificate.tbs_certificate().version() != Version::V3)
    }

    fn dates(&self, facts: &CertificateFacts) -> Option<ErrorKind> {
        if facts.not_after.is_some_and(|end| self.now > end) {
            return Some(ErrorKind::CertExpired);
        }
        if facts.not_before.is_some_and(|start| self.now < start) {
            return Some(ErrorKind::CertNotYetValid);
        }
        None
    }

    fn name(&self, parsed: &ParsedCertificate<'_>) -> Option<ErrorKind> {
        verify_server_name(parsed, self.name)
            .err()
            .map(|error| kind_of(&error))
    }

    /// Judges the chain at a moment when the leaf is valid, so that its dates do not hide the rest.
    fn chain(&self, parsed: &ParsedCertificate<'_>, facts: &CertificateFacts) -> Option<ErrorKind> {
        let mut at = self.now;
        if let Some(end) = facts.not_after {
            at = at.min(end);
        }
        if let Some(start) = facts.not_before {
            at = at.max(start);
        }
        let chain = verify_server_cert_signed_by_trust_anchor(
            parsed,
            self.tls.roots(),
            self.rest,
            unix_time(at),
            self.tls.provider().signature_verification_algorithms.all,
        );
        let kind = kind_of(&chain.err()?);
        let nobody_vouches = matches!(
            kind,
            ErrorKind::CertUnknownIssuer | ErrorKind::CertUnsupported
        );
        if nobody_vouches && self.is_self_signed() {
            return Some(ErrorKind::CertSelfSigned);
        }
        Some(kind)
    }

    /// Whether the leaf names itself as its issuer and its own key made its signature. Where we can't check such a
    /// signature (an outdated algorithm), the names have to do.
    fn is_self_signed(&self) -> bool {
        let Ok(certificate) = Certificate::from_der(self.leaf) else {
            return false;
        };
        let tbs = certificate.tbs_certificate();
        if tbs.issuer() != tbs.subject() {
            return false;
        }
        let key = tbs.subject_public_key_info();
        let (Some(key_kind), Some(signature_kind), Ok(signed)) = (
            algorithm(&key.algorithm),
            algorithm(certificate.signature_algorithm()),
            tbs.to_der(),
        ) else {
            return false;
        };
        let known = self.tls.provider().signature_verification_algorithms.all;
        let mut fitting = known
            .iter()
            .filter(|known| {
                *known.public_key_alg_id() == *key_kind
                    && *known.signature_alg_id() == *signature_kind
            })
            .peekable();
        fitting.peek().is_none()
            || fitting.any(|known| {
                let key = key.subject_public_key.raw_bytes();
                known
                    .verify_signature(key, &signed, certificate.signature().raw_bytes())
                    .is_ok()
            })
    }
}

/// An algorithm as verifiers name it: its DER without the outer sequence.
fn algorithm(id: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut der = id.oid.to_der().ok()?;
    if let Some(parameters) = &id.parameters {
        parameters.encode_to_vec(&mut der).ok()?;
    }
    Some(der)
}

/// The kind of one complaint.
pub(super) fn kind_of(error: &TlsError) -> ErrorKind {
    let TlsError::InvalidCertificate(error) = error else {
        return ErrorKind::CertUnsupported;
    };
    match error {
        CertificateError::BadEncoding => ErrorKind::CertMalformed,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ErrorKind::CertExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ErrorKind::CertNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ErrorKind::CertNameMismatch
        }
        CertificateError::UnknownIssuer => ErrorKind::CertUnknownIssuer,
        CertificateError::Revoked => ErrorKind::CertRevoked,
        CertificateError::BadSignature => ErrorKind::CertBadSignature,
        _ => ErrorKind::CertUnsupported,
    }
}
