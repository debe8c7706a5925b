//! Tokens of mailed links, stored hashed: a row is a token that still works.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Binary, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::mail_tokens;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `mail_tokens`; the migration says what its columns mean.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct MailToken {
    pub id: Uuid,
    pub user_id: Uuid,
    pub purpose: &'static str,
    pub token_hash: Vec<u8>,
    pub seed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Without hash and seed.
impl std::fmt::Debug for MailToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a token was good for.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Taken {
    /// Whose it was.
    pub user_id: Uuid,
    /// Its purpose.
    pub purpose: String,
}

/// Adds a token in the place of the one that its user may have for this purpose. Of a user who is
/// not there nothing is written, in about the same time.
///
/// # Errors
/// The connection is gone.
pub async fn replace(conn: &mut Conn, token: &MailToken) -> QueryResult<usize> {
    statement::<()>(
        "INSERT INTO mail_tokens (id, user_id, purpose, token_hash, seed, created_at, expires_at) \
         SELECT $1, id, $2, $3, $4, $5, $6 FROM users WHERE id = $7 \
         ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, \
            token_hash = excluded.token_hash, seed = excluded.seed, \
            created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind::<SqlUuid, _>(&token.id)
    .bind::<Text, _>(token.purpose)
    .bind::<Binary, _>(&token.token_hash)
    .bind::<Binary, _>(&token.seed)
    .bind::<Timestamptz, _>(&token.created_at)
    .bind::<Timestamptz, _>(&token.expires_at)
    .bind::<SqlUuid, _>(&token.user_id)
    .execute(conn)
    .await
}

/// Whose token it is, if it works and is for one of `purposes`. Lock that user, then [`take`] it.
///
/// # Errors
/// The connection is gone.
pub async fn holder(
    conn: &mut Conn,
    hash: &[u8],
    purposes: &[&str],
    now: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    mail_tokens::table
        .filter(mail_tokens::token_hash.eq(hash))
        .filter(mail_tokens::purpose.eq_any(purposes))
        .filter(mail_tokens::expires_at.gt(now))
        .select(mail_tokens::user_id)
        .first(conn)
        .await
        .optional()
}

/// Whether a user has a token for a purpose that still works.
///
/// # Errors
/// The connection is gone.
pub async fn is_out(
    conn: &mut Conn,
    user: Uuid,
    purpose: &str,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let found: Option<Uuid> = mail_tokens::table
        .filter(mail_tokens::user_id.eq(user))
        .filter(mail_tokens::purpose.eq(purpose))
        .filter(mail_tokens::expires_at.gt(now))
        .select(mail_tokens::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Uses a token up. `None`: it does not work, or not for any of `purposes`; then it stays.
///
/// # Errors
/// The connection is gone.
pub async fn take(
    conn: &mut Conn,
    hash: &[u8],
    purposes: &[&str],
    now: DateTime<Utc>,
) -> QueryResult<Option<Taken>> {
    statement::<(SqlUuid, Text)>(
        "DELETE FROM mail_tokens WHERE token_hash = $1 AND purpose = ANY ($2) AND expires_at > $3 \
         RETURNING user_id, purpose",
    )
    .bind::<Binary, _>(hash)
    .bind::<Array<Text>, _>(purposes)
    .bind::<Timestamptz, _>(&now)
    .get_result(conn)
    .await
    .optional()
}

/// Voids a user's tokens for these purposes.
///
/// # Errors
/// The connection is gone.
pub async fn void(conn: &mut Conn, user: Uuid, purposes: &[&str]) -> QueryResult<usize> {
    diesel::delete(
        mail_tokens::table
            .filter(mail_tokens::user_id.eq(user))
            .filter(mail_tokens::purpose.eq_any(purposes)),
    )
    .execute(conn)
    .await
}
