//! An alert's facts become a subject, a text and an HTML part that a person on a phone
//! understands at once.
//!
//! Pure: the same arguments give the same bytes. One file a kind says what is told (a `Page`),
//! the two templates say how it looks. Tenants' strings pass through `words::clean` here and
//! through the template's escaping in HTML.

pub mod account;
mod failure_streak;
mod recovery;
mod sla_breach;
mod ssl_expiry;
mod words;

use askama::Template;
use models::Time;
use models::alert::{AlertEvent, AlertFacts};

/// What became of the incident since the alert was raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IncidentNow {
    /// When it ended, if it has.
    pub ended_at: Option<Time>,
    /// Failed checks counted so far; 0 if unknown.
    pub failed_checks: u32,
}

/// The three parts of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line of at most [`MAX_SUBJECT`] characters, without control characters.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part: self-contained, nothing is loaded from anywhere.
    pub html: String,
}

/// Longest subject, in characters.
pub const MAX_SUBJECT: usize = 200;

/// Names are cut to this many characters in subjects and headlines, so that what comes after
/// them is still seen.
const MAX_NAME: usize = 100;

/// What colour a page has, and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Bad,
    Good,
    Warning,
}

impl Tone {
    /// White text on it reads well, and it reads well on white and on black.
    const fn colour(self) -> &'static str {
        match self {
            Self::Bad => "#c62828",
            Self::Good => "#2e7d32",
            Self::Warning => "#b45309",
        }
    }
}

/// One line of the table of facts.
struct Row {
    label: &'static str,
    value: String,
}

/// What a mail says, before it has a form. Strings of tenants in it are clean, not escaped.
struct Page {
    subject: String,
    headline: String,
    tone: Tone,
    lead: String,
    rows: Vec<Row>,
}

impl Page {
    fn row(&mut self, label: &'static str, value: impl Into<String>) {
        self.rows.push(Row {
            label,
            value: value.into(),
        });
    }
}

#[derive(Template)]
#[template(path = "alert.html")]
struct Html<'a> {
    page: &'a Page,
    link: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "alert.txt")]
struct Text<'a> {
    page: &'a Page,
    link: Option<&'a str>,
}

/// Renders an alert as it reads at `now`. `link` leads to the service's dashboard.
///
/// # Errors
/// Only if a template fails, which writing to memory does not.
pub fn alert(
    facts: &AlertFacts,
    incident: IncidentNow,
    link: Option<&str>,
    now: Time,
) -> Result<Rendered, askama::Error> {
    let name = words::name(&facts.service.name);
    let mut page = page(&name, facts.event.clone(), incident, now);
    page.row("Service", words::clean(&facts.service.name));
    page.row("URL", words::clean(&facts.service.url));
    page.subject = words::subject(&page.subject);
    let html = Html { page: &page, link }.render()?;
    let text = Text { page: &page, link }.render()?;
    Ok(Rendered {
        subject: page.subject,
        text,
        html,
    })
}

/// What the mail says about this kind of event. A certificate's remaining days count from `now`, not from the raise.
fn page(name: &str, event: AlertEvent, incident: IncidentNow, now: Time) -> Page {
    match event {
        AlertEvent::FailureStreak {
            started_at,
            failed_checks,
            last,
            last_success_at,
        } => failure_streak::page(&failure_streak::Streak {
            name,
            started_at,
            failed_checks: incident.failed_checks.max(failed_checks),
            last: &last,
            last_success_at,
            ended_at: incident.ended_at,
        }),
        AlertEvent::Recovery {
            started_at,
            ended_at,
            failed_checks,
            cause,
            cause_message,
            latency_us,
        } => recovery::page(&recovery::Outage {
            name,
            started_at,
            ended_at,
            failed_checks,
            cause: (cause, &cause_message),
            latency_us,
        }),
        AlertEvent::SlaBreach {
            sla,
            target,
            judged,
            failed,
            window_days,
        } => sla_breach::page(&sla_breach::Breach {
            name,
            sla,
            target,
            failed_of: (failed, judged),
            window_days,
        }),
        AlertEvent::SslExpiry {
            fingerprint,
            not_after,
            issuer,
            subject,
            errors,
            ..
        } => ssl_expiry::page(&ssl_expiry::Certificate {
            name,
            fingerprint: &fingerprint,
            not_after,
            names: (subject.as_deref(), issuer.as_deref()),
            errors: &errors,
            now,
        }),
    }
}

#[cfg(test)]
mod tests;
