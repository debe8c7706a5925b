//! Decides when every service is probed, and hands the jobs to the probers.
//!
//! It probes nothing, judges nothing and keeps nothing in memory: what is due follows from
//! arithmetic over spans ([`models::slot`]), how far it got stands in `schedule_cursor`, and
//! probes outside the schedule stand in `extra_probes`. So any number of schedulers work side by
//! side, and one that is killed repeats at most one window, with the same probe ids.
//!
//! Start with `tick.rs` (the schedule), then `extra.rs` (first, manual, confirm, catchup probes),
//! `batch.rs` (how jobs travel), and `retention.rs` (what is dropped when its time is over).

mod batch;
mod config;
mod extra;
mod metric;
mod missed;
mod plan;
mod ready;
mod retention;
mod tick;

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bus, BusConfig, Declares, Route};
use db::{Db, Settings};
use models::signature::Keys;
use runtime::env::KeyPair;
use runtime::{Clock, OpsServer, Readiness, Shutdown};
use secrecy::ExposeSecret;

pub use config::Config;

/// Connections to PostgreSQL: the schedule, extra probes, upkeep, readiness and the clock use one
/// each at a time.
const MAX_CONNECTIONS: usize = 6;

/// What all parts of the process work with.
#[derive(Debug, Clone)]
struct Parts {
    db: Db,
    bus: Bus,
    clock: Clock,
    shutdown: Shutdown,
    regions: Arc<[String]>,
    /// Sign every job.
    keys: Arc<Keys>,
}

/// Runs one scheduler until `shutdown` is requested. Waits for PostgreSQL, its schema and RabbitMQ
/// where they are away.
///
/// # Errors
/// When the ops port cannot be opened, or a setting can never work.
pub async fn run(config: Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<()> {
    let readiness = Readiness::new(&ready::DEPENDENCIES, shutdown.clone());
    let ops = OpsServer::start(config.ops, readiness.clone())
        .await
        .context("open the ops port")?;
    let parts = connect(&config, clock, shutdown)?;
    let watching = tokio::spawn(ready::watch(parts.clone(), readiness));
    let time = tokio::spawn(keep_time(parts.clone()));
    if ready::schema_is_there(&parts).await {
        let requests = parts.bus.subscribe(Route::ProbeRequests, extra::PREFETCH);
        let schedule = tokio::spawn(tick::run(parts.clone()));
        let extra = tokio::spawn(extra::run(parts.clone(), requests));
        let upkeep = tokio::spawn(retention::run(parts.clone(), retention::Keep::of(&config)));
        // One that panics ends the process at once: the others alone would look healthy.
        tokio::try_join!(schedule, extra, upkeep).context("a part of the scheduler died")?;
    }
    let (watching, time) = tokio::join!(watching, time);
    watching.and(time).context("a part of the scheduler died")?;
    let Parts { db, bus, .. } = parts;
    bus.close().await;
    db.close().await;
    ops.stop().await;
    Ok(())
}

fn connect(config: &Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<Parts> {
    let settings = Settings::from_url(&config.database.connection_url())
        .context("the database's address")?
        .application_name("pulsemon-scheduler")
        .max_connections(MAX_CONNECTIONS);
    let bus = Bus::connect(BusConfig {
        amqp_url: config.broker.amqp_url.clone(),
        ca_file: config.broker.ca_file.clone(),
        process_name: "pulsemon-scheduler",
        declares: Declares::Topology {
            regions: config.regions.clone(),
        },
    })?;
    Ok(Parts {
        db: Db::connect(&settings)?,
        bus,
        clock,
        shutdown,
        regions: config.regions.clone().into(),
        keys: keys(&config.signing)?.into(),
    })
}

fn keys(pair: &KeyPair) -> anyhow::Result<Keys> {
    let previous = pair.previous.as_ref().map(ExposeSecret::expose_secret);
    let current = pair.current.expose_secret();
    Keys::new(current.as_bytes(), previous.map(str::as_bytes)).context("the key that signs jobs")
}

async fn keep_time(parts: Parts) {
    let Parts {
        db,
        clock,
        shutdown,
        ..
    } = parts;
    let set = |measured: db::time::Measured| {
        clock.set_server_time(measured.server_now, measured.asked, measured.answered);
    };
    db::time::keep_clock(db, db::time::MEASURE_EVERY, set, shutdown.requested()).await;
}
