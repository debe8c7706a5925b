//! Held alerts at the end of their cooldown: still true, then they go and the cooldown begins
//! anew; else they are suppressed, and so is the recovery that waits for them.

use db::alerts::held::{self as rows, CooldownStarts, HeldAlert, HeldDue, HeldState};
use models::Time;
use models::alert::AlertKind;
use models::cooldown::{Present, Stamps, is_still_true};
use models::id::IncidentId;

use crate::worker::Worker;

/// Alerts looked at in one sweep; what is left comes with the next, a second later.
const MAX_HELD: i64 = 200;

/// What became of a held alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Released,
    Suppressed,
    /// Another alerter, or a pause, was first.
    Gone,
}

/// Judges every held alert whose cooldown has ended. Returns whether any was released.
pub(crate) async fn sweep(worker: &Worker) -> Result<bool, db::Error> {
    let now = worker.clock.now();
    let due = {
        let mut conn = worker.db.conn().await?;
        rows::held_due(&mut conn, now, MAX_HELD).await?
    };
    let mut any_released = false;
    for held in due {
        let outcome = worker
            .db
            .transaction(async |conn: &mut db::Conn| end_hold(conn, held, now).await)
            .await?;
        any_released |= outcome == Outcome::Released;
        let result = match outcome {
            Outcome::Released => "released",
            Outcome::Suppressed => "suppressed",
            Outcome::Gone => continue,
        };
        metrics::counter!("pulsemon_alerter_held_total", "result" => result).increment(1);
        tracing::info!(alert.id = %held.alert_id, result, "a held alert was judged again");
    }
    Ok(any_released)
}

/// Locks go by the one order: the service's state, then the alert, then its deliveries.
async fn end_hold(conn: &mut db::Conn, held: HeldDue, now: Time) -> Result<Outcome, db::Error> {
    let state = rows::lock_state(conn, held.service_id).await?;
    let Some(alert) = rows::lock_held(conn, held.alert_id, now).await? else {
        return Ok(Outcome::Gone);
    };
    let starts = state.and_then(|state| release(&alert, &state, now));
    let Some(starts) = starts else {
        rows::suppress(conn, held.alert_id, "no longer true after its cooldown").await?;
        return Ok(Outcome::Suppressed);
    };
    rows::release(conn, held, starts, now).await?;
    Ok(Outcome::Released)
}

/// The new cooldown if the alert is to go, else `None`.
fn release(alert: &HeldAlert, state: &HeldState, now: Time) -> Option<CooldownStarts> {
    let kind = AlertKind::from_name(&alert.alert_type)?;
    let present = Present {
        incident: state.incident_id.map(IncidentId),
        sla_breached: state.sla_breached,
        sla_breaches: u32::try_from(state.sla_breaches).unwrap_or(0),
    };
    if !state.is_active || !is_still_true(kind, &alert.dedupe_key, present) {
        return None;
    }
    let mut stamps = Stamps {
        failure_alerted_at: state.failure_alerted_at,
        sla_alerted_at: state.sla_alerted_at,
    };
    stamps.release(kind, now);
    Some(CooldownStarts {
        failure_alerted_at: stamps.failure_alerted_at,
        sla_alerted_at: stamps.sla_alerted_at,
    })
}
