//! Accounts whose address nobody has confirmed, registered again.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::users;
use crate::{Conn, QueryResult};

/// Gives an account another user name, which is taken for it.
///
/// # Errors
/// [`super::USERNAME_TAKEN`], or the connection is gone.
pub async fn set_username(
    conn: &mut Conn,
    id: Uuid,
    (name, key): (&str, &str),
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((
            users::username.eq(name),
            users::username_key.eq(key),
            users::updated_at.eq(now),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Gives an account that nobody has confirmed another hash and raises its epoch, unless its password was changed or its
/// address confirmed meanwhile. Returns whether it did.
///
/// # Errors
/// The connection is gone.
pub async fn disown(
    conn: &mut Conn,
    id: Uuid,
    (old, new): (&str, &str),
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let unconfirmed = users::table
        .find(id)
        .filter(users::password_hash.eq(old))
        .filter(users::is_verified.eq(false));
    let changed = diesel::update(unconfirmed)
        .set((
            users::password_hash.eq(new),
            users::token_epoch.eq(users::token_epoch + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}
