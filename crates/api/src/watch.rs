//! Looks after the dependencies: the database decides whether we are ready, the broker only how well.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::Data;
use bus::{Bus, BusStatus};
use db::SchemaState;
use runtime::Shutdown;
use tokio::sync::watch::Receiver;
use tokio::time::MissedTickBehavior;

use crate::app::Api;

/// The database, by the name it has on `/readyz`.
pub(crate) const POSTGRES: &str = "postgres";
/// The broker.
pub(crate) const RABBITMQ: &str = "rabbitmq";

/// How often the database is asked whether it answers and is migrated.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// Looks once, so that the first request finds things known, and goes on in tasks until `shutdown`.
pub(crate) async fn start(api: &Data<Api>, bus: &Bus, shutdown: &Shutdown) {
    check_database(api).await;
    api.tasks
        .spawn(watch_database(Data::clone(api), shutdown.clone()));
    api.tasks.spawn(watch_broker(
        Data::clone(api),
        bus.status(),
        shutdown.clone(),
    ));
    let clock = api.clock.clone();
    let stop = shutdown.clone();
    api.tasks.spawn(db::time::keep_clock(
        api.db.clone(),
        db::time::MEASURE_EVERY,
        move |measured| {
            clock.set_server_time(measured.server_now, measured.asked, measured.answered);
        },
        async move { stop.requested().await },
    ));
}

async fn watch_database(api: Data<Api>, shutdown: Shutdown) {
    let mut tick = tokio::time::interval(CHECK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await; // it was looked at a moment ago
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = check_database(&api) => {}
        }
    }
}

async fn check_database(api: &Api) {
    let state = db::migrations::check(&api.db).await;
    match &state {
        SchemaState::Current => {
            api.schema_is_current.store(true, Ordering::Release);
            api.readiness.set_ready(POSTGRES);
        }
        SchemaState::Behind { .. } | SchemaState::Ahead { .. } => {
            api.schema_is_current.store(false, Ordering::Release);
            api.readiness.set_not_ready(POSTGRES, state.to_string());
        }
        // The next request finds out for itself whether it is back.
        SchemaState::Unreachable { .. } => {
            api.readiness.set_not_ready(POSTGRES, state.to_string());
        }
    }
}

async fn watch_broker(api: Data<Api>, mut status: Receiver<BusStatus>, shutdown: Shutdown) {
    loop {
        match status.borrow_and_update().trouble() {
            None => api.readiness.set_ready(RABBITMQ),
            Some(reason) => api.readiness.set_degraded(RABBITMQ, reason),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}
