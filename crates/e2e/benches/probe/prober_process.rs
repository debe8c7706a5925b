//! The product's prober, as a child.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runtime::env::ProcessEnv;
use runtime::{Clock, Shutdown};
use secrecy::{ExposeSecret as _, SecretString};

use crate::proc::{self, Memory};
use crate::target::Target;

#[derive(Debug)]
pub(crate) struct Prober(Child);

impl Prober {
    /// With so many places, all of which one tenant and one address may take.
    pub(crate) async fn start(broker: &SecretString, target: &Target, places: u32) -> Self {
        let places = places.to_string();
        let child = Command::new(std::env::current_exe().expect("a program"))
            .arg("prober")
            .env_clear()
            .env("AMQP_URL", broker.expose_secret())
            .env("OPS_BIND", "127.0.0.1")
            .env("OPS_PORT", "0")
            .env("PROBE_ALLOW_CIDRS", "127.0.0.0/8")
            .env("PROBE_EXTRA_CA_FILE", target.authority())
            .env("WORKER_POOL_SIZE", &places)
            .env("PROBES_PER_TENANT", &places)
            .env("PROBES_PER_ADDRESS", &places)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the prober starts");
        // It connects within a moment; jobs that are sent before wait in the queue.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Self(child)
    }

    pub(crate) fn cpu(&self) -> Duration {
        proc::cpu(self.0.id())
    }

    pub(crate) fn memory(&self) -> Memory {
        proc::memory(self.0.id())
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The prober itself, until it is killed.
pub(crate) async fn run() {
    runtime::telemetry::metrics_registry();
    let config = prober::Config::from_env(&ProcessEnv).expect("a good environment");
    let shutdown = Shutdown::on_signals().expect("signal handlers");
    Box::pin(prober::run(config, Clock::system(), shutdown))
        .await
        .expect("a prober");
}
