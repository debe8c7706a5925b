//! SLA breaches: the edge below the target is told once, the edge back arms the next.
//!
//! What is in doubt may still turn out to be nothing, so it tips neither edge: a breach is told
//! when what is beyond doubt is below the target, and is over when everything is at it.

use super::{Arrived, Raised, Rules, State, Watched, sentence};
use crate::alert::{AlertEvent, AlertKind};
use crate::cooldown::breach_key;
use crate::opinion::Doubted;
use crate::sla::Checks;

/// Compares the SLA with its target, after a result or after the window moved. `open` are the
/// checks of the hours that are not closed yet, `doubtful` so many failures of all are in doubt.
/// While the service is paused nothing is compared: a breach that nobody can be told of would be
/// told to nobody after the resume either.
pub fn judge(
    state: &mut State,
    open: Checks,
    doubtful: u64,
    service: &Watched,
    rules: &Rules,
) -> Option<Raised> {
    if !service.is_active {
        return None;
    }
    let all = state.sla.plus(open);
    let certain = all.without_failures(doubtful);
    let was_breached = state.sla_breached;
    let judged = if was_breached { all } else { certain };
    state.sla_breached = judged.breaches(service.sla_target, rules.sla_min_checks);
    if was_breached || !state.sla_breached {
        return None;
    }
    state.sla_breaches = state.sla_breaches.saturating_add(1);
    let sla = certain.sla().map_or(0, |sla| sla.get());
    let target = service.sla_target.hundredths();
    Some(Raised {
        kind: AlertKind::SlaBreach,
        dedupe_key: breach_key(state.sla_breaches),
        incident: None,
        message: sentence::sla_breach(&service.name, sla, target, rules.sla_window_days),
        event: AlertEvent::SlaBreach {
            sla,
            target,
            judged: certain.judged,
            failed: certain.failed,
            window_days: rules.sla_window_days,
        },
    })
}

/// Whether it has to be known what is in doubt: only then may a breach be told, after `voided` have
/// left the sums or any of `arrived` has joined them.
#[must_use]
pub fn needs_doubts(
    state: &State,
    open: Checks,
    service: &Watched,
    rules: &Rules,
    (voided, arrived): (&[Doubted], &[Arrived<'_>]),
) -> bool {
    if !service.is_active {
        return false;
    }
    let mut total = state.sla.plus(open);
    for _ in voided.iter().filter(|failure| failure.counted) {
        total.void_failure();
    }
    let mut was_breached = state.sla_breached;
    let mut rises = |total: Checks| {
        let is_breached = total.breaches(service.sla_target, rules.sla_min_checks);
        is_breached && !std::mem::replace(&mut was_breached, is_breached)
    };
    let mut counted = arrived.iter().filter(|arrived| arrived.verdict.counted);
    rises(total)
        || counted.any(|arrived| {
            total.count(arrived.result.outcome);
            rises(total)
        })
}
