//! Certificate warnings: at each step of days left, once each per certificate, and once for each
//! new fault. A certificate first seen late is told the lowest step it has reached, no other.

use super::{Raised, Watched, sentence};
use crate::Time;
use crate::alert::{AlertEvent, AlertKind};
use crate::certificate::CertificateFacts;
use crate::probe::ErrorKind;

/// The certificate last seen, and what was announced of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCertificate {
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// Its faults, the one that decides first.
    pub errors: Vec<ErrorKind>,
    /// `scheduled_at` of the probe that saw it so.
    pub seen_at: Time,
    /// The lowest step announced, in days: 0 is its expiry.
    pub warned_days: Option<u16>,
    /// The faults announced.
    pub warned_errors: Vec<ErrorKind>,
}

/// One look at a certificate.
pub(super) struct Sight<'a> {
    pub(super) facts: &'a CertificateFacts,
    pub(super) scheduled_at: Time,
    pub(super) checked_at: Time,
}

/// Days left at which a warning is due, besides the service's own first step; 0 is the expiry.
const STEPS: [u16; 6] = [30, 14, 7, 3, 1, 0];

/// What has to be stored, and perhaps told. `None`: nothing new.
pub(super) fn see(
    before: Option<&SeenCertificate>,
    sight: Sight<'_>,
    service: &Watched,
) -> Option<(SeenCertificate, Option<Raised>)> {
    let facts = sight.facts;
    if before.is_some_and(|before| before.seen_at > sight.scheduled_at) {
        return None;
    }
    let same = before.filter(|before| before.fingerprint == facts.fingerprint_sha256);
    let days_left = facts.days_remaining(sight.checked_at);
    let warned_days = same.and_then(|same| same.warned_days);
    let step = reached(days_left, facts, service.ssl_expiry_days)
        .filter(|step| warned_days.is_none_or(|warned| *step < warned));
    let known: &[ErrorKind] = same.map_or(&[], |same| &same.warned_errors);
    let faults: Vec<ErrorKind> = facts
        .errors
        .iter()
        .copied()
        .filter(|error| !known.contains(error))
        .collect();
    // The expiry is a step, so this fault adds nothing to it.
    let is_news = step.is_some() || faults.iter().any(|fault| *fault != ErrorKind::CertExpired);
    if same.is_some_and(|same| same.errors == facts.errors) && !is_news {
        return None;
    }
    let alert = is_news.then(|| Raised {
        kind: AlertKind::SslExpiry,
        dedupe_key: dedupe_key(facts, step, &faults),
        incident: None,
        message: sentence::ssl_expiry(&service.name, days_left, &facts.errors),
        event: AlertEvent::SslExpiry {
            fingerprint: facts.fingerprint_sha256.clone(),
            not_after: facts.not_after,
            days_remaining: days_left,
            issuer: facts.issuer.clone(),
            subject: facts.subject.clone(),
            errors: facts.errors.clone(),
        },
    });
    let seen = SeenCertificate {
        fingerprint: facts.fingerprint_sha256.clone(),
        errors: facts.errors.clone(),
        seen_at: sight.scheduled_at,
        warned_days: step.or(warned_days),
        warned_errors: known.iter().copied().chain(faults).collect(),
    };
    Some((seen, alert))
}

/// The lowest step reached. A certificate that was refused as expired has expired, whatever a
/// clock that is a little behind makes of its days.
fn reached(days_left: Option<i64>, facts: &CertificateFacts, first_step: u16) -> Option<u16> {
    if facts.errors.contains(&ErrorKind::CertExpired) {
        return Some(0);
    }
    let days_left = days_left?;
    STEPS
        .into_iter()
        .filter(|step| *step <= first_step)
        .chain([first_step])
        .filter(|step| days_left < i64::from(*step))
        .min()
}

fn dedupe_key(facts: &CertificateFacts, step: Option<u16>, faults: &[ErrorKind]) -> String {
    let mut key = facts.fingerprint_sha256.clone();
    if let Some(step) = step {
        key.push_str(&format!("/{step}d"));
    }
    for fault in faults {
        key.push('/');
        key.push_str(fault.as_str());
    }
    key
}
