//! What all parts of the process share.

use chrono::TimeDelta;
use db::Db;
use models::Time;
use models::evaluate::Rules;
use models::signature::Keys;
use runtime::Clock;
use tokio::sync::watch;
use uuid::{NoContext, Timestamp, Uuid};

/// Shared by the consumer and the sweeps.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) rules: Rules,
    pub(crate) cooldown: TimeDelta,
    pub(crate) retention: TimeDelta,
    pub(crate) keys: Keys,
    pub(crate) gate: Gate,
}

/// Closed until the database has the schema we know and has told its time.
#[derive(Debug)]
pub(crate) struct Gate {
    known: watch::Sender<(bool, bool)>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self {
            known: watch::Sender::new((false, false)),
        }
    }

    pub(crate) fn schema_is(&self, current: bool) {
        self.known.send_modify(|known| known.0 = current);
    }

    pub(crate) fn time_is_known(&self) {
        self.known.send_modify(|known| known.1 = true);
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.known.borrow() == (true, true)
    }

    /// Returns once it is open. Cancel safe.
    pub(crate) async fn opened(&self) {
        let mut known = self.known.subscribe();
        // The sender lives in `self`.
        drop(known.wait_for(|known| *known == (true, true)).await);
    }
}

/// A new id, ordered by time.
pub(crate) fn new_id(now: Time) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}
