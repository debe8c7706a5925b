//! Advisory locks for maintenance that only one process does at a time.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl as _;

use crate::failure::Error;
use crate::pool::Session;
use crate::statement::statement;

/// Held while migrations run.
pub(crate) const MIGRATIONS_LOCK: Lock = Lock {
    key: 0x7075_6c73_0001,
    name: "migration",
};
/// Held while partitions are made or dropped.
pub(crate) const PARTITIONS_LOCK: Lock = Lock {
    key: 0x7075_6c73_0002,
    name: "partition upkeep",
};
/// Held by the one process that does the hourly upkeep.
pub(crate) const UPKEEP_LOCK: Lock = Lock {
    key: 0x7075_6c73_0003,
    name: "upkeep",
};

/// How often a lock is asked for in all; with [`PAUSE`] a minute.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(300);

/// One advisory lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lock {
    key: i64,
    name: &'static str,
}

/// Takes the lock for the rest of the session. Asks again and again rather than waiting in
/// PostgreSQL: a waiting statement holds a snapshot, for which concurrent DDL would wait.
pub(crate) async fn acquire(session: &mut Session, lock: Lock) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        if try_acquire(session, lock).await? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Busy(lock.name))
}

/// Takes the lock for the rest of the session if it is free now.
pub(crate) async fn try_acquire(session: &mut Session, lock: Lock) -> Result<bool, Error> {
    let taken = statement::<Bool>("SELECT pg_try_advisory_lock($1)")
        .bind::<BigInt, _>(&lock.key)
        .get_result(&mut **session)
        .await?;
    Ok(taken)
}
