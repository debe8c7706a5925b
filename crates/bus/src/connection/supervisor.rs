//! The task that keeps a connection: dial, declare, watch, give up, wait, again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Channels, Dial, Live, NORMAL_CLOSE, Report, Role, backoff};
use crate::status::LinkStatus;
use crate::{metric, topology};

/// From dialling to the declared topology.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that lived this long was a good one: back-off begins anew.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// How often the state of connection and channel is looked at, should an event have been missed.
const PULSE: Duration = Duration::from_millis(250);
/// The topology is declared again at most this often when a message found no queue.
const DECLARE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A peer that does not answer a close is left.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Supervisor {
    pub(super) role: Role,
    pub(super) dial: Dial,
    pub(super) live: watch::Sender<Option<Arc<Live>>>,
    pub(super) status: watch::Sender<LinkStatus>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) stop: CancellationToken,
    pub(super) generation: u64,
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        let mut failures = 0;
        while let Some(opened) = stop.run_until_cancelled(self.open()).await {
            let since = Instant::now();
            let reason = match opened {
                Ok(live) => self.watch(&Arc::new(live)).await,
                Err(reason) => reason,
            };
            self.live.send_replace(None);
            if stop.is_cancelled() {
                break;
            }
            if since.elapsed() >= GOOD_AFTER {
                failures = 0;
            }
            tracing::warn!(%reason, link = self.role.name(), "the broker is away");
            self.status.send_replace(LinkStatus::Disconnected(reason));
            metric::reconnected(self.role.name());
            let pause = tokio::time::sleep(backoff(failures));
            if stop.run_until_cancelled(pause).await.is_none() {
                break;
            }
            failures = failures.saturating_add(1);
        }
        self.status
            .send_replace(LinkStatus::Disconnected("closed".into()));
    }

    async fn open(&mut self) -> Result<Live, String> {
        self.generation += 1;
        match tokio::time::timeout(OPEN_TIMEOUT, self.dial_and_declare()).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no connection in time".into()),
        }
    }

    async fn dial_and_declare(&self) -> lapin::Result<Live> {
        let Dial {
            uri,
            ca_pem,
            process_name,
            declares,
        } = &self.dial;
        let name = format!("{process_name} {}", self.role.name());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: ca_pem.clone(),
        };
        let runtime = lapin::runtime::default_runtime()?;
        let connection =
            Connection::connect_uri_with_config(uri.clone(), properties, tls, runtime).await?;
        let mut channels = None;
        if self.role == Role::Publish {
            if let Some(regions) = declares {
                topology::declare(&connection, regions).await?;
            }
            channels = Some(Channels::open(&connection).await?);
        }
        Ok(Live {
            generation: self.generation,
            connection,
            channels,
        })
    }

    /// Hands the connection out and returns why it has to be replaced.
    async fn watch(&mut self, live: &Arc<Live>) -> String {
        let mut events = Box::pin(live.connection.events_listener());
        let mut pulse = tokio::time::interval(PULSE);
        let mut declared = Instant::now();
        let mut last_error = None;
        tracing::info!(link = self.role.name(), "connected to the broker");
        self.status.send_replace(LinkStatus::Connected);
        self.live.send_replace(Some(Arc::clone(live)));
        let reason = loop {
            tokio::select! {
                () = self.stop.cancelled() => break String::from("closed"),
                event = events.next() => match event {
                    Some(Event::Error(error)) => last_error = Some(error.to_string()),
                    Some(Event::ConnectionBlocked(reason)) => self.block(reason),
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!("the broker takes messages again");
                        self.status.send_replace(LinkStatus::Connected);
                    }
                    Some(_) => {}
                    None => break String::from("connection gone"),
                },
                Some(report) = self.reports.recv() => match report {
                    Report::Broken { generation, reason } if generation == live.generation => {
                        break reason;
                    }
                    Report::Broken { .. } => {} // of a connection that is gone already
                    Report::Unroutable if declared.elapsed() >= DECLARE_AGAIN_AFTER => {
                        declared = Instant::now();
                        if let Err(reason) = self.declare_again(live).await {
                            break reason;
                        }
                    }
                    Report::Unroutable => {}
                },
                _ = pulse.tick() => {}
            }
            if !live.is_open() {
                break last_error.unwrap_or_else(|| String::from("connection lost"));
            }
        };
        self.live.send_replace(None);
        let closing = live.connection.close(NORMAL_CLOSE, "closing".into());
        // It is being given up: whether the peer agrees does not matter.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, closing).await);
        reason
    }

    fn block(&self, reason: String) {
        tracing::warn!(%reason, "the broker takes no messages for now");
        self.status.send_replace(LinkStatus::Blocked(reason));
    }

    async fn declare_again(&self, live: &Live) -> Result<(), String> {
        let Some(regions) = &self.dial.declares else {
            return Ok(());
        };
        tracing::warn!("a message found no queue: declaring the topology again");
        let declaring = topology::declare(&live.connection, regions);
        match tokio::time::timeout(OPEN_TIMEOUT, declaring).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the broker does not answer a declaration".into()),
        }
    }
}
