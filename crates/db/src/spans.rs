//! Spans: half-open stretches in which a service was active with one configuration.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Timestamptz, Uuid as SqlUuid};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::service_spans;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `service_spans`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = service_spans, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ServiceSpan {
    pub service_id: Uuid,
    pub config_version: i32,
    pub interval_ms: i32,
    pub phase_ms: i32,
    pub regions: Vec<String>,
    pub from_at: DateTime<Utc>,
    pub to_at: Option<DateTime<Utc>>,
}

/// Opens a span.
///
/// # Errors
/// Another is open, or the connection is gone.
pub async fn open(conn: &mut Conn, span: &ServiceSpan) -> QueryResult<()> {
    diesel::insert_into(service_spans::table)
        .values(span)
        .execute(conn)
        .await
        .map(drop)
}

/// Closes the open span, if there is one, at `stamp`; one that has not begun becomes empty.
///
/// # Errors
/// The connection is gone.
pub async fn close(conn: &mut Conn, service: Uuid, stamp: DateTime<Utc>) -> QueryResult<usize> {
    statement::<()>(
        "UPDATE service_spans SET to_at = greatest(from_at, $1) \
          WHERE service_id = $2 AND to_at IS NULL",
    )
    .bind::<Timestamptz, _>(&stamp)
    .bind::<SqlUuid, _>(&service)
    .execute(conn)
    .await
}

/// The spans of some services that reach past `since`, oldest first.
///
/// # Errors
/// The connection is gone.
pub async fn since(
    conn: &mut Conn,
    services: &[Uuid],
    since: DateTime<Utc>,
) -> QueryResult<Vec<ServiceSpan>> {
    service_spans::table
        .filter(service_spans::service_id.eq_any(services))
        .filter(
            service_spans::to_at
                .is_null()
                .or(service_spans::to_at.gt(since)),
        )
        .order((service_spans::service_id, service_spans::from_at))
        .select(ServiceSpan::as_select())
        .load(conn)
        .await
}

/// The spans of these configurations, each of its service.
///
/// # Errors
/// The connection is gone.
pub async fn of_versions(
    conn: &mut Conn,
    services: &[Uuid],
    versions: &[i32],
) -> QueryResult<Vec<ServiceSpan>> {
    statement::<service_spans::SqlType>(
        "SELECT p.service_id, p.config_version, p.interval_ms, p.phase_ms, p.regions, p.from_at, \
                p.to_at \
           FROM unnest($1, $2) AS k (service_id, config_version) \
           JOIN service_spans p ON p.service_id = k.service_id \
                AND p.config_version = k.config_version",
    )
    .bind::<Array<SqlUuid>, _>(services)
    .bind::<Array<Integer>, _>(versions)
    .load(conn)
    .await
}
