//! Claiming what is due, and writing down what came of it.
//!
//! A claim is one transaction of the caller: [`lock_due`], [`worlds`], then [`mark_sending`] and
//! [`settle`]. Deliveries are the last table of the lock order, so the world is read without
//! locks, after the delivery is locked: whoever pauses or deletes the service has either voided
//! the delivery before, or waits for this transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// Whoever claimed a delivery is alone with it this long; several times what an attempt takes.
pub const LEASE: Duration = Duration::from_secs(60);

/// A delivery that is due, locked by this transaction.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Due {
    /// Its id.
    pub id: Uuid,
    /// Where to.
    pub recipient: String,
    /// Attempts so far.
    pub attempts: i32,
    /// The first of them.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// The fence of the last claim.
    pub fence: i64,
    /// What earlier attempts sent.
    pub rendered: Option<serde_json::Value>,
}

/// Locks up to `limit` deliveries of one lane that are due, oldest first: pending ones, and those
/// whose lease ran out. One that follows another is not due before that has ended. Deliveries
/// that somebody else has locked, or of a channel not in `channels`, are passed over.
///
/// # Errors
/// The database failed.
pub async fn lock_due(
    conn: &mut Conn,
    lane: &str,
    channels: &[&str],
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Due>> {
    // next_attempt_at is the end of the lease while one is held.
    statement::<(
        SqlUuid,
        Text,
        Integer,
        Nullable<Timestamptz>,
        BigInt,
        Nullable<Jsonb>,
    )>(
        "SELECT d.id, d.recipient, d.attempts, d.first_attempt_at, d.fence, d.rendered \
         FROM deliveries d \
         WHERE d.lane = $1 AND d.status IN ('pending', 'sending') AND d.next_attempt_at <= $2 \
           AND d.channel = ANY ($3) \
           AND NOT EXISTS (SELECT FROM deliveries f WHERE f.id = d.follows \
                           AND f.status IN ('held', 'pending', 'sending')) \
         ORDER BY d.next_attempt_at LIMIT $4 FOR UPDATE OF d SKIP LOCKED",
    )
    .bind::<Text, _>(lane)
    .bind::<Timestamptz, _>(&now)
    .bind::<Array<Text>, _>(channels)
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await
}

/// What a delivery is about, as it is now. Everything is `None` where the row is gone.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct World {
    /// The delivery.
    pub id: Uuid,
    /// Facts of its alert.
    pub facts: Option<serde_json::Value>,
    /// Whether its service is active.
    pub service_is_active: Option<bool>,
    /// Whether its owner's account is locked.
    pub owner_is_locked: Option<bool>,
    /// Whether it follows another delivery, gone or not.
    pub follows: bool,
    /// Status of that one.
    pub followed_status: Option<String>,
    /// When the alert's incident ended.
    pub incident_ended_at: Option<DateTime<Utc>>,
    /// Failed checks of the incident.
    pub incident_failed_checks: Option<i32>,
    /// Why it ended.
    pub incident_end_reason: Option<String>,
    /// Whether its owner's address is confirmed.
    pub owner_is_verified: Option<bool>,
    /// His address, as it is now.
    pub owner_email: Option<String>,
    /// What account mail says.
    pub account_facts: Option<serde_json::Value>,
    /// The token of its link, while it works.
    pub token: Option<LinkToken>,
}

/// A row of `mail_tokens`, without what a sender has no use for.
#[derive(Clone, PartialEq, Queryable)]
pub struct LinkToken {
    /// Its id.
    pub id: Uuid,
    /// What it follows from.
    pub seed: Vec<u8>,
    /// What it is known by.
    pub token_hash: Vec<u8>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Without seed and hash.
impl std::fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Reads what the deliveries `ids` are about.
///
/// # Errors
/// The database failed.
pub async fn worlds(conn: &mut Conn, ids: &[Uuid]) -> QueryResult<Vec<World>> {
    statement::<(
        SqlUuid,
        Nullable<Jsonb>,
        Nullable<Bool>,
        Nullable<Bool>,
        Bool,
        Nullable<Text>,
        Nullable<Timestamptz>,
        Nullable<Integer>,
        Nullable<Text>,
        Nullable<Bool>,
        Nullable<Text>,
        Nullable<Jsonb>,
        Nullable<(SqlUuid, Binary, Binary, Timestamptz)>,
    )>(
        "SELECT d.id, a.facts, s.is_active, \
                CASE WHEN u.id IS NOT NULL THEN u.locked_at IS NOT NULL END, \
                d.follows IS NOT NULL, f.status, i.ended_at, i.failed_checks, i.end_reason, \
                u.is_verified, u.email, d.facts, t.id, t.seed, t.token_hash, t.expires_at \
         FROM deliveries d \
         LEFT JOIN alerts a ON a.id = d.alert_id \
         LEFT JOIN incidents i ON i.id = a.incident_id \
         LEFT JOIN services s ON s.id = d.service_id \
         LEFT JOIN users u ON u.id = d.user_id \
         LEFT JOIN deliveries f ON f.id = d.follows \
         LEFT JOIN mail_tokens t ON t.id = d.token_id \
         WHERE d.id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await
}

/// Takes the lease of locked deliveries: their fence and their attempts rise by one, where they go is
/// noted, and what was rendered is kept unless something is kept already. All slices are of one length.
///
/// # Errors
/// The database failed.
pub async fn mark_sending(
    conn: &mut Conn,
    ids: &[Uuid],
    recipients: &[&str],
    rendered: &[serde_json::Value],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let lease_until = now + LEASE;
    statement::<()>(
        "UPDATE deliveries d SET status = 'sending', fence = d.fence + 1, \
                attempts = d.attempts + 1, recipient = c.recipient, \
                rendered = coalesce(d.rendered, c.rendered), \
                first_attempt_at = coalesce(d.first_attempt_at, $1), \
                lease_until = $2, next_attempt_at = $2 \
         FROM unnest($3, $4, $5) AS c (id, recipient, rendered) WHERE d.id = c.id",
    )
    .bind::<Timestamptz, _>(&now)
    .bind::<Timestamptz, _>(&lease_until)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Text>, _>(recipients)
    .bind::<Array<Jsonb>, _>(rendered)
    .execute(conn)
    .await
}

/// Ends locked deliveries without an attempt: `suppressed` or `failed`, each with its reason. All
/// slices are of one length.
///
/// # Errors
/// The database failed.
pub async fn settle(
    conn: &mut Conn,
    ids: &[Uuid],
    statuses: &[&str],
    reasons: &[&str],
) -> QueryResult<usize> {
    statement::<()>(
        "UPDATE deliveries d SET status = c.status, last_error = c.reason, lease_until = NULL \
         FROM unnest($1, $2, $3) AS c (id, status, reason) WHERE d.id = c.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Text>, _>(statuses)
    .bind::<Array<Text>, _>(reasons)
    .execute(conn)
    .await
}

/// The provider took it. `false`: the fence has risen, somebody else's word counts.
///
/// A pause voids deliveries; one that was on the wire by then has been sent all the same.
///
/// # Errors
/// The database failed.
pub async fn record_sent(
    conn: &mut Conn,
    id: Uuid,
    fence: i64,
    provider_id: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let written = statement::<()>(
        "UPDATE deliveries SET status = 'sent', provider_id = $1, sent_at = $2, \
                last_error = NULL, lease_until = NULL \
         WHERE id = $3 AND fence = $4 AND status IN ('sending', 'suppressed')",
    )
    .bind::<Nullable<Text>, _>(&provider_id)
    .bind::<Timestamptz, _>(&now)
    .bind::<SqlUuid, _>(&id)
    .bind::<BigInt, _>(&fence)
    .execute(conn)
    .await?;
    Ok(written > 0)
}

/// To be tried again at `at`. `false`: the fence has risen, or it was voided meanwhile.
///
/// # Errors
/// The database failed.
pub async fn record_retry(
    conn: &mut Conn,
    id: Uuid,
    fence: i64,
    at: DateTime<Utc>,
    error: &str,
) -> QueryResult<bool> {
    let written = statement::<()>(
        "UPDATE deliveries SET status = 'pending', next_attempt_at = $1, last_error = $2, \
                lease_until = NULL WHERE id = $3 AND fence = $4 AND status = 'sending'",
    )
    .bind::<Timestamptz, _>(&at)
    .bind::<Text, _>(error)
    .bind::<SqlUuid, _>(&id)
    .bind::<BigInt, _>(&fence)
    .execute(conn)
    .await?;
    Ok(written > 0)
}

/// Given up. `false`: the fence has risen, or it was voided meanwhile.
///
/// # Errors
/// The database failed.
pub async fn record_failed(
    conn: &mut Conn,
    id: Uuid,
    fence: i64,
    error: &str,
) -> QueryResult<bool> {
    let written = statement::<()>(
        "UPDATE deliveries SET status = 'failed', last_error = $1, lease_until = NULL \
         WHERE id = $2 AND fence = $3 AND status = 'sending'",
    )
    .bind::<Text, _>(error)
    .bind::<SqlUuid, _>(&id)
    .bind::<BigInt, _>(&fence)
    .execute(conn)
    .await?;
    Ok(written > 0)
}

/// Since when the longest waiting delivery of a lane has been due; `None` if none is. Those under
/// a lease or behind another are not waiting.
///
/// # Errors
/// The database failed.
pub async fn oldest_due(
    conn: &mut Conn,
    lane: &str,
    now: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    statement::<Nullable<Timestamptz>>(
        "SELECT min(d.next_attempt_at) FROM deliveries d \
         WHERE d.lane = $1 AND d.status IN ('pending', 'sending') AND d.next_attempt_at <= $2 \
           AND NOT EXISTS (SELECT FROM deliveries f WHERE f.id = d.follows \
                           AND f.status IN ('held', 'pending', 'sending'))",
    )
    .bind::<Text, _>(lane)
    .bind::<Timestamptz, _>(&now)
    .get_result(conn)
    .await
}
