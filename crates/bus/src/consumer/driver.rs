//! The task behind a subscription: channel, consumer, forwarding, and all of it again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::{mpsc, watch};

use super::Wanted;
use crate::connection::{Link, Live, NORMAL_CLOSE, Report, backoff, short};
use crate::delivery::{Delivery, Source};
use crate::{metric, topology};

/// The broker answers a channel operation within this, or the connection is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the channel's state is looked at, should its end have been missed.
const PULSE: Duration = Duration::from_secs(1);
/// AMQP's code for a queue that is not there.
const NOT_FOUND: u16 = 404;

pub(super) struct Driver {
    link: Link,
    source: Arc<Source>,
    wanted: watch::Receiver<Wanted>,
    deliveries: mpsc::Sender<Delivery>,
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
    ) -> Self {
        Self {
            link,
            source: Arc::new(source),
            wanted,
            deliveries,
        }
    }

    pub(super) async fn run(mut self) {
        let mut failures = 0;
        loop {
            let live = tokio::select! {
                () = self.deliveries.closed() => return,
                live = self.link.wait_live() => live,
            };
            let Some(live) = live else { return };
            let delivered_any;
            let reason = match self.session(&live).await {
                Ok(()) => return,
                Err(lost) => {
                    delivered_any = lost.delivered_any;
                    lost.reason
                }
            };
            if delivered_any {
                failures = 0;
            }
            let queue = &self.source.queue;
            tracing::warn!(%queue, %reason, "the consumer was lost: subscribing again");
            metric::resubscribed(queue);
            tokio::select! {
                () = self.link.stop.cancelled() => return,
                () = self.deliveries.closed() => return,
                () = tokio::time::sleep(backoff(failures)) => {}
            }
            failures = failures.saturating_add(1);
        }
    }

    /// One channel, for as long as it lasts. `Ok` when the subscription is over.
    async fn session(&mut self, live: &Live) -> Result<(), Lost> {
        let mut lost = Lost::default();
        let channel = match answered(live.connection.create_channel()).await {
            Ok(channel) => channel,
            Err(fault) => return Err(lost.because(self.note(live, fault))),
        };
        loop {
            let wanted = *self.wanted.borrow_and_update();
            let end = if wanted.paused {
                self.idle(&channel).await
            } else {
                match answered(self.consume(&channel, wanted.prefetch)).await {
                    Ok(consumer) => self.forward(&channel, consumer, &mut lost).await,
                    Err(fault) => {
                        if fault.is_not_found() {
                            self.declare(live).await;
                        }
                        End::Lost(self.note(live, fault))
                    }
                }
            };
            match end {
                End::Changed => {}
                End::Cancelled => {
                    tracing::warn!(queue = %self.source.queue, "the broker cancelled the consumer");
                    metric::resubscribed(&self.source.queue);
                }
                End::Lost(reason) => return Err(lost.because(reason)),
                End::Stopped => {
                    let closing = channel.close(NORMAL_CLOSE, "done".into());
                    drop(answered(closing).await); // going anyway
                    return Ok(());
                }
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
    async fn idle(&mut self, channel: &Channel) -> End {
        loop {
            tokio::select! {
                () = self.link.stop.cancelled() => return End::Stopped,
                () = self.deliveries.closed() => return End::Stopped,
                changed = self.wanted.changed() => {
                    return if changed.is_ok() { End::Changed } else { End::Stopped };
                }
                () = tokio::time::sleep(PULSE) => {
                    if !channel.status().connected() {
                        return End::Lost("channel closed".into());
                    }
                }
            }
        }
    }

    async fn forward(&mut self, channel: &Channel, mut from: Consumer, lost: &mut Lost) -> End {
        let mut pulse = tokio::time::interval(PULSE);
        loop {
            let message = tokio::select! {
                () = self.link.stop.cancelled() => return End::Stopped,
                () = self.deliveries.closed() => return End::Stopped,
                changed = self.wanted.changed() => {
                    return match changed {
                        Ok(()) => self.cancel(channel, from).await,
                        Err(_) => End::Stopped,
                    };
                }
                _ = pulse.tick() => {
                    if !channel.status().connected() {
                        return End::Lost("channel closed".into());
                    }
                    continue;
                }
                message = from.next() => message,
            };
            match message {
                Some(Ok(message)) => {
                    lost.delivered_any = true;
                    if !self.hand_over(message).await {
                        return End::Stopped;
                    }
                }
                Some(Err(error)) => return End::Lost(error.to_string()),
                None if channel.status().connected() => return End::Cancelled,
                None => return End::Lost("channel closed".into()),
            }
        }
    }

    /// Ends a consumer on our own wish; what was on its way is still handed over.
    async fn cancel(&mut self, channel: &Channel, mut from: Consumer) -> End {
        let cancelling = channel.basic_cancel(from.tag(), BasicCancelOptions::default());
        if let Err(fault) = answered(cancelling).await {
            return End::Lost(fault.to_string());
        }
        while let Some(message) = from.next().await {
            match message {
                Ok(message) => {
                    if !self.hand_over(message).await {
                        return End::Stopped;
                    }
                }
                Err(error) => return End::Lost(error.to_string()),
            }
        }
        End::Changed
    }

    /// False when the subscription is over.
    async fn hand_over(&self, message: lapin::message::Delivery) -> bool {
        metric::delivered(&self.source.queue);
        let delivery = Delivery::new(message, Arc::clone(&self.source));
        tokio::select! {
            () = self.link.stop.cancelled() => false,
            sent = self.deliveries.send(delivery) => sent.is_ok(),
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

/// Why a channel was given up, and whether it had been of any use.
#[derive(Default)]
struct Lost {
    delivered_any: bool,
    reason: String,
}

impl Lost {
    fn because(self, reason: String) -> Self {
        Self { reason, ..self }
    }
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
