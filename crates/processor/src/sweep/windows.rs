//! Cached windows follow the time: once an hour they are computed anew from the rollups. An SLA
//! may fall below its target (or come back to it) by that alone.

use std::collections::{BTreeMap, BTreeSet};

use db::Conn;
use models::Time;
use models::evaluate::{Rules, judge_sla, needs_doubts};
use models::health::Health;
use models::sla::Checks;
use models::window::hour_of;
use uuid::Uuid;

use crate::batch::Failed;
use crate::fold::{Changes, Known, Latencies, NewAlert, NewState};
use crate::nudge::Nudger;
use crate::pending;
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
    let health = health(conn, services).await?;
    let mut windows = rollup::windows(conn, services, worker.rules.sla_window, now).await?;
    for (service_id, service) in &mut known.services {
        let window = windows.entry(*service_id).or_default();
        service.state.day = window.day;
        service.state.sla = window.sla.checks;
    }
    let doubts = doubts(conn, &known, &health, &worker.rules, now).await?;
    let mut changes = Changes::default();
    for (service_id, service) in &mut known.services {
        let window = windows.remove(service_id).unwrap_or_default();
        let open = open_checks(&health, *service_id);
        let (state, watched) = (&mut service.state, &service.watched);
        let doubtful = doubts.get(service_id).copied().unwrap_or(0);
        let alert = judge_sla(state, open, doubtful, watched, &worker.rules);
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

/// The services' health, of all regions.
async fn health(conn: &mut Conn, services: &[Uuid]) -> Result<Vec<Health>, Failed> {
    let rows = db::health::of_services(conn, services).await?;
    rows.into_iter().map(|row| Ok(rows::health(row)?)).collect()
}

/// What the open hours of a service hold, over all regions.
fn open_checks(health: &[Health], service_id: Uuid) -> Checks {
    health
        .iter()
        .filter(|health| health.service_id.as_uuid() == service_id)
        .fold(Checks::default(), |sum, health| {
            sum.plus(health.open.checks)
        })
}

/// How many failures are in doubt, by service; of those only whose breach may be told.
async fn doubts(
    conn: &mut Conn,
    known: &Known,
    health: &[Health],
    rules: &Rules,
    now: Time,
) -> Result<BTreeMap<Uuid, u64>, Failed> {
    let may_be_told = |service_id: Uuid| {
        known.services.get(&service_id).is_some_and(|service| {
            let open = open_checks(health, service_id);
            needs_doubts(&service.state, open, &service.watched, rules, (&[], &[]))
        })
    };
    let asked: Vec<Health> = health
        .iter()
        .filter(|health| may_be_told(health.service_id.as_uuid()))
        .cloned()
        .collect();
    let mut doubts = BTreeMap::new();
    for ((service_id, _), pending) in pending::of_places(conn, known, &asked, now).await? {
        *doubts.entry(service_id).or_default() += rows::count(pending.len());
    }
    Ok(doubts)
}
