//! Alerts as a tenant reads them: newest first, each with what became of its deliveries.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// An alert and its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Told {
    /// The alert.
    pub id: Uuid,
    /// What it is about.
    pub alert_type: String,
    /// Its sentence.
    pub message: String,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
    /// Statuses of its deliveries.
    pub deliveries: Vec<String>,
    /// When the last of them was taken by its provider.
    pub sent_at: Option<DateTime<Utc>>,
}

/// The newest alerts of a service, after the row (its `created_at` and id) that ended the page
/// before.
///
/// # Errors
/// The connection is gone.
pub async fn newest(
    conn: &mut Conn,
    service: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Told>> {
    let (at, id) = after.unzip();
    statement::<(
        SqlUuid,
        Text,
        Text,
        Timestamptz,
        Array<Text>,
        Nullable<Timestamptz>,
    )>(
        "SELECT a.id, a.alert_type, a.message, a.created_at, \
                coalesce(array_agg(d.status) FILTER (WHERE d.id IS NOT NULL), '{}'), \
                max(d.sent_at) \
           FROM (SELECT * FROM alerts WHERE service_id = $1 \
                    AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3)) \
                  ORDER BY created_at DESC, id DESC LIMIT $4) a \
           LEFT JOIN deliveries d ON d.alert_id = a.id \
          GROUP BY a.id, a.alert_type, a.message, a.created_at \
          ORDER BY a.created_at DESC, a.id DESC",
    )
    .bind::<SqlUuid, _>(&service)
    .bind::<Nullable<Timestamptz>, _>(&at)
    .bind::<Nullable<SqlUuid>, _>(&id)
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await
}
