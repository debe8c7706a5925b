//! Consuming with manual acknowledgements, through lost connections, cancelled consumers and
//! queues that were deleted.

mod driver;

use tokio::sync::{mpsc, watch};

use crate::connection::Link;
use crate::delivery::{Delivery, Source};

/// The largest prefetch: what a process may hold of a queue without having settled it.
pub const MAX_PREFETCH: u16 = 1_000;

/// What the owner wants of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    prefetch: u16,
    paused: bool,
}

/// Deliveries of one queue. Ends when it is dropped or when the bus is closed; deliveries that
/// are unsettled then go back to the queue, so on the way out: [`Subscription::pause`], settle
/// what is in flight, and only then drop it.
#[derive(Debug)]
pub struct Subscription {
    deliveries: mpsc::Receiver<Delivery>,
    wanted: watch::Sender<Wanted>,
    idle: watch::Receiver<bool>,
    trouble: watch::Receiver<Option<String>>,
}

impl Subscription {
    /// Makes the subscription and the task that drives it.
    pub(crate) fn new(
        link: Link,
        source: Source,
        prefetch: u16,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let wanted = watch::Sender::new(Wanted {
            prefetch: prefetch.clamp(1, MAX_PREFETCH),
            paused: false,
        });
        // Never holds more than the broker sends without acknowledgement.
        let (sender, deliveries) = mpsc::channel(MAX_PREFETCH.into());
        let (idle_now, idle) = watch::channel(false);
        let (trouble_in, trouble) =
            watch::channel(Some(format!("{} is not consumed yet", source.queue)));
        let says = driver::Says {
            idle: idle_now,
            trouble: trouble_in,
        };
        let driver = driver::Driver::new(link, source, wanted.subscribe(), sender, says);
        let subscription = Self {
            deliveries,
            wanted,
            idle,
            trouble,
        };
        (subscription, driver.run())
    }

    /// Why the queue is not consumed, for an operator, now and from now on: it is absent, or the
    /// connection is. `None` while it is consumed, and while it is paused and could be.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// The next delivery that can still be settled; waits through any outage. `None` once the
    /// bus is closed. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.deliveries.recv().await?;
            if delivery.is_current() {
                return Some(delivery);
            }
        }
    }

    /// A delivery that is here already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.deliveries.try_recv().ok()?;
            if delivery.is_current() {
                return Some(delivery);
            }
        }
    }

    /// Asks the broker to send nothing more (the database is away, the self-check failed).
    /// What was sent before still comes out of [`Subscription::next`] and can be settled.
    pub fn pause(&self) {
        self.change(|wanted| wanted.paused = true);
    }

    /// Resolves once a pause has come into effect: the broker sends nothing more, so what is given back to the queue
    /// now does not come back at once. Waits through any outage. Cancel safe.
    pub async fn paused(&mut self) {
        // Fails only when the bus is closed, which sends nothing either.
        drop(self.idle.wait_for(|idle| *idle).await);
    }

    /// Takes deliveries again.
    pub fn resume(&self) {
        self.change(|wanted| wanted.paused = false);
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.wanted.borrow().paused
    }

    /// How many unsettled deliveries this process may hold, 1 to [`MAX_PREFETCH`] (clamped). A
    /// change restarts the consumer, so make few of them.
    pub fn set_prefetch(&self, prefetch: u16) {
        self.change(|wanted| wanted.prefetch = prefetch.clamp(1, MAX_PREFETCH));
    }

    fn change(&self, apply: impl FnOnce(&mut Wanted)) {
        self.wanted.send_if_modified(|wanted| {
            let before = *wanted;
            apply(wanted);
            before != *wanted
        });
    }
}
