//! Open hours of services that fell silent go to the rollups.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use db::Conn;
use models::Time;
use models::window::hour_of;
use uuid::Uuid;

use super::windows::{self, Renewed};
use crate::batch::Failed;
use crate::nudge::Nudger;
use crate::rollup;
use crate::rows;
use crate::worker::Worker;

/// Rows of one transaction.
const ROWS: i64 = 100;
/// Transactions of one sweep; the next goes on.
const TRANSACTIONS: usize = 10;
/// The hour's last results are on their way for a while.
const GRACE: TimeDelta = TimeDelta::minutes(5);

/// Closes the open hours that no later result has closed.
pub(super) async fn close_silent(worker: &Worker, nudger: &Nudger) -> Result<(), Failed> {
    for _ in 0..TRANSACTIONS {
        let now = worker.clock.now();
        let closed = worker
            .db
            .transaction(async |conn: &mut Conn| close(conn, worker, now).await)
            .await?;
        nudger.nudge(&closed.alerts);
        metrics::counter!("pulsemon_processor_hours_swept_total").increment(closed.rows);
        if i64::try_from(closed.rows).is_ok_and(|rows| rows < ROWS) {
            break;
        }
    }
    Ok(())
}

async fn close(conn: &mut Conn, worker: &Worker, now: Time) -> Result<Renewed, Failed> {
    let mut closed = Vec::new();
    let mut rows = Vec::new();
    let mut services = BTreeSet::new();
    for row in db::health::fold::lock_silent(conn, hour_of(now - GRACE), ROWS).await? {
        let mut health = rows::health(row)?;
        let place = (health.service_id.as_uuid(), health.region.clone());
        services.insert(place.0);
        let hour = health.close_hour();
        closed.extend(hour.map(|hour| (place, hour)));
        rows.push(rows::health_row(&health));
    }
    if rows.is_empty() {
        return Ok(Renewed::default());
    }
    db::health::fold::write(conn, &rows).await?;
    rollup::add(conn, &closed, now).await?;
    // At once: an hour that is neither open nor in a window would be missing from the SLA.
    let services: Vec<Uuid> = services.into_iter().collect();
    let alerts = windows::compute(conn, worker, &services, now).await?;
    Ok(Renewed {
        rows: rows::count(rows.len()),
        alerts,
    })
}
