//! How a user's services are, in numbers.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// Status and number of the user's services that have it; statuses that none has are left out.
///
/// # Errors
/// The connection is gone.
pub async fn by_status(conn: &mut Conn, user: Uuid) -> QueryResult<Vec<(String, i64)>> {
    statement::<(Text, BigInt)>(
        "SELECT CASE WHEN s.is_active THEN t.status ELSE 'paused' END AS status, count(*) \
           FROM services s JOIN service_state t ON t.service_id = s.id \
          WHERE s.user_id = $1 GROUP BY 1",
    )
    .bind::<SqlUuid, _>(&user)
    .load(conn)
    .await
}
