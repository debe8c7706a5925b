//! Incidents as a tenant reads them: newest first.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Incident;
use crate::schema::incidents;
use crate::{Conn, QueryResult};

/// The newest incidents of a service, after the row (its `started_at` and id) that ended the page
/// before.
///
/// # Errors
/// The connection is gone.
pub async fn newest(
    conn: &mut Conn,
    service: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Incident>> {
    let mut query = incidents::table
        .filter(incidents::service_id.eq(service))
        .order((incidents::started_at.desc(), incidents::id.desc()))
        .limit(limit)
        .select(Incident::as_select())
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            incidents::started_at
                .lt(at)
                .or(incidents::started_at.eq(at).and(incidents::id.lt(id))),
        );
    }
    query.load(conn).await
}
