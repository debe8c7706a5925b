//! Accounts.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use crate::schema::users;

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
