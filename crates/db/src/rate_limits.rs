//! Counters of requests that all processes share: one row a limited thing and window.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz};
use diesel_async::RunQueryDsl as _;
use models::limit::Count;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// So many more of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What is limited.
    pub key: String,
    /// How many more.
    pub want: u32,
    /// How long a window lasts.
    pub window: TimeDelta,
}

/// Counts `asks`, all in one statement, and returns where each stands with them, in their order.
/// Keys must differ.
///
/// # Errors
/// The connection is gone.
pub async fn ask(conn: &mut Conn, asks: &[Ask], now: DateTime<Utc>) -> QueryResult<Vec<Count>> {
    let keys: Vec<&str> = asks.iter().map(|ask| ask.key.as_str()).collect();
    let wants: Vec<i64> = asks.iter().map(|ask| i64::from(ask.want)).collect();
    let ends: Vec<DateTime<Utc>> = asks.iter().map(|ask| now + ask.window).collect();
    // The order of keys is everybody's, so that two statements never wait for each other.
    let rows: Vec<(String, i64, DateTime<Utc>)> = statement::<(Text, BigInt, Timestamptz)>(
        "INSERT INTO rate_limits AS r (key, asked, ends_at) \
         SELECT * FROM unnest($1, $2, $3) AS t (key, asked, ends_at) ORDER BY key \
         ON CONFLICT (key) DO UPDATE SET (asked, ends_at) = ( \
             SELECT CASE WHEN runs THEN r.asked + excluded.asked ELSE excluded.asked END, \
                    CASE WHEN runs THEN r.ends_at ELSE excluded.ends_at END \
               FROM (SELECT $4 < r.ends_at \
                        AND r.ends_at <= excluded.ends_at + (excluded.ends_at - $4) AS runs) w) \
         RETURNING key, asked, ends_at",
    )
    .bind::<Array<Text>, _>(&keys)
    .bind::<Array<BigInt>, _>(&wants)
    .bind::<Array<Timestamptz>, _>(&ends)
    .bind::<Timestamptz, _>(&now)
    .load(conn)
    .await?;
    asks.iter()
        .map(|ask| {
            let row = rows.iter().find(|row| row.0 == ask.key);
            row.map(|row| Count {
                asked: u64::try_from(row.1).unwrap_or(0),
                ends_at: row.2,
            })
            .ok_or(diesel::result::Error::NotFound)
        })
        .collect()
}

/// Takes one back of each, where it was counted for nothing.
///
/// # Errors
/// The connection is gone.
pub async fn give_back(conn: &mut Conn, keys: &[String]) -> QueryResult<usize> {
    // In the order in which they are counted; see `ask`.
    statement::<()>(
        "UPDATE rate_limits SET asked = greatest(asked - 1, 0) WHERE key IN \
         (SELECT key FROM rate_limits WHERE key = ANY ($1) ORDER BY key FOR UPDATE)",
    )
    .bind::<Array<Text>, _>(keys)
    .execute(conn)
    .await
}

/// Begins counting anew.
///
/// # Errors
/// The connection is gone.
pub async fn forget(conn: &mut Conn, keys: &[String]) -> QueryResult<usize> {
    // In the order in which they are counted; see `ask`.
    statement::<()>(
        "DELETE FROM rate_limits WHERE key IN \
         (SELECT key FROM rate_limits WHERE key = ANY ($1) ORDER BY key FOR UPDATE)",
    )
    .bind::<Array<Text>, _>(keys)
    .execute(conn)
    .await
}

/// Begins counting anew whatever has a key that begins with one of `prefixes`. Reads every row: for what is rare.
///
/// # Errors
/// The connection is gone.
pub async fn forget_all(conn: &mut Conn, prefixes: &[String]) -> QueryResult<usize> {
    // In the order in which they are counted; see `ask`.
    statement::<()>(
        "DELETE FROM rate_limits WHERE key IN \
         (SELECT key FROM rate_limits WHERE key ^@ ANY ($1) ORDER BY key FOR UPDATE)",
    )
    .bind::<Array<Text>, _>(prefixes)
    .execute(conn)
    .await
}
