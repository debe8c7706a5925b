//! The HTTP API: accounts, services and what became of them.
//!
//! It reads and writes PostgreSQL, which is the truth, and nudges schedulers over the broker, which may be away. It
//! never probes, never sends mail, and never waits for either. Start with `routes.rs` (every route on one screen),
//! then a handler in `handlers/`, then `services.rs` (the transactions). Every failure is an `error::Problem`.

mod accounts;
mod app;
mod auth;
mod client;
mod config;
mod cursor;
mod error;
mod etag;
mod handlers;
mod idempotency;
mod input;
mod limits;
mod meters;
mod middleware;
mod nudge;
mod openapi;
mod pages;
mod paging;
mod problems;
mod reference;
mod reply;
mod routes;
mod server;
mod services;
mod turns;
mod views;
mod watch;

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use actix_web::web::Data;
use anyhow::Context as _;
use bus::{Bus, BusConfig, Declares};
use db::Db;
use models::mail_token::TokenKey;
use runtime::{Clock, OpsServer, Readiness, Shutdown};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use app::Api;
pub use auth::FirstAdmin;
pub use client::{NotAProxy, TrustedProxy};
pub use config::{AuthConfig, Config, Limits, Origins};
pub use limits::RateLimits;

/// Runs the process until `shutdown`.
///
/// # Errors
/// When a port can't be opened, or the settings can't be used. A database or broker that is away is waited for.
pub async fn run(config: Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("listen on {} (APP_BIND, APP_PORT)", config.listen))?;
    run_on(listener, config, clock, shutdown).await
}

/// [`run`] on a listener that the caller opened, who so knows its address.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    clock: Clock,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let readiness = Readiness::new(&[watch::POSTGRES, watch::RABBITMQ], shutdown.clone());
    let ops = OpsServer::start(config.ops, readiness.clone())
        .await
        .context("open the ops port")?;
    let bus = Bus::connect(BusConfig {
        amqp_url: config.broker.amqp_url.clone(),
        ca_file: config.broker.ca_file.clone(),
        process_name: "pulsemon-api",
        declares: Declares::Nothing,
    })?;
    let tasks = TaskTracker::new();
    let (nudges, nudging) = nudge::Nudges::new(bus.publisher(), shutdown.clone());
    tasks.spawn(nudging);
    let api = Data::new(assemble(config, clock, readiness, nudges, tasks.clone()).await?);
    watch::start(&api, &bus, &shutdown).await;
    if let Some(admin) = api.config.first_admin.clone() {
        tasks.spawn(auth::appoint(Data::clone(&api), admin, shutdown.clone()));
    }
    let served = Box::pin(server::serve(listener, Data::clone(&api), shutdown.clone())).await;
    tasks.close();
    if shutdown.drain(tasks.wait()).await.is_err() {
        tracing::warn!("requests were still being worked on at the drain deadline");
    }
    bus.close().await;
    api.db.close().await;
    ops.stop().await;
    served
}

async fn assemble(
    config: Config,
    clock: Clock,
    readiness: Readiness,
    nudges: nudge::Nudges,
    tasks: TaskTracker,
) -> anyhow::Result<Api> {
    if !config.probe_allow.is_empty() {
        let opened: Vec<String> = config.probe_allow.iter().map(ToString::to_string).collect();
        tracing::warn!(
            opened = opened.join(" "),
            "PROBE_ALLOW_CIDRS opens what is not public"
        );
    }
    let policy = guard::Policy::allowing(config.probe_allow.clone())
        .denying(config.probe_deny.clone())
        .with_own_names(config.probe_deny_names.clone());
    Ok(Api {
        db: Db::connect(&config.database)?,
        clock: clock.clone(),
        readiness,
        tokens: auth::Tokens::new(&config.auth.jwt_keys, config.auth.access_hours),
        refresh_keys: auth::RefreshKeys::new(&config.auth.jwt_keys)?,
        mail_key: TokenKey::new(config.auth.mail_keys.current.expose_secret().as_bytes())?,
        passwords: auth::Passwords::new(config.auth.bcrypt_cost).await?,
        cursors: cursor::Cursors::new(&config.auth.jwt_keys, clock)?,
        url_judge: services::UrlJudge::new(policy)?,
        nudges,
        limiter: limits::Limiter::new(config.rates),
        ended: auth::Ended::new(),
        turns: turns::Turns::new(),
        schema_is_current: AtomicBool::new(false),
        started: Instant::now(),
        tasks,
        home: Handle::current(),
        config,
    })
}
