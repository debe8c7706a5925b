//! SLA breaches: the edge below the target is told once, the edge back arms the next.

use super::{Raised, Rules, State, Watched, sentence};
use crate::alert::{AlertEvent, AlertKind};
use crate::cooldown::breach_key;
use crate::sla::Checks;

/// Compares the SLA with its target, after a result or after the window moved. `open` are the
/// checks of the hours that are not closed yet. While the service is paused nothing is compared:
/// a breach that nobody can be told of would be told to nobody after the resume either.
pub fn judge(state: &mut State, open: Checks, service: &Watched, rules: &Rules) -> Option<Raised> {
    if !service.is_active {
        return None;
    }
    let total = state.sla.plus(open);
    let is_breached = total.breaches(service.sla_target, rules.sla_min_checks);
    let was_breached = std::mem::replace(&mut state.sla_breached, is_breached);
    if was_breached || !is_breached {
        return None;
    }
    state.sla_breaches = state.sla_breaches.saturating_add(1);
    let sla = total.sla().map_or(0, |sla| sla.get());
    let target = service.sla_target.hundredths();
    Some(Raised {
        kind: AlertKind::SlaBreach,
        dedupe_key: breach_key(state.sla_breaches),
        incident: None,
        message: sentence::sla_breach(&service.name, sla, target, rules.sla_window_days),
        event: AlertEvent::SlaBreach {
            sla,
            target,
            judged: total.judged,
            failed: total.failed,
            window_days: rules.sla_window_days,
        },
    })
}
