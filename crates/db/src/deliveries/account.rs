//! Account mail: deliveries in a lane of their own, with their facts in the row.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A mail to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Of the delivery.
    pub id: Uuid,
    /// About whose account it is.
    pub user_id: Uuid,
    /// Where to.
    pub recipient: String,
    /// What it says: an `AccountMail`.
    pub facts: serde_json::Value,
    /// The row of `mail_tokens` that its link is for.
    pub token_id: Option<Uuid>,
}

/// Adds a mail. Of a user who is not there nothing is written, in about the same time.
///
/// # Errors
/// The connection is gone.
pub async fn insert(conn: &mut Conn, mail: &Mail, now: DateTime<Utc>) -> QueryResult<usize> {
    statement::<()>(
        "INSERT INTO deliveries (id, lane, user_id, channel, recipient, status, facts, token_id, \
                                 next_attempt_at, created_at) \
         SELECT $1, 'account', id, 'email', $2, 'pending', $3, $4, $5, $5 FROM users WHERE id = $6",
    )
    .bind::<SqlUuid, _>(&mail.id)
    .bind::<Text, _>(&mail.recipient)
    .bind::<Jsonb, _>(&mail.facts)
    .bind::<Nullable<SqlUuid>, _>(&mail.token_id)
    .bind::<Timestamptz, _>(&now)
    .bind::<SqlUuid, _>(&mail.user_id)
    .execute(conn)
    .await
}
