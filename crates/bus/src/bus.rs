//! The process' end of the broker.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::connection::{Dial, HEARTBEAT_SECONDS, Link, Role};
use crate::consumer::Subscription;
use crate::delivery::Source;
use crate::depth::{self, DepthError};
use crate::publisher::Publisher;
use crate::route::{Route, valid_region};
use crate::status::{BusStatus, LinkStatus};

/// How long [`Bus::close`] waits for the broker's goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach the broker and as whom.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `amqp://` or `amqps://`, the path is the vhost.
    pub amqp_url: SecretString,
    /// Roots (PEM) to trust beside the system's, for `amqps://`.
    pub ca_file: Option<PathBuf>,
    /// Shown in the broker's list of connections.
    pub process_name: &'static str,
    /// Whether this process may make queues.
    pub declares: Declares,
}

/// Whether a process makes the exchanges and queues that it does not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declares {
    /// All of [`crate::route`], with the jobs queues of these regions.
    Topology {
        /// See [`valid_region`].
        regions: Vec<String>,
    },
    /// It has no right to, and waits until somebody else has.
    Nothing,
}

impl Declares {
    /// The topology of an installation with the one region `default`.
    pub fn default_region() -> Self {
        Self::Topology {
            regions: vec![String::from("default")],
        }
    }
}

/// The configuration cannot work; nothing was dialled. Holds no credentials.
#[derive(Debug, thiserror::Error)]
pub enum BusConfigError {
    /// Not an AMQP URL.
    #[error("the broker's address is not of the form amqp://user:password@host:port/vhost")]
    Url,
    /// The certificates cannot be read.
    #[error("read the broker's root certificates from {path}")]
    CaFile {
        /// As configured.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A region that cannot be part of a queue's name.
    #[error("`{0}` cannot be a region: 1 to 63 lower-case letters, digits and -")]
    Region(String),
}

/// The process' connections to the broker: one to publish, one to consume (opened when first
/// used). Cheap to clone; when the last clone is dropped, everything ends.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    dial: Dial,
    tasks: TaskTracker,
    stop: CancellationToken,
    publisher: Publisher,
    publishing: Link,
    consuming: OnceLock<Link>,
    status: watch::Sender<BusStatus>,
    _stop_on_drop: DropGuard,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus")
            .field("status", &*self.inner.status.borrow())
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Returns at once and connects in the background, again and again where it must. Call it
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// Only for a configuration that can never work.
    pub fn connect(config: BusConfig) -> Result<Self, BusConfigError> {
        let dial = dial(config)?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let (publishing, supervisor) = Link::new(Role::Publish, dial.clone(), stop.clone());
        tasks.spawn(supervisor);
        if dial.declares.is_some() {
            tasks.spawn(depth::report(publishing.clone()));
        }
        let status = watch::Sender::new(BusStatus {
            publishing: publishing.status().borrow().clone(),
            consuming: LinkStatus::Unused,
        });
        let inner = Inner {
            dial,
            publisher: Publisher::new(publishing.clone()),
            publishing,
            consuming: OnceLock::new(),
            status,
            _stop_on_drop: stop.clone().drop_guard(),
            tasks,
            stop,
        };
        let bus = Self {
            inner: Arc::new(inner),
        };
        bus.follow(bus.inner.publishing.status(), |all, one| {
            all.publishing = one;
        });
        Ok(bus)
    }

    /// Publishes on the shared connection.
    pub fn publisher(&self) -> Publisher {
        self.inner.publisher.clone()
    }

    /// Consumes the queue of `route` with at most `prefetch` unsettled deliveries (1 to
    /// [`crate::MAX_PREFETCH`], clamped), from now on and through every outage.
    pub fn subscribe(&self, route: Route, prefetch: u16) -> Subscription {
        let source = Source {
            queue: route.queue(),
            route,
            process_name: self.inner.dial.process_name,
            publisher: self.publisher(),
        };
        let link = self.consuming().clone();
        let (subscription, driver) = Subscription::new(link, source, prefetch);
        self.inner.tasks.spawn(driver);
        subscription
    }

    /// How the connections are, now and from now on.
    pub fn status(&self) -> watch::Receiver<BusStatus> {
        self.inner.status.subscribe()
    }

    /// Waits until the publishing connection works; returns false once the bus is closed. Put a
    /// timeout around it.
    pub async fn connected(&self) -> bool {
        self.inner.publishing.wait_live().await.is_some()
    }

    /// How many messages wait in a queue (those in consumers' hands not counted).
    ///
    /// # Errors
    /// When there is no connection, no such queue, or no answer within 5 s.
    pub async fn depth(&self, queue: &str) -> Result<u32, DepthError> {
        depth::count(&self.inner.publishing, queue).await
    }

    /// Ends all subscriptions and closes both connections; unsettled deliveries go back to
    /// their queues. Settle and publish what is in flight first. Takes at most 5 s.
    pub async fn close(self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let all_done = self.inner.tasks.wait();
        if tokio::time::timeout(CLOSE_TIMEOUT, all_done).await.is_err() {
            tracing::warn!("the broker did not answer the close in time");
        }
    }

    fn consuming(&self) -> &Link {
        self.inner.consuming.get_or_init(|| {
            let (dial, stop) = (self.inner.dial.clone(), self.inner.stop.clone());
            let (link, supervisor) = Link::new(Role::Consume, dial, stop);
            self.inner.tasks.spawn(supervisor);
            self.follow(link.status(), |all, one| all.consuming = one);
            link
        })
    }

    /// Copies one connection's status into the common one, until that connection's end.
    fn follow(&self, mut one: watch::Receiver<LinkStatus>, apply: fn(&mut BusStatus, LinkStatus)) {
        let all = self.inner.status.clone();
        self.inner.tasks.spawn(async move {
            loop {
                let now = one.borrow_and_update().clone();
                all.send_if_modified(|status| {
                    let before = status.clone();
                    apply(status, now);
                    before != *status
                });
                if one.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}

fn dial(config: BusConfig) -> Result<Dial, BusConfigError> {
    // The parser's own message may quote the URL, and with it the password.
    let mut uri: AMQPUri = config
        .amqp_url
        .expose_secret()
        .parse()
        .map_err(|_unprintable: String| BusConfigError::Url)?;
    uri.query.heartbeat = Some(HEARTBEAT_SECONDS);
    let ca_pem = match config.ca_file {
        None => None,
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(pem) => Some(pem),
            Err(source) => return Err(BusConfigError::CaFile { path, source }),
        },
    };
    let declares = match config.declares {
        Declares::Nothing => None,
        Declares::Topology { regions } => {
            if let Some(bad) = regions.iter().find(|region| !valid_region(region)) {
                return Err(BusConfigError::Region(bad.clone()));
            }
            Some(regions.into())
        }
    };
    Ok(Dial {
        uri,
        ca_pem,
        process_name: config.process_name,
        declares,
    })
}
