//! Keys for machines, stored hashed.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, OptionalExtension as _,
    QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::api_keys;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `api_keys`; the migration says what its columns mean.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ApiKey {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub scope: String,
    pub prefix: String,
    pub key_hash: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub rotated_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Without the hash.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Who shows a key, and what he may do with it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Holder {
    /// The key.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// `read` or `write`.
    pub scope: String,
    /// When it was used before, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Adds a key.
///
/// # Errors
/// The connection is gone.
pub async fn insert(conn: &mut Conn, key: &ApiKey) -> QueryResult<()> {
    diesel::insert_into(api_keys::table)
        .values(key)
        .execute(conn)
        .await
        .map(drop)
}

/// How many keys a user has. Exact while his row is locked.
///
/// # Errors
/// The connection is gone.
pub async fn count(conn: &mut Conn, user: Uuid) -> QueryResult<i64> {
    api_keys::table
        .filter(api_keys::user_id.eq(user))
        .count()
        .get_result(conn)
        .await
}

/// At most `limit` of a user's keys, newest first, after the key that ended the page before.
///
/// # Errors
/// The connection is gone.
pub async fn page(
    conn: &mut Conn,
    user: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<ApiKey>> {
    let mut query = api_keys::table
        .filter(api_keys::user_id.eq(user))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(limit)
        .select(ApiKey::as_select())
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            api_keys::created_at
                .lt(at)
                .or(api_keys::created_at.eq(at).and(api_keys::id.lt(id))),
        );
    }
    query.load(conn).await
}

/// Whose key this is, if it has not expired and its user is not locked.
///
/// # Errors
/// The connection is gone.
pub async fn holder(
    conn: &mut Conn,
    hash: &[u8],
    now: DateTime<Utc>,
) -> QueryResult<Option<Holder>> {
    statement::<(SqlUuid, SqlUuid, Text, Nullable<Timestamptz>)>(
        "SELECT k.id, k.user_id, k.scope, k.last_used_at FROM api_keys k \
           JOIN users u ON u.id = k.user_id \
          WHERE k.key_hash = $1 AND (k.expires_at IS NULL OR k.expires_at > $2) \
            AND u.locked_at IS NULL",
    )
    .bind::<diesel::sql_types::Binary, _>(hash)
    .bind::<Timestamptz, _>(&now)
    .get_result(conn)
    .await
    .optional()
}

/// Remembers that a key is used, unless somebody did since `before`.
///
/// # Errors
/// The connection is gone.
pub async fn used(
    conn: &mut Conn,
    id: Uuid,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(
        api_keys::table.find(id).filter(
            api_keys::last_used_at
                .is_null()
                .or(api_keys::last_used_at.le(before)),
        ),
    )
    .set(api_keys::last_used_at.eq(now))
    .execute(conn)
    .await
    .map(drop)
}

/// Gives a user's key another secret; the old one ends. `None`: he has no such key.
///
/// # Errors
/// The connection is gone.
pub async fn rotate(
    conn: &mut Conn,
    user: Uuid,
    id: Uuid,
    secret: (&str, &[u8]),
    now: DateTime<Utc>,
) -> QueryResult<Option<ApiKey>> {
    let (prefix, hash) = secret;
    diesel::update(api_keys::table.find(id).filter(api_keys::user_id.eq(user)))
        .set((
            api_keys::prefix.eq(prefix),
            api_keys::key_hash.eq(hash),
            api_keys::rotated_at.eq(now),
        ))
        .returning(ApiKey::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Takes a user's key away, and returns its name. `None`: he has no such key.
///
/// # Errors
/// The connection is gone.
pub async fn delete(conn: &mut Conn, user: Uuid, id: Uuid) -> QueryResult<Option<String>> {
    diesel::delete(api_keys::table.find(id).filter(api_keys::user_id.eq(user)))
        .returning(api_keys::name)
        .get_result(conn)
        .await
        .optional()
}

/// Takes all of a user's keys away, and returns their ids and names. Lock his row first, so that none is added meanwhile.
///
/// # Errors
/// The connection is gone.
pub async fn delete_all(conn: &mut Conn, user: Uuid) -> QueryResult<Vec<(Uuid, String)>> {
    diesel::delete(api_keys::table.filter(api_keys::user_id.eq(user)))
        .returning((api_keys::id, api_keys::name))
        .get_results(conn)
        .await
}
