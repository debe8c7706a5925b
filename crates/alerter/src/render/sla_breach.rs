//! The SLA of the window fell below its target.

use super::words::percent;
use super::{Page, Tone};

/// The figures when it fell.
pub(super) struct Breach<'a> {
    pub(super) name: &'a str,
    pub(super) sla: u16,
    pub(super) target: u16,
    /// Failed checks, of so many judged.
    pub(super) failed_of: (u64, u64),
    pub(super) window_days: u16,
}

pub(super) fn page(breach: &Breach<'_>) -> Page {
    let name = breach.name;
    let (sla, target) = (percent(breach.sla), percent(breach.target));
    let mut page = Page {
        subject: format!("SLA at {sla}, below its target of {target}: {name}"),
        headline: format!("{name} is below its SLA target"),
        tone: Tone::Warning,
        lead: format!(
            "In the last {} days {sla} of the checks succeeded; the target is {target}.",
            breach.window_days
        ),
        rows: Vec::new(),
    };
    page.row("SLA", sla);
    page.row("Target", target);
    let (failed, judged) = breach.failed_of;
    page.row("Failed checks", format!("{failed} of {judged}"));
    page.row("Window", format!("last {} days", breach.window_days));
    page
}
