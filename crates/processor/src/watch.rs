//! Who answers: readiness by the database and the broker, and the clock by the database.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use runtime::{Readiness, Shutdown};

use crate::worker::Worker;

/// Names on `/readyz`.
pub(crate) const DATABASE: &str = "postgres";
pub(crate) const BROKER: &str = "rabbitmq";
/// Red while results have no partition to go to: the scheduler's upkeep makes them.
pub(crate) const PARTITIONS: &str = "partitions";
/// Red while a batch of results is held, whatever the reason.
pub(crate) const RESULTS: &str = "results";

/// How often the database is asked how it is.
const CHECK_EVERY: Duration = Duration::from_secs(2);

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
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }
}

/// Keeps readiness by the broker: without it there is nothing to do.
pub(crate) async fn broker(bus: Bus, readiness: Readiness, shutdown: Shutdown) {
    let mut status = bus.status();
    loop {
        match status.borrow_and_update().trouble() {
            None => readiness.set_ready(BROKER),
            Some(reason) => readiness.set_not_ready(BROKER, reason),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps the clock by the database's.
pub(crate) async fn clock(worker: Arc<Worker>, shutdown: Shutdown) {
    let keeper = Arc::clone(&worker);
    let on_measure = move |measured: db::time::Measured| {
        keeper
            .clock
            .set_server_time(measured.server_now, measured.asked, measured.answered);
        keeper.gate.time_is_known();
    };
    let every = db::time::MEASURE_EVERY;
    db::time::keep_clock(worker.db.clone(), every, on_measure, shutdown.requested()).await;
}
