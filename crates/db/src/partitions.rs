//! Partitions of the big tables: made ahead, dropped when their time is over.
//!
//! Neither may ever block writers. A partition is created beside its table, with a CHECK that
//! spares the scan, and then attached; it is detached concurrently and then dropped. Every lock
//! is waited for shortly and asked for again. A crash at any point leaves a table that the next
//! run attaches or drops.

pub(crate) mod lock;
mod span;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use crate::failure::{Error, Failure};
use crate::pool::{Db, Session};
use crate::statement::statement;
use crate::{Conn, QueryResult};
use lock::PARTITIONS_LOCK;
pub use span::{ALL, Partitioned};
use span::{Span, midnight};

/// How far ahead partitions are made: long enough that a fortnight without upkeep harms nobody.
pub const DAYS_AHEAD: i64 = 14;
/// How far back partitions of results are made whatever is kept: an older result is refused.
pub const OLDEST_RESULT_DAYS: u32 = 31;
/// Longest wait for a lock; writers queue behind whoever waits.
pub const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
/// How often a statement that did not get its lock is tried in all; the next upkeep goes on.
pub const LOCK_ATTEMPTS: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(200);
/// DDL on an empty or detached table is quick; this bounds what waits for old transactions.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long each table keeps its rows, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// `probe_results`.
    pub results: u32,
    /// `rollup_hourly`.
    pub hourly: u32,
    /// `rollup_daily`.
    pub daily: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            results: 30,
            hourly: 35,
            daily: 400,
        }
    }
}

impl Keep {
    /// What may still be written, and so needs a partition.
    fn written(self) -> Self {
        Self {
            results: self.results.min(OLDEST_RESULT_DAYS),
            ..self
        }
    }

    fn days(self, table: Partitioned) -> TimeDelta {
        TimeDelta::days(i64::from(match table {
            Partitioned::Results => self.results,
            Partitioned::Hourly => self.hourly,
            Partitioned::Daily => self.daily,
        }))
    }
}

/// Makes every partition that rows from the oldest that may still come (all that is kept, of
/// results at most [`OLDEST_RESULT_DAYS`]) to [`DAYS_AHEAD`] days after `now` need; returns the names of those that were missing.
///
/// # Errors
/// The database is away, or another process keeps the lock.
pub async fn ensure(db: &Db, now: DateTime<Utc>, keep: Keep) -> Result<Vec<String>, Error> {
    let mut session = maintenance(db).await?;
    let mut made = Vec::new();
    for table in ALL {
        let attached = attached(&mut session, table).await?;
        let first = (now - keep.written().days(table)).date_naive();
        let last = (now + TimeDelta::days(DAYS_AHEAD)).date_naive();
        let missing: Vec<Span> = table
            .cover(first, last)
            .into_iter()
            .filter(|span| !attached.iter().any(|child| child.name == span.name))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let sql: String = missing.iter().map(|span| create_sql(table, span)).collect();
        // One simple query is one transaction: all of a table's partitions or none.
        patiently(&mut session, &sql).await?;
        made.extend(missing.into_iter().map(|span| span.name));
    }
    Ok(made)
}

fn create_sql(table: Partitioned, span: &Span) -> String {
    let (parent, column, name) = (table.table(), table.column(), &span.name);
    let (from, to) = (
        midnight(span.from).to_rfc3339(),
        midnight(span.to).to_rfc3339(),
    );
    // IF NOT EXISTS: a table that an earlier run detached and did not drop is attached again.
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (LIKE {parent} INCLUDING ALL);
         ALTER TABLE {name} ADD CONSTRAINT {name}_span
             CHECK ({column} IS NOT NULL AND {column} >= '{from}' AND {column} < '{to}');
         ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');
         ALTER TABLE {name} DROP CONSTRAINT {name}_span;\n"
    )
}

/// Drops every partition all of whose rows are older than `keep` says; returns their names.
/// Finishes what a run that died between detaching and dropping left.
///
/// # Errors
/// The database is away, another process keeps the lock, or a table stays locked: those before
/// it are gone, the rest waits for the next run.
pub async fn drop_expired(db: &Db, now: DateTime<Utc>, keep: Keep) -> Result<Vec<String>, Error> {
    let mut session = maintenance(db).await?;
    let mut dropped = Vec::new();
    for table in ALL {
        let oldest_kept = now - keep.days(table);
        let parent = table.table();
        for child in attached(&mut session, table).await? {
            let name = &child.name;
            if child.detaching {
                let sql = format!("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE");
                patiently(&mut session, &sql).await?;
            } else if table
                .of_name(name)
                .is_some_and(|span| midnight(span.to) <= oldest_kept)
            {
                let sql = format!("ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY");
                detach(&mut session, &sql, parent, name).await?;
            }
        }
        for name in detached(&mut session, table).await? {
            if table
                .of_name(&name)
                .is_some_and(|span| midnight(span.to) <= oldest_kept)
            {
                patiently(&mut session, &format!("DROP TABLE {name}")).await?;
                dropped.push(name);
            }
        }
    }
    Ok(dropped)
}

/// The first attempt may fail half way: it is then pending, and only FINALIZE goes on.
async fn detach(session: &mut Session, sql: &str, parent: &str, name: &str) -> Result<(), Error> {
    match session.batch_execute(sql).await {
        Ok(()) => Ok(()),
        Err(error) if Failure::of(&error) == Failure::Conflict => {
            let pending = statement::<Bool>(
                "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending \
                   AND inhrelid = to_regclass($1))",
            )
            .bind::<Text, _>(name)
            .get_result(&mut **session)
            .await?;
            let next = match pending {
                true => format!("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE"),
                false => sql.to_owned(),
            };
            patiently(session, &next).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs `sql` until it gets its locks.
async fn patiently(session: &mut Session, sql: &str) -> Result<(), Error> {
    for _ in 1..LOCK_ATTEMPTS {
        match session.batch_execute(sql).await {
            Err(error) if Failure::of(&error) == Failure::Conflict => {}
            done => return Ok(done?),
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Ok(session.batch_execute(sql).await?)
}

async fn maintenance(db: &Db) -> Result<Session, Error> {
    let mut session = db.session().await?;
    session
        .batch_execute(&format!(
            "SET lock_timeout = {}; SET statement_timeout = {}",
            LOCK_TIMEOUT.as_millis(),
            STATEMENT_TIMEOUT.as_millis()
        ))
        .await?;
    lock::acquire(&mut session, PARTITIONS_LOCK).await?;
    Ok(session)
}

struct Child {
    name: String,
    detaching: bool,
}

/// Partitions of `table`, those on their way out included.
async fn attached(conn: &mut Conn, table: Partitioned) -> QueryResult<Vec<Child>> {
    let rows: Vec<(String, bool)> = statement::<(Text, Bool)>(
        "SELECT c.relname::text, i.inhdetachpending FROM pg_inherits i \
           JOIN pg_class c ON c.oid = i.inhrelid \
          WHERE i.inhparent = to_regclass($1) ORDER BY c.relname",
    )
    .bind::<Text, _>(table.table())
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(name, detaching)| Child { name, detaching })
        .collect())
}

/// Tables that look like partitions of `table` and are not attached.
async fn detached(conn: &mut Conn, table: Partitioned) -> QueryResult<Vec<String>> {
    statement::<Text>(
        "SELECT c.relname::text FROM pg_class c \
          WHERE c.relkind = 'r' AND NOT c.relispartition \
            AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($1)) \
            AND c.relname ~ ('^' || $1 || '_[0-9]{8}$') ORDER BY c.relname",
    )
    .bind::<Text, _>(table.table())
    .load(conn)
    .await
}
