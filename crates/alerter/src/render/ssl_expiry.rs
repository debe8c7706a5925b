//! The certificate runs out, or is not valid.

use models::Time;
use models::certificate::days_remaining;
use models::probe::ErrorKind;

use super::words::{clean, day, moment};
use super::{Page, Tone};

/// The certificate, and the day on which the mail is read.
pub(super) struct Certificate<'a> {
    pub(super) name: &'a str,
    pub(super) fingerprint: &'a str,
    pub(super) not_after: Option<Time>,
    /// Whom it names, and who issued it.
    pub(super) names: (Option<&'a str>, Option<&'a str>),
    pub(super) errors: &'a [ErrorKind],
    pub(super) now: Time,
}

pub(super) fn page(certificate: &Certificate<'_>) -> Page {
    let name = certificate.name;
    let (subject, tone, lead) = headline(certificate);
    let mut page = Page {
        subject: format!("{subject}: {name}"),
        headline: format!("{subject}: {name}"),
        tone,
        lead,
        rows: Vec::new(),
    };
    let (holder, issuer) = certificate.names;
    page.row(
        "Certificate",
        holder.map_or_else(|| "without a name".to_owned(), clean),
    );
    if let Some(issuer) = issuer {
        page.row("Issued by", clean(issuer));
    }
    if let Some(not_after) = certificate.not_after {
        page.row("Valid until", moment(not_after));
    }
    let problems: Vec<&str> = certificate.errors.iter().map(|kind| fault(*kind)).collect();
    if !problems.is_empty() {
        page.row("Problems", problems.join("; "));
    }
    page.row("SHA-256", clean(certificate.fingerprint));
    page
}

fn headline(certificate: &Certificate<'_>) -> (String, Tone, String) {
    let expired = certificate
        .not_after
        .is_some_and(|not_after| not_after <= certificate.now);
    let other_fault = certificate
        .errors
        .iter()
        .find(|kind| **kind != ErrorKind::CertExpired);
    match (certificate.not_after, other_fault) {
        (Some(not_after), _) if expired => (
            "Certificate has expired".to_owned(),
            Tone::Bad,
            format!(
                "It expired on {}. Visitors are warned away until it is replaced.",
                day(not_after)
            ),
        ),
        (_, Some(kind)) => (
            "Certificate is not valid".to_owned(),
            Tone::Bad,
            format!(
                "The certificate {}. Visitors are warned away until it is replaced.",
                fault(*kind)
            ),
        ),
        (Some(not_after), None) => {
            let left = left(days_remaining(not_after, certificate.now));
            (
                format!("Certificate expires {left}"),
                Tone::Warning,
                format!(
                    "It runs out on {} ({left}). Renew it before then.",
                    day(not_after)
                ),
            )
        }
        (None, None) => (
            "Certificate needs a look".to_owned(),
            Tone::Warning,
            "Its dates could not be read.".to_owned(),
        ),
    }
}

fn left(days: i64) -> String {
    match days {
        ..=0 => "in less than a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    }
}

/// The end of a sentence that begins with "The certificate".
const fn fault(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::CertExpired => "has expired",
        ErrorKind::CertNotYetValid => "is not valid yet",
        ErrorKind::CertNameMismatch => "is made out for another host",
        ErrorKind::CertUnknownIssuer => "comes from an issuer that is not trusted",
        ErrorKind::CertSelfSigned => "is self-signed",
        ErrorKind::CertBadSignature => "carries a bad signature",
        ErrorKind::CertRevoked => "was revoked",
        ErrorKind::CertUnsupported => "uses something that is not supported",
        ErrorKind::CertMalformed => "is malformed",
        _ => "was refused",
    }
}
