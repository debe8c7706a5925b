//! Sessions: one login each, with the refresh tokens that descend from it.
//!
//! What ends a session revokes its tokens first and deletes its row then: a rotation locks them in
//! this order, too.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::sessions;
use crate::statement::statement;
use crate::{Conn, QueryResult, refresh_tokens};

/// Sessions of one user: one more ends the one that was not used for the longest time.
pub const MAX_OF_USER: i64 = 100;

/// A row of `sessions`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Session {
    /// The `family_id` of its refresh tokens; its access tokens name it and end with it.
    pub id: Uuid,
    pub user_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub client_address: Option<String>,
    pub user_agent: Option<String>,
    /// Of its newest refresh token.
    pub expires_at: DateTime<Utc>,
}

/// Adds a session, and ends those of the user that are too many or expired. Lock his row first.
///
/// # Errors
/// The connection is gone.
pub async fn begin(conn: &mut Conn, session: &Session) -> QueryResult<()> {
    let (user, now) = (session.user_id, session.created_at);
    diesel::delete(
        sessions::table
            .filter(sessions::user_id.eq(user))
            .filter(sessions::expires_at.le(now)),
    )
    .execute(conn)
    .await?;
    let surplus: Vec<Uuid> = statement::<SqlUuid>(
        "SELECT id FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC OFFSET $2",
    )
    .bind::<SqlUuid, _>(&user)
    .bind::<BigInt, _>(&(MAX_OF_USER - 1))
    .load(conn)
    .await?;
    for one in surplus {
        end(conn, user, one, now).await?;
    }
    diesel::insert_into(sessions::table)
        .values(session)
        .execute(conn)
        .await
        .map(drop)
}

/// A user's sessions that go on, the last used first; at most [`MAX_OF_USER`].
///
/// # Errors
/// The connection is gone.
pub async fn list(conn: &mut Conn, user: Uuid, now: DateTime<Utc>) -> QueryResult<Vec<Session>> {
    sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::expires_at.gt(now))
        .order((sessions::last_used_at.desc(), sessions::id.desc()))
        .limit(MAX_OF_USER)
        .select(Session::as_select())
        .load(conn)
        .await
}

/// Whether a user has this session.
///
/// # Errors
/// The connection is gone.
pub async fn is_of(conn: &mut Conn, user: Uuid, id: Uuid, now: DateTime<Utc>) -> QueryResult<bool> {
    let found: Option<Uuid> = sessions::table
        .find(id)
        .filter(sessions::user_id.eq(user))
        .filter(sessions::expires_at.gt(now))
        .select(sessions::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Ends one session of a user.
///
/// # Errors
/// The connection is gone.
pub async fn end(conn: &mut Conn, user: Uuid, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    refresh_tokens::revoke(conn, user, Some(id), now).await?;
    diesel::delete(sessions::table.find(id).filter(sessions::user_id.eq(user)))
        .execute(conn)
        .await
        .map(drop)
}

/// Ends all sessions of a user; of `kept` only the tokens, so that it can go on with new ones.
///
/// # Errors
/// The connection is gone.
pub async fn end_all(
    conn: &mut Conn,
    user: Uuid,
    kept: Option<Uuid>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    refresh_tokens::revoke(conn, user, None, now).await?;
    statement::<()>("DELETE FROM sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2)")
        .bind::<SqlUuid, _>(&user)
        .bind::<Nullable<SqlUuid>, _>(&kept)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes that a session goes on with a new token. `false`: it has ended meanwhile.
///
/// # Errors
/// The connection is gone.
pub async fn renew(
    conn: &mut Conn,
    id: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> QueryResult<bool> {
    let renewed = diesel::update(sessions::table.find(id))
        .set((
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(renewed == 1)
}
