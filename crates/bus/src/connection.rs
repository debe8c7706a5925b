//! One supervised connection: dialled again with full-jitter back-off for as long as the bus
//! lives, whatever happens to it.
//!
//! lapin's own recovery is off. A connection or publishing channel that fails in any way is
//! thrown away whole and built anew, so there is one path to test.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::ConfirmSelectOptions;
use lapin::tcp::OwnedTLSConfig;
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::status::LinkStatus;
use crate::{metric, topology};

/// Both sides give up on a silent peer after twice this.
pub(crate) const HEARTBEAT_SECONDS: u16 = 10;
/// From dialling to the declared topology.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// The first wait after a loss; doubles from here.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Long enough not to trouble a broker that starts, short enough to be back soon after it.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A connection that lived this long was a good one: back-off begins anew.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// How often the state of connection and channel is looked at, should an event have been missed.
const PULSE: Duration = Duration::from_millis(250);
/// The topology is declared again at most this often when a message found no queue.
const DECLARE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A peer that does not answer a close is left.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Reports of trouble that may wait; more say nothing new.
const MAX_REPORTS: usize = 8;
/// AMQP's reply code for "all is well".
pub(crate) const NORMAL_CLOSE: u16 = 200;

/// What a connection is for; each process has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Publish,
    Consume,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// How to dial, shared by both connections.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) uri: AMQPUri,
    pub(crate) ca_pem: Option<String>,
    pub(crate) process_name: &'static str,
    /// The regions to declare queues for; `None` where the process declares nothing.
    pub(crate) declares: Option<Arc<[String]>>,
}

/// An open connection and, for publishing, its channel in confirm mode.
pub(crate) struct Live {
    pub(crate) generation: u64,
    pub(crate) connection: Connection,
    pub(crate) channel: Option<Channel>,
}

/// What users of a connection tell its supervisor.
#[derive(Debug)]
pub(crate) enum Report {
    /// The connection of this generation is of no use any more.
    Broken { generation: u64, reason: String },
    /// A message found no queue.
    Unroutable,
}

/// A user's end of a supervised connection.
#[derive(Clone)]
pub(crate) struct Link {
    live: watch::Receiver<Option<Arc<Live>>>,
    status: watch::Receiver<LinkStatus>,
    reports: mpsc::Sender<Report>,
    pub(crate) stop: CancellationToken,
    pub(crate) declares: Option<Arc<[String]>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// Makes the link and the task that supervises it until `stop`.
    pub(crate) fn new(
        role: Role,
        dial: Dial,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (live_in, live) = watch::channel(None);
        let connecting = LinkStatus::Disconnected("connecting".into());
        let (status_in, status) = watch::channel(connecting);
        let (reports, reports_out) = mpsc::channel(MAX_REPORTS);
        let link = Self {
            live,
            status,
            reports,
            stop: stop.clone(),
            declares: dial.declares.clone(),
        };
        let supervisor = Supervisor {
            role,
            dial,
            live: live_in,
            status: status_in,
            reports: reports_out,
            stop,
            generation: 0,
        };
        (link, supervisor.run())
    }

    /// The connection, if there is one at this moment.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.live.borrow().clone()
    }

    /// Waits for a connection; `None` once the bus is closed. Cancel safe.
    pub(crate) async fn wait_live(&self) -> Option<Arc<Live>> {
        let mut live = self.live.clone();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            found = live.wait_for(Option::is_some) => found.ok()?.clone(),
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        matches!(*self.status.borrow(), LinkStatus::Blocked(_))
    }

    pub(crate) fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    /// Never waits: where many reports are waiting already, this one says nothing new.
    pub(crate) fn report(&self, report: Report) {
        drop(self.reports.try_send(report));
    }
}

struct Supervisor {
    role: Role,
    dial: Dial,
    live: watch::Sender<Option<Arc<Live>>>,
    status: watch::Sender<LinkStatus>,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    generation: u64,
}

impl Supervisor {
    async fn run(mut self) {
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
        let mut channel = None;
        if self.role == Role::Publish {
            if let Some(regions) = declares {
                topology::declare(&connection, regions).await?;
            }
            let confirming = connection.create_channel().await?;
            confirming
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            channel = Some(confirming);
        }
        Ok(Live {
            generation: self.generation,
            connection,
            channel,
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

impl Live {
    fn is_open(&self) -> bool {
        let channel_open = self
            .channel
            .as_ref()
            .is_none_or(|channel| channel.status().connected());
        channel_open && self.connection.status().connected()
    }
}

/// Full jitter: 0 to the ceiling, which doubles from [`BACKOFF_MIN`] to [`BACKOFF_MAX`].
pub(crate) fn backoff(failures: u32) -> Duration {
    let ceiling = BACKOFF_MIN
        .saturating_mul(1u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX))
        .min(BACKOFF_MAX);
    ceiling.mul_f64(rand::random::<f64>())
}

/// A name or id in AMQP's short form, cut at 255 bytes (lapin panics past them).
pub(crate) fn short(text: &str) -> ShortString {
    const MOST: usize = 255;
    ShortString::try_new(cut(text, MOST)).unwrap_or_default()
}

/// The longest start of `text` that is no longer than `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1; // 0 is a boundary
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_is_bounded_and_jittered() {
        for failures in [0, 1, 5, 40, u32::MAX] {
            let delays: Vec<Duration> = (0..50).map(|_| backoff(failures)).collect();
            assert!(delays.iter().all(|delay| *delay <= BACKOFF_MAX));
            assert!(delays.windows(2).any(|pair| pair[0] != pair[1]));
        }
        assert!((0..50).all(|_| backoff(0) <= BACKOFF_MIN));
    }
}
