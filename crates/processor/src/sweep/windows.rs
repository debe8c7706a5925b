//! Cached windows follow the time: once an hour they are computed anew from the rollups. An SLA
//! may fall below its target (or come back to it) by that alone.

use std::collections::{BTreeMap, BTreeSet};

use db::Conn;
use models::Time;
use models::evaluate::judge_sla;
use models::sla::Checks;
use models::window::hour_of;
use uuid::Uuid;

use crate::batch::Failed;
use crate::fold::{Changes, Known, Latencies, NewAlert, NewState};
use crate::nudge::Nudger;
use crate::rollup;
use crate::rows;
use crate::worker::Worker;
use crate::write;

/// Rows of one transaction: some 80 rollups each.
const ROWS: i64 = 100;
/// Transactions of one sweep; the next goes on.
const TRANSACTIONS: usize = 5;

/// What a transaction of a sweep came to.
#[derive(Debug, Default)]
pub(super) struct Renewed {
    /// Rows that it took.
    pub(super) rows: u64,
    /// Alerts to be sent now.
    pub(super) alerts: Vec<Uuid>,
}

/// Computes the windows that were computed in an earlier hour, or never.
pub(super) async fn renew(worker: &Worker, nudger: &Nudger) -> Result<(), Failed> {
    for _ in 0..TRANSACTIONS {
        let now = worker.clock.now();
        let renewed = worker
            .db
            .transaction(async |conn: &mut Conn| renew_some(conn, worker, now).await)
            .await?;
        nudger.nudge(&renewed.alerts);
        metrics::counter!("pulsemon_processor_windows_renewed_total").increment(renewed.rows);
        if i64::try_from(renewed.rows).is_ok_and(|rows| rows < ROWS) {
            break;
        }
    }
    Ok(())
}

async fn renew_some(conn: &mut Conn, worker: &Worker, now: Time) -> Result<Renewed, Failed> {
    let locked = db::health::fold::lock_unwindowed(conn, hour_of(now), ROWS).await?;
    if locked.is_empty() {
        return Ok(Renewed::default());
    }
    let services: BTreeSet<Uuid> = locked.iter().map(|row| row.service_id).collect();
    let services: Vec<Uuid> = services.into_iter().collect();
    Ok(Renewed {
        rows: rows::count(locked.len()),
        alerts: compute(conn, worker, &services, now).await?,
    })
}

/// Computes the windows of services whose health rows are locked, and judges their SLA by them.
/// Answers with the alerts to be sent now.
pub(super) async fn compute(
    conn: &mut Conn,
    worker: &Worker,
    services: &[Uuid],
    now: Time,
) -> Result<Vec<Uuid>, Failed> {
    let mut known = Known::read(conn, services).await?;
    let mut open = open_checks(conn, services).await?;
    let mut windows = rollup::windows(conn, services, worker.rules.sla_window, now).await?;
    let mut changes = Changes::default();
    for (service_id, service) in &mut known.services {
        let window = windows.remove(service_id).unwrap_or_default();
        service.state.day = window.day;
        service.state.sla = window.sla.checks;
        let open = open.remove(service_id).unwrap_or_default();
        let alert = judge_sla(&mut service.state, open, &service.watched, &worker.rules);
        changes.alerts.extend(alert.map(|raised| NewAlert {
            service_id: *service_id,
            raised,
        }));
        changes.states.push(NewState {
            service_id: *service_id,
            state: service.state.clone(),
            latencies: Latencies::Replace(window.sla),
        });
    }
    let alerts = write::write(conn, &known, changes, worker.cooldown, now).await?;
    db::service_state::fold::note_window(conn, services, now, hour_of(now)).await?;
    Ok(alerts)
}

/// What the open hours hold, over all regions.
async fn open_checks(conn: &mut Conn, services: &[Uuid]) -> Result<BTreeMap<Uuid, Checks>, Failed> {
    let mut open: BTreeMap<Uuid, Checks> = BTreeMap::new();
    for row in db::health::of_services(conn, services).await? {
        let health = rows::health(row)?;
        let checks = open.entry(health.service_id.as_uuid()).or_default();
        *checks = checks.plus(health.open.checks);
    }
    Ok(open)
}
