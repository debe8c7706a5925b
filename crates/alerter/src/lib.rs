//! Delivers alerts, and in a lane of its own account mail.
//!
//! The row in `deliveries` is the truth: a nudge from the broker only says when to look, and a
//! sweep finds what no nudge announced. A delivery is claimed in one short transaction that looks
//! at the world and takes a lease, sent outside any transaction, and written down under the fence
//! of its claim. Any number of alerters work side by side, and any of them may die at any moment.
//!
//! It raises no alerts (that is the processor's business) and keeps nothing in memory that a kill
//! may not take. Start with `lane.rs`, then `claim.rs`, `send.rs`, `retry.rs`; `held.rs` ends
//! cooldowns, `render.rs` says what a mail says, `channels.rs` how it leaves.

pub mod channels;
mod claim;
mod config;
mod held;
mod lane;
pub mod letter;
mod nudge;
pub mod render;
pub mod retry;
mod send;
mod watch;
mod worker;

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bus, BusConfig, Declares};
use db::{Db, Gate};
use models::mail_token::TokenKey;
use runtime::{Clock, OpsServer, Readiness, Shutdown};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

pub use config::{Config, Links, MailConfig, TransportConfig};

use lane::Lane;
use worker::Worker;

/// As others know this process.
const NAME: &str = "pulsemon-alerter";

/// Runs the process until `shutdown` is requested, then drains.
///
/// # Errors
/// When the ops port cannot be opened or a setting cannot be used. A database or a broker that is
/// away is waited for.
pub async fn run(config: Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<()> {
    let readiness = Readiness::new(&[watch::DATABASE, watch::BROKER], shutdown.clone());
    let ops = OpsServer::start(config.ops, readiness.clone())
        .await
        .context("open the ops port")?;
    let bus = connect_bus(&config)?;
    let worker = Arc::new(worker(config, clock).await?);
    tracing::info!(transport = worker.transport.name(), "mail goes out");

    let work = Box::pin(work(&worker, &bus, readiness, &shutdown));
    if let Err(late) = shutdown.drain(work).await {
        tracing::warn!(%late, "sends were cut off: their leases run out and others send again");
    }

    bus.close().await;
    worker.db.close().await;
    ops.stop().await;
    Ok(())
}

/// All that the process does, until it was asked to stop and has finished what was in flight.
async fn work(worker: &Arc<Worker>, bus: &Bus, readiness: Readiness, shutdown: &Shutdown) {
    let wake = Arc::new(Notify::new());
    let account_wake = Arc::new(Notify::new());
    let stop = || shutdown.clone();
    let worker = || Arc::clone(worker);
    tokio::join!(
        lane::work(worker(), Lane::Alert, Arc::clone(&wake), stop()),
        lane::work(worker(), Lane::Account, Arc::clone(&account_wake), stop()),
        nudge::listen(bus.clone(), Arc::clone(&wake), account_wake, stop()),
        watch::held_alerts(worker(), wake, stop()),
        watch::backlog(worker(), stop()),
        watch::database(worker(), readiness.clone(), stop()),
        watch::broker(bus.clone(), readiness, stop()),
        keep_clock(worker(), stop()),
    );
}

async fn keep_clock(worker: Arc<Worker>, shutdown: Shutdown) {
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

fn connect_bus(config: &Config) -> anyhow::Result<Bus> {
    let config = BusConfig {
        amqp_url: config.broker.amqp_url.clone(),
        ca_file: config.broker.ca_file.clone(),
        process_name: NAME,
        declares: Declares::default_region(),
    };
    Bus::connect(config).context("read the broker's settings")
}

async fn worker(config: Config, clock: Clock) -> anyhow::Result<Worker> {
    let settings = db::Settings::from_url(&config.database.connection_url())
        .context("read the database's settings")?
        .application_name(NAME);
    let keys = &config.token_keys;
    let keys = [Some(&keys.current), keys.previous.as_ref()];
    let token_keys = keys
        .into_iter()
        .flatten()
        .map(|key| TokenKey::new(key.expose_secret().as_bytes()));
    Ok(Worker {
        token_keys: token_keys.collect::<Result<_, _>>()?,
        verification: config.verification,
        db: Db::connect(&settings).context("set up the database pool")?,
        clock,
        transport: channels::Transport::open(&config.mail.transport).await?,
        from: config.mail.from,
        links: config.links,
        gate: Gate::closed(),
        sweep_every: config.sweep_every,
    })
}
