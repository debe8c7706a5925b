//! Accounts.

pub mod admin;
pub mod unconfirmed;

use chrono::{DateTime, Utc};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};
use diesel::sql_types::{Bool, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::users;
use crate::statement::statement;
use crate::{Conn, QueryError, QueryResult, usernames};

/// A row of `users`; the migration says what its columns mean.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct User {
    pub id: Uuid,
    /// As typed (trimmed), for showing and for mail.
    pub email: String,
    /// Lower-cased, NFC: what is compared. Likewise for user names.
    pub email_key: String,
    pub username: Option<String>,
    pub username_key: Option<String>,
    pub password_hash: String,
    pub role: String,
    pub is_verified: bool,
    /// Raised to end every access token at once (password change, lock, deletion).
    pub token_epoch: i32,
    /// NULL: `SERVICE_QUOTA` applies.
    pub service_quota: Option<i32>,
    pub locked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Without the hash.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The unique constraint that a second account of one address meets.
pub const EMAIL_TAKEN: &str = "users_email_key_key";
/// The unique constraint that a second account of one user name meets.
pub const USERNAME_TAKEN: &str = "users_username_key_key";

/// Whether a user may act, and how much he may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct Standing {
    /// A token of another epoch has ended.
    pub token_epoch: i32,
    /// Locked users may do nothing.
    pub locked_at: Option<DateTime<Utc>>,
    /// His own quota, if he has one.
    pub service_quota: Option<i32>,
    /// Whether the address is known to be his.
    pub is_verified: bool,
    /// Whether the session that was asked about goes on; true where none was.
    pub session_goes_on: bool,
}

/// The SQL types of a [`Standing`].
pub(crate) type StandingRow = (
    Integer,
    Nullable<Timestamptz>,
    Nullable<Integer>,
    Bool,
    Bool,
);

/// What a user is shown of himself.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Account {
    pub id: Uuid,
    pub email: String,
    pub username: Option<String>,
    pub role: String,
    pub is_verified: bool,
    pub created_at: DateTime<Utc>,
}

/// Adds an account and takes its user name, in a transaction that ends with any error.
///
/// # Errors
/// [`EMAIL_TAKEN`], [`USERNAME_TAKEN`], or the connection is gone. The server is not made to report
/// what is taken: it would write the address into its log.
pub async fn insert(conn: &mut Conn, user: &User) -> QueryResult<()> {
    let added = diesel::insert_into(users::table)
        .values(user)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if added > 0 {
        return take_username(conn, user).await;
    }
    let email_is_taken = by_email_key(conn, &user.email_key).await?.is_some();
    Err(violation(if email_is_taken {
        EMAIL_TAKEN
    } else {
        USERNAME_TAKEN
    }))
}

async fn take_username(conn: &mut Conn, user: &User) -> QueryResult<()> {
    match &user.username_key {
        Some(key) if !usernames::take(conn, key, user.id).await? => Err(violation(USERNAME_TAKEN)),
        _ => Ok(()),
    }
}

fn violation(constraint: &'static str) -> QueryError {
    let kind = DatabaseErrorKind::UniqueViolation;
    QueryError::DatabaseError(kind, Box::new(Taken(constraint)))
}

/// The name of the constraint that stood in the way.
#[derive(Debug)]
struct Taken(&'static str);

impl DatabaseErrorInformation for Taken {
    fn message(&self) -> &str {
        "the address or the user name is taken"
    }

    fn details(&self) -> Option<&str> {
        None
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        Some("users")
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        Some(self.0)
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// Adds an account and takes its user name, unless its address has an account. Returns whether it was added.
///
/// # Errors
/// [`USERNAME_TAKEN`], or the connection is gone.
pub async fn insert_new(conn: &mut Conn, user: &User) -> QueryResult<bool> {
    let added = diesel::insert_into(users::table)
        .values(user)
        .on_conflict(users::email_key)
        .do_nothing()
        .execute(conn)
        .await?;
    if added == 1 {
        take_username(conn, user).await?;
    }
    Ok(added == 1)
}

/// The account of an address, compared by its key.
///
/// # Errors
/// The connection is gone.
pub async fn by_email_key(conn: &mut Conn, key: &str) -> QueryResult<Option<User>> {
    users::table
        .filter(users::email_key.eq(key))
        .select(User::as_select())
        .first(conn)
        .await
        .optional()
}

/// What a token's bearer may do, and whether the session goes on that the token is of; `None`: there
/// is no such user.
///
/// # Errors
/// The connection is gone.
pub async fn standing(
    conn: &mut Conn,
    id: Uuid,
    session: Option<Uuid>,
) -> QueryResult<Option<Standing>> {
    statement::<StandingRow>(
        "SELECT u.token_epoch, u.locked_at, u.service_quota, u.is_verified, \
                $1 IS NULL OR EXISTS (SELECT FROM sessions s WHERE s.id = $1 AND s.user_id = u.id) \
           FROM users u WHERE u.id = $2",
    )
    .bind::<Nullable<SqlUuid>, _>(&session)
    .bind::<SqlUuid, _>(&id)
    .get_result(conn)
    .await
    .optional()
}

/// The same, and the row stays locked: what a quota depends on can not change meanwhile. Leaves
/// foreign keys of other transactions alone.
///
/// # Errors
/// The connection is gone.
pub async fn lock(
    conn: &mut Conn,
    id: Uuid,
    session: Option<Uuid>,
) -> QueryResult<Option<Standing>> {
    statement::<StandingRow>(
        "SELECT u.token_epoch, u.locked_at, u.service_quota, u.is_verified, \
                $1 IS NULL OR EXISTS (SELECT FROM sessions s WHERE s.id = $1 AND s.user_id = u.id) \
           FROM users u WHERE u.id = $2 FOR NO KEY UPDATE OF u",
    )
    .bind::<Nullable<SqlUuid>, _>(&session)
    .bind::<SqlUuid, _>(&id)
    .get_result(conn)
    .await
    .optional()
}

/// The account itself.
///
/// # Errors
/// The connection is gone.
pub async fn account(conn: &mut Conn, id: Uuid) -> QueryResult<Option<Account>> {
    users::table
        .find(id)
        .select(Account::as_select())
        .first(conn)
        .await
        .optional()
}

/// Replaces the hash by one of another cost, unless the password was changed meanwhile. Ends no
/// session: the password is the same.
///
/// # Errors
/// The connection is gone.
pub async fn rehash(conn: &mut Conn, id: Uuid, old: &str, new: &str) -> QueryResult<()> {
    diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(conn)
        .await
        .map(drop)
}

/// Sets another password and raises the epoch, which ends every access token. Lock the row first.
/// Returns the new epoch.
///
/// # Errors
/// The connection is gone, or there is no such user.
pub async fn set_password(
    conn: &mut Conn,
    id: Uuid,
    hash: &str,
    now: DateTime<Utc>,
) -> QueryResult<i32> {
    diesel::update(users::table.find(id))
        .set((
            users::password_hash.eq(hash),
            users::token_epoch.eq(users::token_epoch + 1),
            users::updated_at.eq(now),
        ))
        .returning(users::token_epoch)
        .get_result(conn)
        .await
}

/// Raises the epoch, which ends every access token.
///
/// # Errors
/// The connection is gone.
pub async fn raise_epoch(conn: &mut Conn, id: Uuid) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set(users::token_epoch.eq(users::token_epoch + 1))
        .execute(conn)
        .await
        .map(drop)
}

/// The hash that a password is compared with.
///
/// # Errors
/// The connection is gone.
pub async fn password_hash(conn: &mut Conn, id: Uuid) -> QueryResult<Option<String>> {
    users::table
        .find(id)
        .select(users::password_hash)
        .first(conn)
        .await
        .optional()
}

/// What the account's address is compared by.
///
/// # Errors
/// The connection is gone.
pub async fn email_key(conn: &mut Conn, id: Uuid) -> QueryResult<Option<String>> {
    users::table
        .find(id)
        .select(users::email_key)
        .first(conn)
        .await
        .optional()
}

/// The address is known to be the user's.
///
/// # Errors
/// The connection is gone.
pub async fn set_verified(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((users::is_verified.eq(true), users::updated_at.eq(now)))
        .execute(conn)
        .await
        .map(drop)
}

/// Moves an account to another address, which is known to be the user's.
///
/// # Errors
/// [`EMAIL_TAKEN`], or the connection is gone.
pub async fn set_email(
    conn: &mut Conn,
    id: Uuid,
    (email, key): (&str, &str),
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((
            users::email.eq(email),
            users::email_key.eq(key),
            users::is_verified.eq(true),
            users::updated_at.eq(now),
        ))
        .execute(conn)
        .await
        .map(drop)
}
