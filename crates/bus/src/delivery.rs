//! A message that was received, and what can be done with it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::connection::{Link, Report, backoff, cut};
use crate::metric;
use crate::outgoing::{Outgoing, TRACEPARENT};
use crate::publisher::{PublishError, PublishOutcome, Publisher};
use crate::route::Route;

/// A message that stays with this process until it is settled, or until its channel ends: then
/// the broker delivers it again, here or elsewhere, and settling this one does nothing.
///
/// Dropping it settles nothing: that is how a message is held.
#[derive(Debug)]
pub struct Delivery {
    /// As it came; untrusted.
    pub body: Vec<u8>,
    /// The sender's idempotency key.
    pub message_id: Option<String>,
    /// How often it was returned to the queue before (`x-delivery-count`); 0 at first.
    pub delivery_count: u32,
    /// Somebody may have handled it before.
    pub redelivered: bool,
    /// The sender's W3C trace context.
    pub traceparent: Option<String>,
    session: Arc<Session>,
    acker: Acker,
}

/// Where deliveries of one subscription come from and where the bad ones go.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) route: Route,
    pub(crate) queue: String,
    pub(crate) process_name: &'static str,
    pub(crate) publisher: Publisher,
}

/// One channel's worth of deliveries.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) source: Arc<Source>,
    /// Cancelled when the channel has ended, for whatever reason.
    pub(crate) over: CancellationToken,
    pub(crate) link: Link,
    pub(crate) generation: u64,
}

/// The message could not be put among the dead ones, and went back to its queue instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuryError {
    /// No answer from the broker, several times.
    #[error("bury a message: {0}")]
    Publish(#[from] PublishError),
    /// The dead queue did not take it.
    #[error("bury a message: the dead queue answered {0:?}")]
    NotStored(PublishOutcome),
}

/// Tries before a message that should be buried goes back to its queue.
const BURY_ATTEMPTS: u32 = 4;
/// A frame is written within this, or the connection is given up.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// A reason is for a person to read, and a header must stay small.
const MAX_REASON_BYTES: usize = 500;

impl Delivery {
    pub(crate) fn new(message: lapin::message::Delivery, session: Arc<Session>) -> Self {
        let headers = message.properties.headers().clone().unwrap_or_default();
        let id = message.properties.message_id().as_ref();
        Self {
            message_id: id.map(|id| id.as_str().to_owned()),
            delivery_count: delivery_count(&headers),
            redelivered: message.redelivered,
            traceparent: text(&headers, TRACEPARENT),
            body: message.data,
            session,
            acker: message.acker,
        }
    }

    /// The queue it came from.
    pub fn queue(&self) -> &str {
        &self.session.source.queue
    }

    /// Whether settling still means anything: false once its channel has ended.
    pub fn is_current(&self) -> bool {
        self.acker.usable() && !self.session.over.is_cancelled()
    }

    /// Done: the broker may forget it. Does nothing when the channel has ended.
    pub async fn ack(self) {
        self.settled(self.acker.ack(BasicAckOptions::default()), "acked")
            .await;
    }

    /// Back to the queue, counted towards its delivery limit. Not a way to retry: for the few
    /// cases where another process must have it. Does nothing when the channel has ended.
    pub async fn reject_requeue(self) {
        let options = BasicRejectOptions { requeue: true };
        self.settled(self.acker.reject(options), "requeued").await;
    }

    /// Puts the message into the dead queue with the reason, confirmed, and then acknowledges
    /// it. `reason` is shown to operators; it is cut at 500 bytes.
    ///
    /// # Errors
    /// When the dead queue did not take it in four attempts; then the message has gone back to
    /// its queue, counted, and the broker itself buries it at the delivery limit.
    pub async fn bury(self, reason: &str) -> Result<(), BuryError> {
        match self.bury_body(self.body.clone(), reason).await {
            Ok(()) => {
                self.settled(self.acker.ack(BasicAckOptions::default()), "buried")
                    .await;
                Ok(())
            }
            Err(error) => {
                self.reject_requeue().await;
                Err(error)
            }
        }
    }

    /// Puts a part of the message (one item of a batch) into the dead queue, confirmed, and
    /// leaves the message itself as it is: settle it once the rest is done.
    ///
    /// # Errors
    /// When the dead queue did not take it in four attempts.
    pub async fn bury_part(&self, part: Vec<u8>, reason: &str) -> Result<(), BuryError> {
        self.bury_body(part, reason).await?;
        metric::settled(self.queue(), "part_buried");
        Ok(())
    }

    async fn bury_body(&self, body: Vec<u8>, reason: &str) -> Result<(), BuryError> {
        let dead = self.dead_letter(body, reason);
        let mut attempt = 0;
        loop {
            let failed = match self
                .session
                .source
                .publisher
                .publish_one(dead.clone())
                .await
            {
                Ok(PublishOutcome::Stored) => break,
                Ok(outcome) => BuryError::NotStored(outcome),
                Err(error) => BuryError::Publish(error),
            };
            attempt += 1;
            if attempt >= BURY_ATTEMPTS {
                return Err(failed);
            }
            tokio::time::sleep(BURY_PAUSE + backoff(attempt)).await;
        }
        tracing::error!(queue = %self.queue(), reason, "a message was put among the dead");
        Ok(())
    }

    fn dead_letter(&self, body: Vec<u8>, reason: &str) -> Outgoing {
        let Source {
            route,
            queue,
            process_name,
            ..
        } = &*self.session.source;
        let id = self.message_id.clone().unwrap_or_default();
        let letter = Outgoing::dead(route.dead_queue(), id, body)
            .with_header("x-pulsemon-reason", cut(reason, MAX_REASON_BYTES))
            .with_header("x-pulsemon-queue", queue)
            .with_header("x-pulsemon-exchange", route.exchange())
            .with_header("x-pulsemon-routing-key", route.routing_key())
            .with_header("x-pulsemon-buried-by", process_name);
        match &self.traceparent {
            Some(traceparent) => letter.with_traceparent(traceparent),
            None => letter,
        }
    }

    /// Waits for the frame to be written, but not for longer than it can matter: lapin never
    /// answers some of those that a connection takes with it.
    async fn settled(&self, writing: impl Future<Output = lapin::Result<bool>>, how: &'static str) {
        let Session {
            over,
            link,
            generation,
            ..
        } = &*self.session;
        let written = tokio::select! {
            biased;
            () = over.cancelled() => return, // it comes again
            written = tokio::time::timeout(SETTLE_TIMEOUT, writing) => written,
        };
        match written {
            Ok(Ok(true)) => metric::settled(self.queue(), how),
            Ok(Ok(false)) => {} // its channel has ended: it comes again
            Ok(Err(error)) => tracing::debug!(%error, "an acknowledgement came too late"),
            Err(_) => link.report(Report::Broken {
                generation: *generation,
                reason: "an acknowledgement could not be written".into(),
            }),
        }
    }
}

/// Between attempts to bury: long enough for a missing dead queue to be declared again.
const BURY_PAUSE: Duration = Duration::from_millis(500);

/// [`Delivery::ack`] for many, at once.
pub async fn ack_all(deliveries: Vec<Delivery>) {
    join_all(deliveries.into_iter().map(Delivery::ack)).await;
}

/// The body is not what it should be: bury it with this text.
#[derive(Debug, thiserror::Error)]
#[error("not a {wanted}: {cause}")]
pub struct DecodeError {
    wanted: &'static str,
    cause: serde_json::Error,
}

/// The body as `T`; unknown fields are ignored.
///
/// # Errors
/// When it is no JSON or lacks what `T` needs.
pub fn decode<T: DeserializeOwned>(delivery: &Delivery) -> Result<T, DecodeError> {
    serde_json::from_slice(&delivery.body).map_err(|cause| {
        let path = std::any::type_name::<T>();
        DecodeError {
            wanted: path.rsplit("::").next().unwrap_or(path),
            cause,
        }
    })
}

fn delivery_count(headers: &FieldTable) -> u32 {
    let count = headers.inner().get("x-delivery-count");
    let count: i64 = match count {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => (*count).into(),
        Some(AMQPValue::LongUInt(count)) => (*count).into(),
        Some(AMQPValue::ShortInt(count)) => (*count).into(),
        Some(AMQPValue::ShortUInt(count)) => (*count).into(),
        Some(AMQPValue::ShortShortInt(count)) => (*count).into(),
        Some(AMQPValue::ShortShortUInt(count)) => (*count).into(),
        _ => 0,
    };
    u32::try_from(count).unwrap_or(0)
}

fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
