//! The demo target: an HTTPS server on loopback with a certificate authority of its own, so that
//! the first probe has something to show.

use std::path::PathBuf;
use std::time::Duration;

use super::settings::Settings;
use crate::cargo::release_binary;
use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::signal::Stop;
use crate::process::{Output, Spec, Supervisor};

/// It makes two keys and binds a port.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Between the servers, which it does not use, and the processes, which probe it.
const LAYER: u8 = 2;

/// A planned target.
#[derive(Debug)]
pub(super) struct Demo {
    port: u16,
    ca: PathBuf,
    bundle: PathBuf,
}

impl Demo {
    /// Chooses the port.
    pub(super) fn plan(folder: &Folder, ports: &mut Ports) -> anyhow::Result<Self> {
        let [port] = ports.settle(["demo"])?;
        let dir = folder.root().join("demo");
        std::fs::create_dir_all(&dir)?;
        Ok(Self {
            port,
            ca: dir.join("ca.pem"),
            bundle: dir.join("extra-ca.pem"),
        })
    }

    /// What the demo service watches.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }

    /// Starts it and waits until it answers; by then its authority's certificate is written.
    pub(super) fn start(&self, supervisor: &mut Supervisor) -> anyhow::Result<()> {
        supervisor.start(Spec {
            name: "demo".to_owned(),
            program: release_binary("demo-target"),
            args: vec![
                "--listen".into(),
                format!("127.0.0.1:{}", self.port).into(),
                "--ca-out".into(),
                self.ca.clone().into(),
            ],
            env: Vec::new(),
            without: Vec::new(),
            account: None,
            output: Output::Console,
            stop: Stop::Terminate,
            layer: LAYER,
        })?;
        supervisor.wait_ready("the demo target", START_DEADLINE, || {
            self.ca.exists() && http::accepts(self.port)
        })
    }

    /// Lets probes reach exactly this address and port, and trust its authority.
    pub(super) fn open_to_probes(&self, settings: &mut Settings) -> anyhow::Result<()> {
        settings.allow_probes(&format!("127.0.0.1/32:{}", self.port));
        settings.trust(&self.ca, &self.bundle)
    }
}
