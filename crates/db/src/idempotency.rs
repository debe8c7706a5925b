//! Answers to creates that carried an `Idempotency-Key`, kept for a day.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::Queryable;
use diesel::sql_types::{Binary, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// An answer and what it answered.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Kept {
    /// SHA-256 of what was asked for.
    pub asked: Vec<u8>,
    /// What was made. It may have been deleted since.
    pub service_id: Uuid,
    /// Its entity tag then.
    pub etag: String,
    /// The answer's body.
    pub body: String,
}

/// Makes the transaction the only one that works with this key, until it ends. False: another one is at it.
///
/// # Errors
/// The connection is gone.
pub async fn try_lock(conn: &mut Conn, user: Uuid, key: &str) -> QueryResult<bool> {
    statement::<Bool>("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7))")
        .bind::<Text, _>(&format!("idempotency {user} {key}"))
        .get_result(conn)
        .await
}

/// What was answered to a user's key since `oldest`.
///
/// # Errors
/// The connection is gone.
pub async fn find(
    conn: &mut Conn,
    user: Uuid,
    key: &str,
    oldest: DateTime<Utc>,
) -> QueryResult<Option<Kept>> {
    statement::<(Binary, SqlUuid, Text, Text)>(
        "SELECT asked, service_id, etag, body FROM idempotency_keys \
          WHERE user_id = $1 AND key = $2 AND created_at > $3",
    )
    .bind::<SqlUuid, _>(&user)
    .bind::<Text, _>(key)
    .bind::<Timestamptz, _>(&oldest)
    .get_result(conn)
    .await
    .optional()
}

/// Keeps an answer; one that is too old to be found is replaced.
///
/// # Errors
/// The connection is gone.
pub async fn keep(
    conn: &mut Conn,
    (user, key): (Uuid, &str),
    kept: &Kept,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    statement::<()>(
        "INSERT INTO idempotency_keys (user_id, key, asked, service_id, etag, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (user_id, key) DO UPDATE SET asked = excluded.asked, service_id = excluded.service_id, \
             etag = excluded.etag, body = excluded.body, created_at = excluded.created_at",
    )
    .bind::<SqlUuid, _>(&user)
    .bind::<Text, _>(key)
    .bind::<Binary, _>(&kept.asked)
    .bind::<SqlUuid, _>(&kept.service_id)
    .bind::<Text, _>(&kept.etag)
    .bind::<Text, _>(&kept.body)
    .bind::<Timestamptz, _>(&now)
    .execute(conn)
    .await
    .map(drop)
}
