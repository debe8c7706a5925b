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
use x509_cert::der::Decode as _;

use super::issuer::{Issuers, Origin};
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
                if let Err(complaint) = self.chain(&parsed, facts) {
                    self.beside_chain(complaint, &mut found);
                }
            }
            // Older versions are readable, only not by a verifier of today.
            Err(_unreadable) if self.is_before_version_3() => {
                self.beside_chain(ErrorKind::CertUnsupported, &mut found);
            }
            Err(unreadable) => self.beside_chain(kind_of(&unreadable), &mut found),
        }
        if found.is_empty() {
            found.push(kind_of(verdict));
        }
        found.sort_by_key(|kind| ORDER.iter().position(|known| known == kind));
        found.dedup();
        found
    }

    /// What a verifier's one complaint about the chain hides: a leaf of a bad kind may be self-signed as well, or nobody's.
    fn beside_chain(&self, complaint: ErrorKind, found: &mut Vec<ErrorKind>) {
        let says_whose = matches!(
            complaint,
            ErrorKind::CertUnknownIssuer | ErrorKind::CertBadSignature
        );
        match self.origin() {
            Some(Origin::Itself) => {
                found.push(ErrorKind::CertSelfSigned);
                found.extend((!says_whose).then_some(complaint));
            }
            // A verifier takes a signature for a bad one where it dislikes the key that made it.
            Some(Origin::Trusted { is_weak: true }) if says_whose => {
                found.push(ErrorKind::CertUnsupported);
            }
            Some(Origin::Unknown) if !says_whose => {
                found.extend([ErrorKind::CertUnknownIssuer, complaint]);
            }
            Some(Origin::Forged) if !says_whose => {
                found.extend([ErrorKind::CertBadSignature, complaint]);
            }
            _ => found.push(complaint),
        }
    }

    /// `None` for a leaf that can't be read.
    fn origin(&self) -> Option<Origin> {
        let leaf = Certificate::from_der(self.leaf).ok()?;
        let issuers = Issuers {
            rest: self.rest,
            roots: self.tls.roots(),
            provider: self.tls.provider(),
        };
        Some(issuers.origin(&leaf))
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
    fn chain(
        &self,
        parsed: &ParsedCertificate<'_>,
        facts: &CertificateFacts,
    ) -> Result<(), ErrorKind> {
        let mut at = self.now;
        if let Some(end) = facts.not_after {
            at = at.min(end);
        }
        if let Some(start) = facts.not_before {
            at = at.max(start);
        }
        verify_server_cert_signed_by_trust_anchor(
            parsed,
            self.tls.roots(),
            self.rest,
            unix_time(at),
            self.tls.provider().signature_verification_algorithms.all,
        )
        .map_err(|error| kind_of(&error))
    }
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
