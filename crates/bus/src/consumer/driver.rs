//! The task behind a subscription: channel, consumer, forwarding, and all of it again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Wanted;
use crate::connection::{Link, Live, NORMAL_CLOSE, Report, backoff, short};
use crate::delivery::{Delivery, Session, Source};
use crate::{metric, topology};

/// The broker answers a channel operation within this, or the connection is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the channel's state is looked at, should its end have been missed.
const PULSE: Duration = Duration::from_secs(1);
/// Whoever declares a queue may start later than its consumers: so long after the start an absent
/// one is no news.
const MAY_BE_ABSENT: Duration = Duration::from_secs(20);
/// AMQP's code for a queue that is not there.
const NOT_FOUND: u16 = 404;

/// What a driver tells whoever holds the subscription.
#[derive(Debug)]
pub(super) struct Says {
    /// Nothing is consumed now, as was wished.
    pub(super) idle: watch::Sender<bool>,
    /// Why nothing is consumed though it is wished.
    pub(super) trouble: watch::Sender<Option<String>>,
}

pub(super) struct Driver {
    link: Link,
    source: Arc<Source>,
    wanted: watch::Receiver<Wanted>,
    deliveries: mpsc::Sender<Delivery>,
    says: Says,
    /// The queue was absent when the session ended.
    is_absent: bool,
}

/// Why a consumer came to its end.
enum End {
    /// The bus is closed or the subscription was dropped.
    Stopped,
    /// The owner wants something else now.
    Changed,
    /// The broker cancelled the consumer; the channel still stands.
    Cancelled,
    /// The channel, or all of the connection, is of no use any more.
    Lost(String),
}

impl Driver {
    pub(super) fn new(
        link: Link,
        source: Source,
        wanted: watch::Receiver<Wanted>,
        deliveries: mpsc::Sender<Delivery>,
        says: Says,
    ) -> Self {
        Self {
            link,
            source: Arc::new(source),
            wanted,
            deliveries,
            says,
            is_absent: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let quiet_until = Instant::now() + MAY_BE_ABSENT;
        loop {
            let live = tokio::select! {
                () = self.deliveries.closed() => return,
                live = self.link.wait_live() => live,
            };
            let Some(live) = live else { return };
            let Err(lost) = self.session(&live).await else {
                return;
            };
            if lost.delivered_any {
                failures = 0;
            }
            let (queue, reason) = (&self.source.queue, lost.reason);
            self.says
                .trouble
                .send_replace(Some(format!("{queue}: {reason}")));
            if std::mem::take(&mut self.is_absent) && Instant::now() < quiet_until {
                tracing::debug!(%queue, %reason, "the queue is not there yet: subscribing again");
            } else {
                tracing::warn!(%queue, %reason, "the consumer was lost: subscribing again");
            }
            metric::resubscribed(queue);
            if self.stopped_within(backoff(failures)).await {
                return;
            }
            failures = failures.saturating_add(1);
        }
    }

    /// One channel, for as long as it lasts. `Ok` when the subscription is over.
    async fn session(&mut self, live: &Live) -> Result<(), Lost> {
        let channel = match answered(live.connection.create_channel()).await {
            Ok(channel) => channel,
            Err(fault) => {
                return Err(Lost {
                    delivered_any: false,
                    reason: self.note(live, fault),
                });
            }
        };
        let session = Arc::new(Session {
            source: Arc::clone(&self.source),
            over: CancellationToken::new(),
            link: self.link.clone(),
            generation: live.generation,
        });
        // However this function is left, settling ends with it.
        let _over = session.over.clone().drop_guard();
        let mut open = Open {
            live,
            channel,
            session,
            delivered_any: false,
        };
        match self.consume_until_lost(&mut open).await {
            Some(reason) => Err(Lost {
                delivered_any: open.delivered_any,
                reason,
            }),
            None => {
                let closing = open.channel.close(NORMAL_CLOSE, "done".into());
                drop(answered(closing).await); // going anyway
                Ok(())
            }
        }
    }

    /// Why the channel is of no use any more; `None` when the subscription is over.
    async fn consume_until_lost(&mut self, open: &mut Open<'_>) -> Option<String> {
        loop {
            let wanted = *self.wanted.borrow_and_update();
            let end = if wanted.paused {
                self.says.idle.send_replace(true);
                let end = self.idle(open).await;
                self.says.idle.send_replace(false);
                end
            } else {
                match answered(self.consume(&open.channel, wanted.prefetch)).await {
                    Ok(consumer) => {
                        self.says.trouble.send_replace(None);
                        self.forward(open, consumer).await
                    }
                    Err(fault) => {
                        self.is_absent = fault.is_not_found();
                        if self.is_absent {
                            self.declare(open.live).await;
                        }
                        End::Lost(self.note(open.live, fault))
                    }
                }
            };
            match end {
                End::Changed => {}
                End::Cancelled => {
                    let queue = &self.source.queue;
                    tracing::warn!(%queue, "the broker cancelled the consumer");
                    let reason = format!("{queue}: the broker cancelled the consumer");
                    self.says.trouble.send_replace(Some(reason));
                    metric::resubscribed(&self.source.queue);
                    if self.stopped_within(backoff(0)).await {
                        return None;
                    }
                }
                End::Lost(reason) => return Some(reason),
                End::Stopped => return None,
            }
        }
    }

    async fn consume(&self, channel: &Channel, prefetch: u16) -> lapin::Result<Consumer> {
        channel
            .basic_qos(prefetch, BasicQosOptions::default())
            .await?;
        let queue = short(&self.source.queue);
        let options = BasicConsumeOptions::default();
        channel
            .basic_consume(queue, "".into(), options, FieldTable::default())
            .await
    }

    /// Nothing is consumed; what was delivered before can still be settled on the channel.
    async fn idle(&mut self, open: &Open<'_>) -> End {
        loop {
            tokio::select! {
                () = self.link.stop.cancelled() => return End::Stopped,
                () = self.deliveries.closed() => return End::Stopped,
                changed = self.wanted.changed() => {
                    return if changed.is_ok() { End::Changed } else { End::Stopped };
                }
                () = tokio::time::sleep(PULSE) => {
                    if !open.is_usable() {
                        return End::Lost("channel closed".into());
                    }
                }
            }
        }
    }

    async fn forward(&mut self, open: &mut Open<'_>, mut from: Consumer) -> End {
        let mut pulse = tokio::time::interval(PULSE);
        loop {
            let message = tokio::select! {
                () = self.link.stop.cancelled() => return End::Stopped,
                () = self.deliveries.closed() => return End::Stopped,
                changed = self.wanted.changed() => {
                    return match changed {
                        Ok(()) => self.cancel(open, from).await,
                        Err(_) => End::Stopped,
                    };
                }
                _ = pulse.tick() => {
                    if open.is_usable() {
                        continue;
                    }
                    return End::Lost("channel closed".into());
                }
                message = from.next() => message,
            };
            match message {
                Some(Ok(message)) => {
                    if !self.hand_over(open, message).await {
                        return End::Stopped;
                    }
                }
                Some(Err(error)) => return End::Lost(error.to_string()),
                None if open.is_usable() => return End::Cancelled,
                None => return End::Lost("channel closed".into()),
            }
        }
    }

    /// Ends a consumer on our own wish; what was on its way is still handed over.
    async fn cancel(&mut self, open: &mut Open<'_>, mut from: Consumer) -> End {
        let options = BasicCancelOptions::default();
        let cancelling = open.channel.basic_cancel(from.tag(), options);
        if let Err(fault) = answered(cancelling).await {
            return End::Lost(self.note(open.live, fault));
        }
        loop {
            // Everything is here already: this only ends late if lapin forgot to end it.
            match tokio::time::timeout(ANSWER_TIMEOUT, from.next()).await {
                Ok(Some(Ok(message))) => {
                    if !self.hand_over(open, message).await {
                        return End::Stopped;
                    }
                }
                Ok(Some(Err(error))) => return End::Lost(error.to_string()),
                Ok(None) => return End::Changed,
                Err(_) => return End::Lost("a cancelled consumer did not end".into()),
            }
        }
    }

    /// False when the subscription is over.
    async fn hand_over(&self, open: &mut Open<'_>, message: lapin::message::Delivery) -> bool {
        metric::delivered(&self.source.queue);
        open.delivered_any = true;
        let delivery = Delivery::new(message, Arc::clone(&open.session));
        tokio::select! {
            () = self.link.stop.cancelled() => false,
            sent = self.deliveries.send(delivery) => sent.is_ok(),
        }
    }

    /// Waits, and says whether the subscription came to its end meanwhile.
    async fn stopped_within(&self, pause: Duration) -> bool {
        tokio::select! {
            () = self.link.stop.cancelled() => true,
            () = self.deliveries.closed() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }

    /// The queue is gone: the next session shall find it, where declaring is our business.
    async fn declare(&self, live: &Live) {
        let Some(regions) = &self.link.declares else {
            return;
        };
        if let Err(fault) = answered(topology::declare(&live.connection, regions)).await {
            tracing::warn!(error = %fault, "the topology could not be declared again");
        }
    }

    /// A connection that does not answer is given up for all its users.
    fn note(&self, live: &Live, fault: Fault) -> String {
        let reason = fault.to_string();
        if matches!(fault, Fault::Timeout) {
            self.link.report(Report::Broken {
                generation: live.generation,
                reason: reason.clone(),
            });
        }
        reason
    }
}

/// An open channel and what belongs to it.
struct Open<'a> {
    live: &'a Live,
    channel: Channel,
    session: Arc<Session>,
    delivered_any: bool,
}

impl Open<'_> {
    /// Whether both the channel and its connection still count.
    fn is_usable(&self) -> bool {
        let current = self.session.link.live();
        let same = current.is_some_and(|live| live.generation == self.live.generation);
        same && self.channel.status().connected()
    }
}

/// Why a channel was given up, and whether it had been of any use.
struct Lost {
    delivered_any: bool,
    reason: String,
}

/// A channel operation that did not come to a good end.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Broker(#[from] lapin::Error),
    #[error("the broker does not answer")]
    Timeout,
}

impl Fault {
    fn is_not_found(&self) -> bool {
        match self {
            Self::Broker(error) => match error.kind() {
                lapin::ErrorKind::ProtocolError(error) => error.get_id() == NOT_FOUND,
                _ => false,
            },
            Self::Timeout => false,
        }
    }
}

async fn answered<T>(operation: impl Future<Output = lapin::Result<T>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER_TIMEOUT, operation).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Fault::Timeout),
    }
}
