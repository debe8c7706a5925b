//! An incident closed.

use models::Time;
use models::probe::ErrorKind;

use super::words::{checks, clean, millis, moment, span};
use super::{Page, Tone};

/// The whole incident.
pub(super) struct Outage<'a> {
    pub(super) name: &'a str,
    pub(super) started_at: Time,
    pub(super) ended_at: Time,
    pub(super) failed_checks: u32,
    /// The first failure's kind and sentence; the sentence may be missing.
    pub(super) cause: (ErrorKind, &'a str),
    pub(super) latency_us: Option<u32>,
}

pub(super) fn page(outage: &Outage<'_>) -> Page {
    let name = outage.name;
    let length = span(outage.ended_at - outage.started_at);
    let failed = checks(u64::from(outage.failed_checks));
    let mut page = Page {
        subject: format!("Up again after {length}: {name}"),
        headline: format!("{name} is up again"),
        tone: Tone::Good,
        lead: format!("It was down for {length}; {failed} failed."),
        rows: Vec::new(),
    };
    page.row("Down since", moment(outage.started_at));
    page.row("Up again since", moment(outage.ended_at));
    page.row("Lasted", length);
    page.row("Failed checks", outage.failed_checks.to_string());
    let (kind, sentence) = outage.cause;
    let seen = match clean(sentence) {
        sentence if sentence.is_empty() => kind.as_str().replace('_', " "),
        sentence => sentence,
    };
    page.row("What was seen", seen);
    if let Some(latency_us) = outage.latency_us {
        page.row("Answers in", millis(latency_us));
    }
    page
}
