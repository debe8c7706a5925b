//! An incident opened.

use models::Time;
use models::alert::FailedCheck;
use models::probe::Phases;

use super::words::{checks, clean, millis, moment, span};
use super::{Page, Tone};

/// The streak, with what is known of its end.
pub(super) struct Streak<'a> {
    pub(super) name: &'a str,
    pub(super) started_at: Time,
    pub(super) failed_checks: u32,
    pub(super) last: &'a FailedCheck,
    pub(super) last_success_at: Option<Time>,
    /// Set where the service recovered before the mail went out.
    pub(super) ended_at: Option<Time>,
}

pub(super) fn page(streak: &Streak<'_>) -> Page {
    let name = streak.name;
    let seen = clean(&streak.last.message);
    let failed = checks(u64::from(streak.failed_checks));
    let since = moment(streak.started_at);
    let mut page = match streak.ended_at {
        None => Page {
            subject: format!("Down: {name}"),
            headline: format!("{name} is down"),
            tone: Tone::Bad,
            lead: format!("{failed} in a row failed since {since}: {seen}"),
            rows: Vec::new(),
        },
        Some(ended_at) => {
            let length = span(ended_at - streak.started_at);
            Page {
                subject: format!("Was down for {length}: {name}"),
                headline: format!("{name} was down"),
                tone: Tone::Bad,
                lead: format!(
                    "It was down from {since} to {} ({length}) and is up again. What was seen: {seen}",
                    moment(ended_at)
                ),
                rows: Vec::new(),
            }
        }
    };
    page.row("Down since", since);
    if let Some(ended_at) = streak.ended_at {
        page.row("Up again since", moment(ended_at));
    }
    page.row("What was seen", seen);
    page.row("Failed checks", streak.failed_checks.to_string());
    page.row("Last failed check", moment(streak.last.at));
    if let Some(phases) = phases(&streak.last.phases) {
        page.row("Its phases", phases);
    }
    let last_success = streak
        .last_success_at
        .map_or_else(|| "never seen up".to_owned(), moment);
    page.row("Last success before", last_success);
    page
}

/// The phases that were reached; `None` if none was.
fn phases(phases: &Phases) -> Option<String> {
    let reached = [
        ("DNS", phases.dns_us),
        ("connect", phases.connect_us),
        ("TLS", phases.tls_us),
        ("request", phases.request_us),
        ("first byte", phases.first_byte_us),
    ];
    let mut told: Vec<String> = reached
        .iter()
        .filter_map(|(label, us)| us.map(|us| format!("{label} {}", millis(us))))
        .collect();
    if told.is_empty() {
        return None;
    }
    if phases.total_us > 0 {
        told.push(format!("total {}", millis(phases.total_us)));
    }
    Some(told.join(", "))
}
