//! What all parts of the process share.

use chrono::TimeDelta;
use db::{Db, Gate};
use models::Time;
use models::evaluate::Rules;
use models::signature::Keys;
use runtime::Clock;
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

/// A new id, ordered by time.
pub(crate) fn new_id(now: Time) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}
