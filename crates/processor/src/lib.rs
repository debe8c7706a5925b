//! Turns results into what tenants see: rows, streaks, incidents, sums, certificates, alerts.
//!
//! It probes nothing and sends no mail. One transaction takes a batch of results whole; the rules
//! themselves are pure and live in `models`. Any number of processors work side by side, and any
//! of them may die at any moment: a result is acked after its commit, and counts once however
//! often it comes.
//!
//! Start with `consume.rs` (collect, commit, ack), then `batch.rs` (the transaction), `fold.rs`
//! (the rules' door), `opinion.rs` (second opinions), `write.rs` and `raise.rs` (what is written); `rollup.rs` keeps the sums of
//! closed hours, `sweep.rs` does what no result triggers.

mod batch;
mod config;
mod consume;
mod fold;
mod intake;
mod nudge;
mod opinion;
mod pending;
mod raise;
mod rollup;
mod rows;
mod sweep;
mod validate;
mod watch;
mod worker;
mod write;

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bus, BusConfig, Declares};
use db::{Db, Gate};
use models::signature::Keys;
use runtime::env::KeyPair;
use runtime::{Clock, OpsServer, Readiness, Shutdown};
use secrecy::ExposeSecret;

pub use config::Config;

use consume::Consumer;
use watch::{BROKER, DATABASE, PARTITIONS, RESULTS};
use worker::Worker;

/// As others know this process.
const NAME: &str = "pulsemon-processor";
/// One for results, one for sweeps, one to look at the clock and the schema.
const CONNECTIONS: usize = 4;

/// Runs the process until `shutdown` is requested, then drains.
///
/// # Errors
/// When the ops port cannot be opened or a setting cannot be used. A database or a broker that is
/// away is waited for.
pub async fn run(config: Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<()> {
    let dependencies = [DATABASE, BROKER, PARTITIONS, RESULTS];
    let readiness = Readiness::new(&dependencies, shutdown.clone());
    readiness.set_ready(PARTITIONS); // until a result finds none
    readiness.set_ready(RESULTS); // until a batch is held
    let ops = OpsServer::start(config.ops, readiness.clone())
        .await
        .context("open the ops port")?;
    let bus = connect_bus(&config)?;
    let worker = Arc::new(worker(&config, clock)?);

    let work = Box::pin(work(&worker, &bus, readiness, &shutdown));
    if let Err(late) = shutdown.drain(work).await {
        tracing::warn!(%late, "a batch was cut off: its results come again");
    }

    bus.close().await;
    worker.db.close().await;
    ops.stop().await;
    Ok(())
}

/// All that the process does, until it was asked to stop and has finished what was in flight.
async fn work(worker: &Arc<Worker>, bus: &Bus, readiness: Readiness, shutdown: &Shutdown) {
    let (nudger, nudges) = nudge::queue();
    let stop = || shutdown.clone();
    let worker = || Arc::clone(worker);
    let consumer = Consumer {
        worker: worker(),
        nudger: nudger.clone(),
        readiness: readiness.clone(),
        shutdown: stop(),
    };
    tokio::join!(
        consume::results(consumer, bus.clone()),
        sweep::sweep(worker(), nudger, stop()),
        nudge::publish(bus.clone(), nudges),
        watch::database(worker(), readiness.clone(), stop()),
        watch::broker(bus.clone(), readiness, stop()),
        watch::clock(worker(), stop()),
    );
}

fn connect_bus(config: &Config) -> anyhow::Result<Bus> {
    let config = BusConfig {
        amqp_url: config.broker.amqp_url.clone(),
        ca_file: config.broker.ca_file.clone(),
        process_name: NAME,
        declares: Declares::default_region(),
    };
    Bus::connect(config).context("read the broker's settings")
}

fn worker(config: &Config, clock: Clock) -> anyhow::Result<Worker> {
    let settings = db::Settings::from_url(&config.database.connection_url())
        .context("read the database's settings")?
        .application_name(NAME)
        .max_connections(CONNECTIONS);
    Ok(Worker {
        db: Db::connect(&settings).context("set up the database pool")?,
        clock,
        rules: config.rules,
        cooldown: config.cooldown,
        retention: config.retention,
        keys: keys(&config.signing)?,
        gate: Gate::closed(),
    })
}

fn keys(pair: &KeyPair) -> anyhow::Result<Keys> {
    let previous = pair.previous.as_ref().map(ExposeSecret::expose_secret);
    let current = pair.current.expose_secret();
    Keys::new(current.as_bytes(), previous.map(str::as_bytes)).context("the keys that sign jobs")
}
