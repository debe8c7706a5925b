//! User names that are taken: every account's own, and those that were given with its address by whoever registered that
//! again.

use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// Whether a user name is taken. Accounts are asked, too: a copy of the release before writes names nowhere else.
///
/// # Errors
/// The connection is gone.
pub async fn is_taken(conn: &mut Conn, key: &str) -> QueryResult<bool> {
    statement::<Bool>(
        "SELECT EXISTS (SELECT FROM usernames WHERE username_key = $1) \
             OR EXISTS (SELECT FROM users WHERE username_key = $1)",
    )
    .bind::<Text, _>(key)
    .get_result(conn)
    .await
}

/// Takes a user name for an account, as long as that is there, and returns whether it was free. For an account that is
/// gone again nothing is taken.
///
/// # Errors
/// The connection is gone.
pub async fn take(conn: &mut Conn, key: &str, user: Uuid) -> QueryResult<bool> {
    // Locked, since an account that goes meanwhile is no failure.
    statement::<Bool>(
        "WITH owner AS (SELECT id FROM users WHERE id = $1 FOR KEY SHARE), \
              taken AS (INSERT INTO usernames (username_key, user_id) SELECT $2, id FROM owner \
                        ON CONFLICT DO NOTHING RETURNING user_id) \
         SELECT EXISTS (SELECT FROM taken) OR NOT EXISTS (SELECT FROM owner)",
    )
    .bind::<SqlUuid, _>(&user)
    .bind::<Text, _>(key)
    .get_result(conn)
    .await
}
