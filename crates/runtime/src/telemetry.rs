//! Logs to standard output and metrics for the ops port.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tracing_subscriber::EnvFilter;

use crate::env::Vars;

/// What is logged where `RUST_LOG` is unset. lapin warns with whole message bodies, which are
/// tenants' data, and whatever fails in it our bus reports in its own words. actix's HTTP layer calls a stranger's broken
/// request line an error, which is his; what happens to requests that arrive whole is logged by the api.
pub const DEFAULT_FILTER: &str = "info,lapin=off,actix_http=off";

/// Starts logging, once per program: JSON lines, or compact text when standard output is a
/// terminal. `RUST_LOG` chooses what. Later calls change nothing (tests run several processes
/// in one program).
pub fn init_logs(vars: &dyn Vars) {
    let wanted = vars.var("RUST_LOG").filter(|text| !text.trim().is_empty());
    let (filter, complaint) = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
        None => (EnvFilter::new(DEFAULT_FILTER), None),
    };
    let terminal = std::io::stdout().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal);
    let installed = if terminal {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    if let (Ok(()), Some(error)) = (installed, complaint) {
        tracing::warn!(%error, "RUST_LOG is not valid, using `{DEFAULT_FILTER}`");
    }
}

/// The program's one metrics registry, made on first use and shared from then on.
///
/// Where something else installed a recorder before, the handle renders an empty page.
pub fn metrics_registry() -> PrometheusHandle {
    static REGISTRY: OnceLock<PrometheusHandle> = OnceLock::new();
    REGISTRY
        .get_or_init(|| {
            // Fails for an empty bucket set only, and ours are not.
            let recorder = recorder().unwrap_or_else(|_| PrometheusBuilder::new().build_recorder());
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("a metrics recorder was installed before ours: /metrics is empty");
            }
            handle
        })
        .clone()
}

/// How often histograms are folded into their buckets; without it they grow with each value.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// From a millisecond to two minutes, the longest thing we time.
const SECONDS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];
/// The same in milliseconds.
const MILLISECONDS: [f64; 15] = [
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 3e4, 12e4,
];
/// Sizes of batches.
const COUNTS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Histograms have fixed buckets by the unit that ends their name, so that replicas can be
/// added up (summaries cannot).
fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let suffix = |text: &str| Matcher::Suffix(text.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(suffix("_seconds"), &SECONDS)?
        .set_buckets_for_metric(suffix("_ms"), &MILLISECONDS)?
        .set_buckets_for_metric(suffix("_size"), &COUNTS)?;
    Ok(builder.build_recorder())
}
