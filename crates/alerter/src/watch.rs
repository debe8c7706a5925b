//! What runs beside the lanes: the release of held alerts, the gauges, and who answers.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use db::deliveries::claim::oldest_due;
use runtime::{Readiness, Shutdown};
use tokio::sync::Notify;

use crate::held;
use crate::lane::{DATABASE_PAUSES, Lane};
use crate::worker::Worker;

/// Names on `/readyz`.
pub(crate) const DATABASE: &str = "postgres";
pub(crate) const BROKER: &str = "rabbitmq";

/// How often the database is asked how it is.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How often the backlog is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// Judges held alerts at the end of their cooldown, within about a second of it.
pub(crate) async fn held_alerts(worker: Arc<Worker>, wake: Arc<Notify>, shutdown: Shutdown) {
    let mut failures = 0;
    loop {
        let pause = if failures == 0 {
            worker.sweep_pause()
        } else {
            DATABASE_PAUSES.jittered(failures)
        };
        if sleep(pause, &shutdown).await.is_err() {
            return;
        }
        if !worker.gate.is_open() {
            continue;
        }
        match held::sweep(&worker).await {
            Ok(any_released) => {
                failures = 0;
                if any_released {
                    wake.notify_one();
                }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, "cannot judge held alerts yet");
            }
        }
    }
}

/// Keeps the gauge of the longest waiting delivery of each lane.
pub(crate) async fn backlog(worker: Arc<Worker>, shutdown: Shutdown) {
    while sleep(MEASURE_EVERY, &shutdown).await.is_ok() {
        if !worker.gate.is_open() {
            continue;
        }
        for lane in [Lane::Alert, Lane::Account] {
            match oldest(&worker, lane).await {
                Ok(seconds) => {
                    metrics::gauge!("pulsemon_alerter_oldest_due_seconds", "lane" => lane.as_str())
                        .set(seconds);
                }
                Err(error) => tracing::debug!(%error, "cannot measure the backlog"),
            }
        }
    }
}

async fn oldest(worker: &Worker, lane: Lane) -> Result<f64, db::Error> {
    let now = worker.clock.now();
    let mut conn = worker.db.conn().await?;
    let oldest = oldest_due(&mut conn, lane.as_str(), now).await?;
    let age = oldest.and_then(|at| (now - at).to_std().ok());
    Ok(age.map_or(0.0, |age| age.as_secs_f64()))
}

/// Keeps readiness and the gate by the database's schema.
pub(crate) async fn database(worker: Arc<Worker>, readiness: Readiness, shutdown: Shutdown) {
    loop {
        let state = db::migrations::check(&worker.db).await;
        worker.gate.schema_is(&state);
        if state.is_current() {
            readiness.set_ready(DATABASE);
        } else {
            readiness.set_not_ready(DATABASE, state.to_string());
        }
        if sleep(CHECK_EVERY, &shutdown).await.is_err() {
            return;
        }
    }
}

/// Keeps readiness by the broker. Without it nothing is lost: the sweeps find every row.
pub(crate) async fn broker(bus: Bus, readiness: Readiness, shutdown: Shutdown) {
    let mut status = bus.status();
    loop {
        match status.borrow_and_update().trouble() {
            None => readiness.set_ready(BROKER),
            Some(reason) => readiness.set_degraded(BROKER, reason),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

/// `Err` once asked to stop.
async fn sleep(pause: Duration, shutdown: &Shutdown) -> Result<(), ()> {
    tokio::select! {
        () = shutdown.requested() => Err(()),
        () = tokio::time::sleep(pause) => Ok(()),
    }
}
