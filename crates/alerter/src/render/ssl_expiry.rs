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
    let expired = has_expired(certificate);
    let problems: Vec<&str> = certificate
        .errors
        .iter()
        .map(|kind| match kind {
            ErrorKind::CertExpired if !expired => "a certificate of its chain has expired",
            kind => fault(*kind),
        })
        .collect();
    if !problems.is_empty() {
        page.row("Problems", problems.join("; "));
    }
    page.row("SHA-256", clean(certificate.fingerprint));
    page
}

/// Whether the service's own certificate has expired.
fn has_expired(certificate: &Certificate<'_>) -> bool {
    certificate
        .not_after
        .is_some_and(|not_after| not_after <= certificate.now)
}

fn headline(certificate: &Certificate<'_>) -> (String, Tone, String) {
    let expired = has_expired(certificate);
    // The one that decides: an expiry comes first of all, also that of an issuer's certificate.
    match (certificate.not_after, certificate.errors.first()) {
        (Some(not_after), _) if expired => (
            "Certificate has expired".to_owned(),
            Tone::Bad,
            format!(
                "It expired on {}. Visitors are warned away until it is replaced.",
                day(not_after)
            ),
        ),
        (not_after, Some(ErrorKind::CertExpired)) => (
            "Certificate chain has expired".to_owned(),
            Tone::Bad,
            expired_chain(not_after),
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

/// The probe saw an expired certificate, and the service's own has not expired.
fn expired_chain(not_after: Option<Time>) -> String {
    let own = not_after.map_or_else(String::new, |not_after| {
        format!(
            ", though the service's own is valid until {}",
            day(not_after)
        )
    });
    format!(
        "A certificate of the chain (an intermediate) has expired{own}. Visitors are warned away \
         until the server sends a new one."
    )
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
