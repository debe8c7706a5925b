//! The process: its parts, and the order in which they begin and end.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bus::{Bus, BusConfig, Declares, Delivery, Route};
use guard::{Policy, Resolver};
use runtime::{Clock, OpsServer, Readiness, Shutdown};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::consume::{self, Worker};
use crate::files;
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::metric::ProbeMetrics;
use crate::offset::OffsetLearner;
use crate::probe::{Engine, EngineConfig};
use crate::publish::{QUEUE_LENGTH, Reporter};
use crate::selfcheck::{Reference, SELF_CHECK, SelfCheck};

/// The broker, on `/readyz`.
const BROKER: &str = "rabbitmq";
/// The queue of its region, on `/readyz`: a prober without one does nothing.
const JOBS: &str = "jobs";
/// Batches a prober holds at least and at most to begin with: jobs arrive 2 s before their slot and wait here. Slow
/// targets may raise it (`gate::widened`).
const PREFETCH: std::ops::RangeInclusive<usize> = 8..=400;
/// A batch is seldom full: this many probes of the pool bring one batch.
const PROBES_PER_BATCH: usize = 2;

/// Probes until asked to stop.
///
/// # Errors
/// When a part can't be built from its configuration, or the broker's client ends by itself.
pub async fn run(config: Config, clock: Clock, shutdown: Shutdown) -> anyhow::Result<()> {
    let (engine, selfcheck) = instruments(&config, &clock)?;
    let readiness = Readiness::new(&[BROKER, JOBS, SELF_CHECK], shutdown.clone());
    let ops = OpsServer::start(config.ops, readiness.clone())
        .await
        .context("open the ops port")?;
    let bus = Bus::connect(BusConfig {
        amqp_url: config.broker.amqp_url.clone(),
        ca_file: config.broker.ca_file.clone(),
        process_name: "pulsemon-prober",
        declares: Declares::Nothing,
    })?;
    let watching = follow_broker(bus.clone(), readiness.clone(), shutdown.clone());
    let watching = tokio::spawn(watching);
    // Not with the shutdown: what is in flight then waits to be vouched for.
    let consumed_all = CancellationToken::new();
    let checking = selfcheck
        .clone()
        .run(readiness.clone(), consumed_all.clone());
    let checking = tokio::spawn(checking);

    let ledger = Arc::new(Ledger::new());
    let (results, outgoing) = mpsc::channel(QUEUE_LENGTH);
    let reporter = Reporter {
        publisher: bus.publisher(),
        ledger: ledger.clone(),
        shutdown: shutdown.clone(),
    };
    let reporting = tokio::spawn(reporter.run(outgoing));
    let worker = worker(&config, (engine, selfcheck), ledger, clock, &shutdown);
    let mut jobs = bus.subscribe(Route::jobs(config.region), worker.prefetch);
    let listening = tokio::spawn(follow_jobs(jobs.trouble(), readiness, shutdown.clone()));

    let consuming = consume::run(worker, &mut jobs, results);
    let consumed = shutdown.drain(consuming).await;
    consumed_all.cancel();
    // The last sender went with `consuming`, so the reporter ends when all is confirmed.
    let reported = shutdown.drain(reporting).await;
    drop(jobs); // what was not acknowledged goes back
    bus.close().await;
    watching.await.context("watch the broker")?;
    checking.await.context("check the prober itself")?;
    listening.await.context("watch the jobs")?;
    ops.stop().await;
    if reported.is_err() || consumed.is_err() {
        tracing::warn!("not all probes ended in time; their jobs will be probed elsewhere");
    }
    consumed.unwrap_or(Ok(()))
}

/// What every job needs.
fn worker(
    config: &Config,
    (engine, selfcheck): (Engine, Arc<SelfCheck>),
    ledger: Arc<Ledger<Delivery>>,
    clock: Clock,
    shutdown: &Shutdown,
) -> Arc<Worker> {
    let pool_size = files::make_room(config.pool_size);
    let history = engine.history();
    let gate = Gate::new(clock.clone(), history.clone(), pool_size, config.per_tenant);
    let worker = Worker {
        gate: Arc::new(gate),
        history,
        engine,
        ledger,
        clock,
        shutdown: shutdown.clone(),
        prober: prober_id(&config.region),
        offset: Mutex::new(OffsetLearner::default()),
        selfcheck,
        metrics: ProbeMetrics::new(),
        prefetch: prefetch(pool_size),
    };
    tracing::info!(
        region = config.region,
        pool = pool_size,
        prober = worker.prober,
        "probing"
    );
    Arc::new(worker)
}

/// What it probes with, and what it measures itself by.
fn instruments(config: &Config, clock: &Clock) -> anyhow::Result<(Engine, Arc<SelfCheck>)> {
    for rule in &config.allow {
        tracing::warn!(%rule, "PROBE_ALLOW_CIDRS: tenants of this installation can probe this network");
    }
    if config.self_check_urls.is_empty() {
        // A name server that is near answers from its memory while the way out is gone.
        tracing::warn!(
            "SELF_CHECK_URLS is not set: when this prober's own way to the internet fails, its targets are told to be down"
        );
    }
    #[expect(
        clippy::as_conversions,
        reason = "a gauge is a float; a list of rules is short"
    )]
    metrics::gauge!("pulsemon_prober_allow_rules").set(config.allow.len() as f64);
    let policy = Policy::allowing(config.allow.clone())
        .denying(config.deny.clone())
        .with_own_names(config.own_names());
    let resolver = match config.name_server {
        Some(server) => Resolver::with_name_server(server),
        None => Resolver::from_system(),
    };
    let resolver = resolver.context("build the resolver")?;
    let settings = EngineConfig {
        policy: policy.clone(),
        extra_roots: config.extra_roots.clone(),
        user_agent: config.user_agent.clone(),
        per_address: config.per_address,
    };
    let reference = Reference::new(
        config.self_check_urls.clone(),
        resolver.clone(),
        config.extra_roots.clone(),
        config.user_agent.clone(),
        clock.clone(),
    )?;
    let selfcheck = SelfCheck::new(reference, resolver.clone());
    Ok((Engine::new(settings, resolver)?, Arc::new(selfcheck)))
}

/// Keeps `/readyz` true about the broker.
async fn follow_broker(bus: Bus, readiness: Readiness, shutdown: Shutdown) {
    let mut status = bus.status();
    drop(bus);
    loop {
        match status.borrow_and_update().trouble() {
            None => readiness.set_ready(BROKER),
            Some(trouble) => readiness.set_not_ready(BROKER, trouble),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps `/readyz` true about the queue.
async fn follow_jobs(
    mut trouble: watch::Receiver<Option<String>>,
    readiness: Readiness,
    shutdown: Shutdown,
) {
    loop {
        match trouble.borrow_and_update().clone() {
            None => readiness.set_ready(JOBS),
            Some(trouble) => readiness.set_not_ready(JOBS, trouble),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = trouble.changed() => if changed.is_err() { return },
        }
    }
}

/// Tells probers apart, for operators and for second opinions; new with every start.
fn prober_id(region: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{region}-{}", random.get(..8).unwrap_or(&random))
}

fn prefetch(pool_size: usize) -> u16 {
    let batches = (pool_size / PROBES_PER_BATCH).clamp(*PREFETCH.start(), *PREFETCH.end());
    u16::try_from(batches).unwrap_or(u16::MAX)
}
