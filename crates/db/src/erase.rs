//! A whole account goes: everything of it at once for everybody who looks, its history later.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::statement::statement;
use crate::{Conn, QueryResult};

/// Taken in the order that all processes keep, so that nobody folds or sends meanwhile.
const LOCKS: [&str; 4] = [
    "SELECT 1 FROM users WHERE id = $1 FOR UPDATE",
    "SELECT 1 FROM health WHERE service_id IN (SELECT id FROM services WHERE user_id = $1) \
      ORDER BY service_id, region FOR UPDATE",
    "SELECT 1 FROM service_state WHERE service_id IN \
      (SELECT id FROM services WHERE user_id = $1) ORDER BY service_id FOR UPDATE",
    "SELECT 1 FROM services WHERE user_id = $1 ORDER BY id FOR UPDATE",
];

/// Ends what is under way, and asks for the removal of the history.
const ENDS: [&str; 2] = [
    "UPDATE incidents SET end_reason = 'deleted', ended_at = greatest(started_at, $1) \
      WHERE service_id IN (SELECT id FROM services WHERE user_id = $2) AND ended_at IS NULL",
    "INSERT INTO purge (service_id, user_id, requested_at) \
     SELECT id, user_id, $1 FROM services WHERE user_id = $2 ON CONFLICT DO NOTHING",
];

/// The rest; tables that refer to the user or his services follow by themselves.
const REMOVALS: [&str; 4] = [
    "UPDATE alerts SET held_until = NULL WHERE held_until IS NOT NULL \
        AND service_id IN (SELECT id FROM services WHERE user_id = $1)",
    "UPDATE deliveries SET status = 'suppressed', lease_until = NULL \
      WHERE lane = 'alert' AND status IN ('held', 'pending', 'sending') \
        AND service_id IN (SELECT id FROM services WHERE user_id = $1)",
    "DELETE FROM deliveries WHERE lane = 'account' AND user_id = $1",
    "DELETE FROM users WHERE id = $1",
];

/// Removes an account with its services, sessions, tokens and mail. Incidents, alerts, results and
/// sums follow in the background. Alone in its transaction, but for what is asked before.
///
/// # Errors
/// The connection is gone.
pub async fn account(conn: &mut Conn, user: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    for sql in LOCKS {
        statement::<()>(sql)
            .bind::<SqlUuid, _>(&user)
            .execute(conn)
            .await?;
    }
    for sql in ENDS {
        statement::<()>(sql)
            .bind::<Timestamptz, _>(&now)
            .bind::<SqlUuid, _>(&user)
            .execute(conn)
            .await?;
    }
    for sql in REMOVALS {
        statement::<()>(sql)
            .bind::<SqlUuid, _>(&user)
            .execute(conn)
            .await?;
    }
    Ok(())
}
