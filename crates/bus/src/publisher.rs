//! Publishing with confirms: nothing counts as sent before the broker said so.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation};
use tokio::sync::Semaphore;

use crate::connection::{Link, Live, Report, short};
use crate::metric;
use crate::outgoing::Outgoing;

/// How long the broker may take to confirm: a scheduler holds rows meanwhile and drops them
/// after 4 s.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);
/// Messages of one call that are written before their confirms are awaited.
const WINDOW: usize = 256;
/// Unconfirmed messages of one process, over all callers; at most 64 KiB each.
const MAX_UNCONFIRMED: usize = 2 * WINDOW;

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishOutcome {
    /// A quorum has it on disk.
    Stored,
    /// The queue is full.
    Refused,
    /// No queue is bound there; a process that declares the topology does so again soon.
    Unroutable,
}

impl PublishOutcome {
    /// Whether the message is safe.
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }

    fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Refused => "refused",
            Self::Unroutable => "unroutable",
        }
    }
}

/// No answer for at least one message of the call: each may or may not have been stored, so
/// send all of them again (they are idempotent by their ids).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection, or it was lost on the way.
    #[error("no connection to the broker")]
    Disconnected,
    /// The broker did not confirm within [`CONFIRM_TIMEOUT`].
    #[error("the broker did not confirm within {} s", CONFIRM_TIMEOUT.as_secs())]
    ConfirmTimeout,
    /// The broker takes no messages for now.
    #[error("the broker takes no messages for now")]
    Blocked,
}

impl PublishError {
    fn label(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::ConfirmTimeout => "confirm_timeout",
            Self::Blocked => "blocked",
        }
    }
}

/// Publishes on the process' publishing connection. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    link: Link,
    unconfirmed: Arc<Semaphore>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            unconfirmed: Arc::new(Semaphore::new(MAX_UNCONFIRMED)),
        }
    }

    /// Sends all messages and waits for all answers, in windows of 256, each within
    /// [`CONFIRM_TIMEOUT`]. The outcomes stand in the order of the messages. Never waits for a
    /// connection: without one it fails at once.
    ///
    /// # Errors
    /// When any message of the call got no answer; see [`PublishError`].
    pub async fn publish(
        &self,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<PublishOutcome>, PublishError> {
        let mut outcomes = Vec::with_capacity(messages.len());
        for window in messages.chunks(WINDOW) {
            match self.publish_window(window).await {
                Ok(answers) => outcomes.extend(answers),
                Err(error) => {
                    metric::publish_failed(error.label());
                    return Err(error);
                }
            }
        }
        Ok(outcomes)
    }

    /// [`Publisher::publish`] for a single message.
    ///
    /// # Errors
    /// When it got no answer; see [`PublishError`].
    pub async fn publish_one(&self, message: Outgoing) -> Result<PublishOutcome, PublishError> {
        let outcomes = self.publish(vec![message]).await?;
        // One message, one outcome.
        outcomes.first().copied().ok_or(PublishError::Disconnected)
    }

    async fn publish_window(
        &self,
        window: &[Outgoing],
    ) -> Result<Vec<PublishOutcome>, PublishError> {
        if self.link.is_blocked() {
            return Err(PublishError::Blocked);
        }
        let live = self.link.live().ok_or(PublishError::Disconnected)?;
        let sending = self.send(&live, window);
        match tokio::time::timeout(CONFIRM_TIMEOUT, sending).await {
            Ok(Ok(outcomes)) => Ok(self.note(window, outcomes)),
            Ok(Err(error)) => {
                self.give_up(&live, error.to_string());
                Err(PublishError::Disconnected)
            }
            // The connection is fine; it will be of use again when the alarm is over.
            Err(_) if self.link.is_blocked() => Err(PublishError::Blocked),
            Err(_) => {
                // What lapin still holds of this window goes with the connection.
                self.give_up(&live, PublishError::ConfirmTimeout.to_string());
                Err(PublishError::ConfirmTimeout)
            }
        }
    }

    async fn send(&self, live: &Live, window: &[Outgoing]) -> lapin::Result<Vec<PublishOutcome>> {
        let closed = || lapin::ErrorKind::InvalidConnectionState(lapin::ConnectionState::Closed);
        let channels = live.channels.as_ref().ok_or_else(closed)?;
        let places = u32::try_from(window.len()).unwrap_or(u32::MAX);
        let _places = self.unconfirmed.acquire_many(places).await.ok();
        let taken = channels.take(&live.connection).await?;
        let sending = window
            .iter()
            .map(|message| send_one(taken.channel(), message));
        let confirmations = try_join_all(sending).await?;
        taken.give_back();
        Ok(outcomes(window, confirmations))
    }

    fn note(&self, window: &[Outgoing], outcomes: Vec<PublishOutcome>) -> Vec<PublishOutcome> {
        for (message, outcome) in window.iter().zip(&outcomes) {
            metric::published(&message.to.queue(), outcome.label());
        }
        if outcomes.contains(&PublishOutcome::Unroutable) {
            self.link.report(Report::Unroutable);
        }
        outcomes
    }

    fn give_up(&self, live: &Live, reason: String) {
        self.link.report(Report::Broken {
            generation: live.generation,
            reason,
        });
    }
}

async fn send_one(channel: &Channel, message: &Outgoing) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let exchange = message.to.exchange().into();
    let key = short(message.to.routing_key());
    let confirm = channel
        .basic_publish(exchange, key, options, &message.body, message.properties())
        .await?;
    confirm.await
}

/// What became of each message of a window. Which of them were handed back is told by the messages themselves: the
/// confirm that carries one may be another's (see [`crate::connection::Channels`]).
fn outcomes(window: &[Outgoing], confirmations: Vec<Confirmation>) -> Vec<PublishOutcome> {
    // Not requested cannot be: the channel is in confirm mode.
    let stored: Vec<bool> = confirmations.iter().map(Confirmation::is_ack).collect();
    let returned: Vec<_> = confirmations
        .into_iter()
        .filter_map(Confirmation::take_message)
        .collect();
    let outcome = |(message, stored): (&Outgoing, bool)| {
        let is_it = |back: &BasicReturnMessage| message.is(&back.delivery);
        match stored {
            // Confirmed because it was handed back, not because it was stored.
            _ if returned.iter().any(is_it) => PublishOutcome::Unroutable,
            true => PublishOutcome::Stored,
            false => PublishOutcome::Refused,
        }
    };
    window.iter().zip(stored).map(outcome).collect()
}
