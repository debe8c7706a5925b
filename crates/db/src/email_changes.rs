//! Wanted changes of address, one a user: they happen when both addresses have confirmed.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::email_changes;
use crate::{Conn, QueryResult};

/// A row of `email_changes`; the migration says what its columns mean.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = email_changes, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct EmailChange {
    pub user_id: Uuid,
    pub new_email: String,
    pub new_email_key: String,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub old_confirmed_at: Option<DateTime<Utc>>,
    pub new_confirmed_at: Option<DateTime<Utc>>,
}

/// Without the address.
impl std::fmt::Debug for EmailChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmailChange")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// Asks for a change, in the place of one that was asked for before.
///
/// # Errors
/// The connection is gone.
pub async fn ask(conn: &mut Conn, change: &EmailChange) -> QueryResult<()> {
    forget(conn, change.user_id).await?;
    diesel::insert_into(email_changes::table)
        .values(change)
        .execute(conn)
        .await
        .map(drop)
}

/// What a user, whose row is locked, has asked for.
///
/// # Errors
/// The connection is gone.
pub async fn find(
    conn: &mut Conn,
    user: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<Option<EmailChange>> {
    email_changes::table
        .find(user)
        .filter(email_changes::expires_at.gt(now))
        .select(EmailChange::as_select())
        .first(conn)
        .await
        .optional()
}

/// One of the two addresses has confirmed, or both.
///
/// # Errors
/// The connection is gone.
pub async fn confirm(conn: &mut Conn, change: &EmailChange) -> QueryResult<()> {
    diesel::update(email_changes::table.find(change.user_id))
        .set((
            email_changes::old_confirmed_at.eq(change.old_confirmed_at),
            email_changes::new_confirmed_at.eq(change.new_confirmed_at),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// It has happened, or nobody wants it any more.
///
/// # Errors
/// The connection is gone.
pub async fn forget(conn: &mut Conn, user: Uuid) -> QueryResult<usize> {
    diesel::delete(email_changes::table.find(user))
        .execute(conn)
        .await
}
