//! Failures of closed hours that are inconclusive after all. Whoever calls this holds the
//! services' health rows.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::sums::Span;
use crate::Conn;
use crate::statement::statement;

/// Some failures of one hour or day of one service in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// The service.
    pub service_id: Uuid,
    /// The region.
    pub region: String,
    /// First moment of the hour or day.
    pub at: DateTime<Utc>,
    /// How many.
    pub failures: i32,
}

/// Moves failures from failed to inconclusive, each key once; what is no longer kept is left out.
///
/// # Errors
/// The database failed.
pub async fn void(conn: &mut Conn, span: Span, rows: &[Voided]) -> QueryResult<usize> {
    let sql = match span {
        Span::Hour => {
            "UPDATE rollup_hourly r SET judged = r.judged - v.failures, \
                    failed = r.failed - v.failures, inconclusive = r.inconclusive + v.failures \
             FROM unnest($1, $2, $3, $4) AS v (service_id, region, at, failures) \
             WHERE r.service_id = v.service_id AND r.hour = v.at AND r.region = v.region"
        }
        Span::Day => {
            "UPDATE rollup_daily r SET judged = r.judged - v.failures, \
                    failed = r.failed - v.failures, inconclusive = r.inconclusive + v.failures \
             FROM unnest($1, $2, $3, $4) AS v (service_id, region, at, failures) \
             WHERE r.service_id = v.service_id AND r.day = v.at AND r.region = v.region"
        }
    };
    let services: Vec<Uuid> = rows.iter().map(|row| row.service_id).collect();
    let regions: Vec<&str> = rows.iter().map(|row| row.region.as_str()).collect();
    let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.at).collect();
    let failures: Vec<i32> = rows.iter().map(|row| row.failures).collect();
    statement::<()>(sql)
        .bind::<Array<SqlUuid>, _>(&services)
        .bind::<Array<Text>, _>(&regions)
        .bind::<Array<Timestamptz>, _>(&times)
        .bind::<Array<Integer>, _>(&failures)
        .execute(conn)
        .await
}
