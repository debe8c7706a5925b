//! What is shown of a service's certificate.

use db::certificates::Certificate;
use models::Time;
use models::certificate::{CertificateFacts, days_remaining};
use serde::Serialize;

use crate::openapi::values::Timestamp;
use crate::views::format;
use utoipa::ToSchema;

/// The certificate of an https service's own host, good or bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(crate) struct SslView {
    /// Chain, name and dates all hold.
    pub(crate) cert_valid: bool,
    /// Its last moment.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) cert_expiry: Option<String>,
    /// Who signed it.
    pub(crate) cert_issuer: Option<String>,
    /// Whom it names.
    pub(crate) cert_subject: Option<String>,
    /// The names and addresses that it is for.
    pub(crate) cert_sans: Vec<String>,
    /// Of its DER bytes, in hexadecimal.
    pub(crate) fingerprint_sha256: String,
    /// Whole days, rounded down; negative once it has expired.
    pub(crate) days_remaining: Option<i64>,
    /// Fewer days than `ssl_expiry_days` are left.
    pub(crate) expiry_warning: bool,
    /// The first fault, as an error kind without its `cert_`; `null` where there is none.
    pub(crate) error: Option<String>,
    /// All faults.
    pub(crate) errors: Vec<String>,
}

/// As seen by the last probe that saw one; `None` for bytes that can't be read any more.
#[must_use]
pub(crate) fn ssl(row: &Certificate, ssl_expiry_days: i16, now: Time) -> Option<SslView> {
    let facts: CertificateFacts = match serde_json::from_value(row.facts.clone()) {
        Ok(facts) => facts,
        Err(error) => {
            tracing::error!(%error, service.id = %row.service_id, "stored certificate facts can not be read");
            return None;
        }
    };
    let not_after = facts.not_after.or(row.not_after);
    let days = not_after.map(|not_after| days_remaining(not_after, now));
    let errors: Vec<String> = row
        .errors
        .iter()
        .map(|kind| kind.strip_prefix("cert_").unwrap_or(kind).to_owned())
        .collect();
    // It may have run out since it was seen.
    let has_run_out = not_after.is_some_and(|not_after| not_after < now);
    Some(SslView {
        cert_valid: errors.is_empty() && !has_run_out,
        cert_expiry: not_after.map(format::time),
        cert_issuer: facts.issuer,
        cert_subject: facts.subject,
        cert_sans: facts.sans,
        fingerprint_sha256: facts.fingerprint_sha256,
        days_remaining: days,
        expiry_warning: days.is_some_and(|days| days < i64::from(ssl_expiry_days)),
        error: errors.first().cloned(),
        errors,
    })
}
