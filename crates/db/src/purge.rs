//! What the background removes: the history of deleted services, and history past its time.
//! Always in bounded batches, so that no statement runs long or locks much.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel::{Insertable, Queryable, Selectable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::failure::Error;
use crate::partitions::lock::{self, UPKEEP_LOCK};
use crate::pool::{Db, Session};
use crate::schema::purge;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `purge`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = purge, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Purge {
    pub service_id: Uuid,
    pub user_id: Uuid,
    pub requested_at: DateTime<Utc>,
}

/// Makes the caller the only one that does upkeep, until it drops the session; `None` where
/// another process is at it.
///
/// # Errors
/// The database is away.
pub async fn alone(db: &Db) -> Result<Option<Session>, Error> {
    let mut session = db.session().await?;
    let taken = lock::try_acquire(&mut session, UPKEEP_LOCK).await?;
    Ok(taken.then_some(session))
}

/// Locks the oldest deleted service that nobody else is purging.
///
/// # Errors
/// The connection is gone.
pub async fn lock_next(conn: &mut Conn) -> QueryResult<Option<Uuid>> {
    let next: Vec<Uuid> = statement::<SqlUuid>(
        "SELECT service_id FROM purge ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .load(conn)
    .await?;
    Ok(next.into_iter().next())
}

/// Deletes a batch of a locked service's history, about `limit` rows of each table; forgets the
/// service when nothing is left. Returns how many rows went.
///
/// # Errors
/// The connection is gone.
pub async fn delete_batch(conn: &mut Conn, service: Uuid, limit: i64) -> QueryResult<usize> {
    let mut deleted = 0;
    for sql in BATCHES {
        deleted += statement::<()>(sql)
            .bind::<SqlUuid, _>(&service)
            .bind::<BigInt, _>(&limit)
            .execute(conn)
            .await?;
    }
    if deleted == 0 {
        statement::<()>("DELETE FROM purge WHERE service_id = $1")
            .bind::<SqlUuid, _>(&service)
            .execute(conn)
            .await?;
    }
    Ok(deleted)
}

/// By time and not by row: each walks the oldest end of one index. Deliveries go with their alerts.
const BATCHES: [&str; 5] = [
    "DELETE FROM incidents WHERE id IN \
         (SELECT id FROM incidents WHERE service_id = $1 LIMIT $2)",
    "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE service_id = $1 LIMIT $2)",
    "DELETE FROM probe_results WHERE service_id = $1 AND scheduled_at <= coalesce( \
         (SELECT scheduled_at FROM probe_results WHERE service_id = $1 \
           ORDER BY scheduled_at OFFSET $2 LIMIT 1), 'infinity')",
    "DELETE FROM rollup_hourly WHERE service_id = $1 AND hour <= coalesce( \
         (SELECT hour FROM rollup_hourly WHERE service_id = $1 \
           ORDER BY hour OFFSET $2 LIMIT 1), 'infinity')",
    "DELETE FROM rollup_daily WHERE service_id = $1 AND day <= coalesce( \
         (SELECT day FROM rollup_daily WHERE service_id = $1 \
           ORDER BY day OFFSET $2 LIMIT 1), 'infinity')",
];

/// History that a time alone decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aged {
    /// Closed incidents, by their beginning.
    Incidents,
    /// Alerts with their deliveries, by their creation.
    Alerts,
    /// Refresh tokens, by their expiry.
    RefreshTokens,
    /// Security events, by their time.
    AuditLog,
    /// Counters of requests, by the end of their window.
    RateLimits,
    /// Answers kept for an `Idempotency-Key`, by their creation.
    IdempotencyKeys,
}

/// Deletes at most `limit` rows older than `before` and returns how many went.
///
/// # Errors
/// The connection is gone.
pub async fn delete_aged(
    conn: &mut Conn,
    what: Aged,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<usize> {
    let sql = match what {
        Aged::Incidents => {
            "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents \
              WHERE started_at < $1 AND ended_at IS NOT NULL LIMIT $2)"
        }
        Aged::Alerts => {
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE created_at < $1 LIMIT $2)"
        }
        Aged::RefreshTokens => {
            "DELETE FROM refresh_tokens WHERE id IN \
             (SELECT id FROM refresh_tokens WHERE expires_at < $1 LIMIT $2)"
        }
        Aged::AuditLog => {
            "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 LIMIT $2)"
        }
        Aged::RateLimits => {
            "DELETE FROM rate_limits WHERE key IN \
             (SELECT key FROM rate_limits WHERE ends_at < $1 LIMIT $2) AND ends_at < $1"
        }
        Aged::IdempotencyKeys => {
            "DELETE FROM idempotency_keys WHERE (user_id, key) IN \
             (SELECT user_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)"
        }
    };
    statement::<()>(sql)
        .bind::<Timestamptz, _>(&before)
        .bind::<BigInt, _>(&limit)
        .execute(conn)
        .await
}

/// Asks for the removal of a deleted service's history.
///
/// # Errors
/// The connection is gone.
pub async fn ask(
    conn: &mut Conn,
    service: Uuid,
    user: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::insert_into(purge::table)
        .values(Purge {
            service_id: service,
            user_id: user,
            requested_at: now,
        })
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .map(drop)
}
