//! What a probe saw of an https service's certificate.

use serde::{Deserialize, Serialize};

use crate::probe::ErrorKind;
use crate::{Time, stamp};

/// Facts of the leaf that the service's own host presented, good or bad.
///
/// A certificate that could not be parsed has a fingerprint and the fault
/// [`ErrorKind::CertMalformed`], and little else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 of the DER, in lower-case hex.
    pub fingerprint_sha256: String,
    /// Issuer's common name, else its organisation, else the whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Subject's common name, else the whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// DNS names and IP addresses of the subjectAltName extension, at most [`Self::MAX_SANS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sans: Vec<String>,
    /// First moment of validity.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "stamp::option"
    )]
    pub not_before: Option<Time>,
    /// Last moment of validity.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "stamp::option"
    )]
    pub not_after: Option<Time>,
    /// Serial number in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Certificates presented, the leaf included.
    #[serde(default)]
    pub chain_length: u16,
    /// Every fault found, the one that decides first; empty when chain, name and dates all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorKind>,
}

impl CertificateFacts {
    /// More names than this are cut off: a shared certificate can carry thousands.
    pub const MAX_SANS: usize = 100;

    /// Chain, name and dates all hold.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whole days until it expires, rounded down, so negative once it has.
    #[must_use]
    pub fn days_remaining(&self, now: Time) -> Option<i64> {
        self.not_after
            .map(|not_after| days_remaining(not_after, now))
    }
}

/// Whole days from `now` to `not_after`, rounded down, so negative once it is past.
#[must_use]
pub fn days_remaining(not_after: Time, now: Time) -> i64 {
    const DAY_SECONDS: i64 = 86_400;
    (not_after - now).num_seconds().div_euclid(DAY_SECONDS)
}
