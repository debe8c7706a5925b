//! One supervised connection: dialled again with full-jitter back-off for as long as the bus
//! lives, whatever happens to it.
//!
//! lapin's own recovery is off. A connection or publishing channel that fails in any way is
//! thrown away whole and built anew, so there is one path to test.

mod channels;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use lapin::Connection;
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::status::LinkStatus;
pub(crate) use channels::Channels;
use supervisor::Supervisor;

/// Both sides give up on a silent peer after twice this.
pub(crate) const HEARTBEAT_SECONDS: u16 = 10;
/// The first wait after a loss; doubles from here.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Long enough not to trouble a broker that starts, short enough to be back soon after it.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
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

/// An open connection and, for publishing, its channels in confirm mode.
pub(crate) struct Live {
    pub(crate) generation: u64,
    pub(crate) connection: Connection,
    pub(crate) channels: Option<Channels>,
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

impl Live {
    fn is_open(&self) -> bool {
        self.connection.status().connected()
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
