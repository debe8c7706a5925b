//! Accounts, as admins look for them and change them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::users;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// What an admin is shown of an account.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Administered {
    pub id: Uuid,
    pub email: String,
    pub username: Option<String>,
    pub role: String,
    pub is_verified: bool,
    pub service_quota: Option<i32>,
    pub locked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Which accounts, and from where on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the address or user name, without case.
    pub text: Option<String>,
    /// Only accounts older than this one, by time of creation and id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// At most `limit` accounts, newest first.
///
/// # Errors
/// The connection is gone.
pub async fn page(conn: &mut Conn, filter: &Filter, limit: i64) -> QueryResult<Vec<Administered>> {
    let pattern = filter.text.as_deref().map(crate::services::containing);
    let ids: Vec<Uuid> = statement::<SqlUuid>(
        "SELECT id FROM users \
          WHERE ($1 IS NULL OR email ILIKE $1 OR username ILIKE $1) \
            AND ($2 IS NULL OR (created_at, id) < ($2, $3)) \
          ORDER BY created_at DESC, id DESC LIMIT $4",
    )
    .bind::<Nullable<Text>, _>(&pattern)
    .bind::<Nullable<Timestamptz>, _>(&filter.after.map(|(created_at, _)| created_at))
    .bind::<Nullable<SqlUuid>, _>(&filter.after.map(|(_, id)| id))
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await?;
    users::table
        .filter(users::id.eq_any(ids))
        .order((users::created_at.desc(), users::id.desc()))
        .select(Administered::as_select())
        .load(conn)
        .await
}

/// One account.
///
/// # Errors
/// The connection is gone.
pub async fn find(conn: &mut Conn, id: Uuid) -> QueryResult<Option<Administered>> {
    users::table
        .find(id)
        .select(Administered::as_select())
        .first(conn)
        .await
        .optional()
}

/// How many active services each of these accounts has; those without any are left out.
///
/// # Errors
/// The connection is gone.
pub async fn active_services(conn: &mut Conn, accounts: &[Uuid]) -> QueryResult<Vec<(Uuid, i64)>> {
    statement::<(SqlUuid, BigInt)>(
        "SELECT user_id, count(*) FROM services WHERE is_active AND user_id = ANY ($1) \
          GROUP BY user_id",
    )
    .bind::<Array<SqlUuid>, _>(accounts)
    .load(conn)
    .await
}

/// Sets how many active services an account may have; `None`: as many as everybody.
///
/// # Errors
/// The connection is gone.
pub async fn set_quota(
    conn: &mut Conn,
    id: Uuid,
    services: Option<i32>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = diesel::update(users::table.find(id))
        .set((users::service_quota.eq(services), users::updated_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Locks an account that is not locked, and ends its access tokens. Lock its row first, and end its
/// sessions.
///
/// # Errors
/// The connection is gone.
pub async fn lock_account(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((
            users::locked_at.eq(now),
            users::token_epoch.eq(users::token_epoch + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Opens a locked account again. Its old tokens stay ended.
///
/// # Errors
/// The connection is gone.
pub async fn unlock_account(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((
            users::locked_at.eq(None::<DateTime<Utc>>),
            users::updated_at.eq(now),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Whether there is an admin.
///
/// # Errors
/// The connection is gone.
pub async fn exists(conn: &mut Conn) -> QueryResult<bool> {
    statement::<Bool>("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin')")
        .get_result(conn)
        .await
}

/// Whether an account is an admin's.
///
/// # Errors
/// The connection is gone.
pub async fn is_admin(conn: &mut Conn, id: Uuid) -> QueryResult<bool> {
    statement::<Bool>("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND role = 'admin')")
        .bind::<SqlUuid, _>(&id)
        .get_result(conn)
        .await
}

/// The admins who are not locked. Until the transaction ends none of them is locked or deleted by another one.
///
/// # Errors
/// The connection is gone.
pub async fn lock_active(conn: &mut Conn) -> QueryResult<Vec<Uuid>> {
    statement::<SqlUuid>(
        "SELECT id FROM users WHERE role = 'admin' AND locked_at IS NULL \
          ORDER BY id FOR NO KEY UPDATE",
    )
    .load(conn)
    .await
}

/// Makes an account an admin's.
///
/// # Errors
/// The connection is gone.
pub async fn appoint(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((users::role.eq("admin"), users::updated_at.eq(now)))
        .execute(conn)
        .await
        .map(drop)
}
