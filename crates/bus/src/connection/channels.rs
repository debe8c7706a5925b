//! The channels of a publishing connection, each for one window of messages at a time.
//!
//! The broker hands back a message that found no queue without the number of its confirm. lapin takes it for that of
//! the next message that is confirmed on the channel, whosever that is; and where the broker confirms several at once,
//! for that of any of them. So nobody may share a channel while he waits for confirms: another's message would be told
//! as lost, and his own, which is, as stored.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Windows on their way at one time, of one process: twice what a prober has. More wait for their turn.
const MAX_CHANNELS: usize = 32;

/// Opened as they are needed; what is idle is used again.
#[derive(Debug)]
pub(crate) struct Channels {
    idle: Mutex<Vec<Channel>>,
    places: Semaphore,
}

/// A channel of one's own. It is closed with this unless it is given back.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    channel: Channel,
    of: &'a Channels,
    _place: SemaphorePermit<'a>,
}

impl Channels {
    /// Opens the first one, so that a connection that can't publish is known at once.
    pub(super) async fn open(connection: &Connection) -> lapin::Result<Self> {
        let first = confirming(connection).await?;
        Ok(Self {
            idle: Mutex::new(vec![first]),
            places: Semaphore::new(MAX_CHANNELS),
        })
    }

    /// Waits for one that nobody uses.
    pub(crate) async fn take(&self, connection: &Connection) -> lapin::Result<Taken<'_>> {
        let closed =
            |_never| lapin::ErrorKind::InvalidConnectionState(lapin::ConnectionState::Closed);
        let place = self.places.acquire().await.map_err(closed)?;
        let idle = self.idle().pop();
        let channel = match idle {
            Some(channel) => channel,
            None => confirming(connection).await?,
        };
        Ok(Taken {
            channel,
            of: self,
            _place: place,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken<'_> {
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// To be called when all that was published on it is confirmed, and never else: what comes later would be taken for
    /// the next one's.
    pub(crate) fn give_back(self) {
        self.of.idle().push(self.channel);
    }
}

async fn confirming(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}
