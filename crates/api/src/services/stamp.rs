//! The moment of a change that moves a span's edge.

use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta};
use db::Conn;
use models::Time;
use runtime::Clock;
use tokio::time::Instant;

use crate::error::Problem;

/// Schedulers send up to 2 s ahead, and a change's transaction may take 1.5 s: a new configuration that begins 5 s
/// after its stamp can not have been sent by the old one.
const BEGINS_AFTER: TimeDelta = TimeDelta::seconds(5);
/// A transaction that ends later than this after its stamp is given up.
const FRESH_FOR: Duration = Duration::from_millis(1500);

/// A moment by the database's clock, taken after the transaction's locks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// The moment, to the millisecond.
    pub(super) at: Time,
    asked: Instant,
}

impl Stamp {
    /// From here on no statement of the transaction may take longer than the whole is allowed to.
    pub(super) async fn take(conn: &mut Conn, clock: &Clock) -> Result<Self, Problem> {
        db::transaction::limit_statements(conn, FRESH_FOR).await?;
        let asked = Instant::now();
        let at = db::time::stamp(conn, clock.shift()).await?;
        Ok(Self {
            at: at.trunc_subsecs(3),
            asked,
        })
    }

    /// When a configuration that follows from this change begins.
    pub(super) fn begins_at(self) -> Time {
        self.at + BEGINS_AFTER
    }

    /// The last thing in the transaction.
    pub(super) fn require_fresh(self) -> Result<(), Problem> {
        if self.asked.elapsed() > FRESH_FOR {
            return Err(Problem::unavailable(
                "the change took too long after its stamp",
            ));
        }
        Ok(())
    }
}
