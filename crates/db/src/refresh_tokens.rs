//! Refresh tokens, stored hashed.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::refresh_tokens;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `refresh_tokens`; the migration says what its columns mean.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct RefreshToken {
    pub id: Uuid,
    pub user_id: Uuid,
    /// All tokens that descend from one login; reuse of a spent one revokes them together.
    pub family_id: Uuid,
    pub token_hash: Vec<u8>,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Without the hash.
impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// One token spent, the next one in its place.
#[derive(Clone)]
pub struct Rotation {
    /// Of the token that is spent.
    pub spent_hash: Vec<u8>,
    /// Id of the new row.
    pub successor_id: Uuid,
    /// Of the token that follows.
    pub successor_hash: Vec<u8>,
    /// When this happens.
    pub now: DateTime<Utc>,
    /// When the new token ends.
    pub expires_at: DateTime<Utc>,
    /// From where, for the session's owner.
    pub client_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
}

/// Without the hashes.
impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotation")
            .field("successor_id", &self.successor_id)
            .finish_non_exhaustive()
    }
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct Holder {
    /// The user.
    pub user_id: Uuid,
    /// His session: the token's family.
    pub session_id: Uuid,
    /// His epoch, for the access token.
    pub token_epoch: i32,
}

/// Adds a token.
///
/// # Errors
/// The connection is gone.
pub async fn insert(conn: &mut Conn, token: &RefreshToken) -> QueryResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values(token)
        .execute(conn)
        .await
        .map(drop)
}

/// Spends a token that is whole, unexpired and of a user who is not locked, adds its successor, and
/// notes the use in its session, in one statement. `None`: it was none of that.
///
/// # Errors
/// The connection is gone.
pub async fn rotate(conn: &mut Conn, rotation: &Rotation) -> QueryResult<Option<Holder>> {
    // A family of a release without sessions gets its row here.
    statement::<(SqlUuid, SqlUuid, Integer)>(
        "WITH spent AS ( \
             UPDATE refresh_tokens t SET used_at = $1 FROM users u \
              WHERE t.token_hash = $2 AND t.used_at IS NULL AND t.revoked_at IS NULL \
                AND t.expires_at > $1 AND u.id = t.user_id AND u.locked_at IS NULL \
          RETURNING t.user_id, t.family_id, t.issued_at, u.token_epoch \
         ), added AS ( \
             INSERT INTO refresh_tokens (id, token_hash, expires_at, issued_at, user_id, family_id) \
             SELECT $3, $4, $5, $1, user_id, family_id FROM spent \
         ), noted AS ( \
             INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, \
                                   client_address, user_agent) \
             SELECT family_id, user_id, issued_at, $1, $5, $6, $7 FROM spent \
             ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at, \
                expires_at = excluded.expires_at, client_address = excluded.client_address, \
                user_agent = excluded.user_agent \
         ) SELECT user_id, family_id, token_epoch FROM spent",
    )
    .bind::<Timestamptz, _>(&rotation.now)
    .bind::<Binary, _>(&rotation.spent_hash)
    .bind::<SqlUuid, _>(&rotation.successor_id)
    .bind::<Binary, _>(&rotation.successor_hash)
    .bind::<Timestamptz, _>(&rotation.expires_at)
    .bind::<Nullable<Text>, _>(&rotation.client_address)
    .bind::<Nullable<Text>, _>(&rotation.user_agent)
    .get_result(conn)
    .await
    .optional()
}

/// The row of a token, whatever became of it.
///
/// # Errors
/// The connection is gone.
pub async fn find(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<RefreshToken>> {
    refresh_tokens::table
        .filter(refresh_tokens::token_hash.eq(hash))
        .select(RefreshToken::as_select())
        .first(conn)
        .await
        .optional()
}

/// Whose token it is, if it is neither revoked nor expired and its user is not locked.
///
/// # Errors
/// The connection is gone.
pub async fn holder(
    conn: &mut Conn,
    hash: &[u8],
    now: DateTime<Utc>,
) -> QueryResult<Option<Holder>> {
    statement::<(SqlUuid, SqlUuid, Integer)>(
        "SELECT t.user_id, t.family_id, u.token_epoch \
           FROM refresh_tokens t JOIN users u ON u.id = t.user_id \
          WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 \
            AND u.locked_at IS NULL",
    )
    .bind::<Binary, _>(hash)
    .bind::<Timestamptz, _>(&now)
    .get_result(conn)
    .await
    .optional()
}

/// Ends all tokens of one user, or those that descend from one login. A statement does not see what
/// a rotation adds while it waits for that rotation's row, so it is repeated until nothing is left.
///
/// # Errors
/// The connection is gone.
pub async fn revoke(
    conn: &mut Conn,
    user: Uuid,
    family: Option<Uuid>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    loop {
        let revoked = statement::<()>(
            "UPDATE refresh_tokens SET revoked_at = $1 \
              WHERE user_id = $2 AND revoked_at IS NULL AND ($3 IS NULL OR family_id = $3)",
        )
        .bind::<Timestamptz, _>(&now)
        .bind::<SqlUuid, _>(&user)
        .bind::<Nullable<SqlUuid>, _>(&family)
        .execute(conn)
        .await?;
        if revoked == 0 {
            return Ok(());
        }
    }
}

/// Removes what has expired of one user, so that his logins do not pile up.
///
/// # Errors
/// The connection is gone.
pub async fn delete_expired_of(
    conn: &mut Conn,
    user: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::delete(
        refresh_tokens::table
            .filter(refresh_tokens::user_id.eq(user))
            .filter(refresh_tokens::expires_at.le(now)),
    )
    .execute(conn)
    .await
}
