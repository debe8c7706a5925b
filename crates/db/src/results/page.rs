//! Results as a tenant reads them: newest first, and counted by steps.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, Queryable,
    SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::ProbeResult;
use crate::schema::probe_results;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// The newest results of a service, after the row (its `scheduled_at` and `probe_id`) that ended
/// the page before.
///
/// # Errors
/// The connection is gone.
pub async fn newest(
    conn: &mut Conn,
    service: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<ProbeResult>> {
    let mut query = probe_results::table
        .filter(probe_results::service_id.eq(service))
        .order((
            probe_results::scheduled_at.desc(),
            probe_results::probe_id.desc(),
        ))
        .limit(limit)
        .select(ProbeResult::as_select())
        .into_boxed();
    if let Some((at, id)) = after {
        // The first condition lets PostgreSQL leave out whole days.
        query = query.filter(probe_results::scheduled_at.le(at)).filter(
            probe_results::scheduled_at
                .lt(at)
                .or(probe_results::probe_id.lt(id)),
        );
    }
    query.load(conn).await
}

/// What the counted slots of one step came to.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Step {
    /// First moment of the step.
    pub at: DateTime<Utc>,
    /// Slots judged.
    pub checks: i64,
    /// Of them failed.
    pub failures: i64,
    /// Mean latency of the successes, in microseconds.
    pub avg_us: Option<i64>,
    /// 50th, 95th and 99th percentile of the successes' latency, in microseconds.
    pub percentiles_us: Option<Vec<Option<i32>>>,
}

/// Counted slots in `[from, to)` by steps of `step_seconds`, oldest first; steps without any are left
/// out. Reads the raw rows, so it is for windows of a day at most.
///
/// # Errors
/// The connection is gone.
pub async fn steps(
    conn: &mut Conn,
    service: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    step_seconds: i32,
) -> QueryResult<Vec<Step>> {
    statement::<(
        Timestamptz,
        BigInt,
        BigInt,
        Nullable<BigInt>,
        Nullable<Array<Nullable<Integer>>>,
    )>(
        "SELECT date_bin(make_interval(secs => $1), scheduled_at, 'epoch') AS at, \
                count(*) FILTER (WHERE outcome IN (0, 1) AND NOT voided), \
                count(*) FILTER (WHERE outcome = 0 AND NOT voided), \
                (avg(latency_us) FILTER (WHERE outcome = 1))::bigint, \
                percentile_disc(ARRAY[0.5, 0.95, 0.99]::float8[]) \
                    WITHIN GROUP (ORDER BY latency_us) FILTER (WHERE outcome = 1) \
           FROM probe_results \
          WHERE service_id = $2 AND scheduled_at >= $3 AND scheduled_at < $4 AND counted \
          GROUP BY at ORDER BY at",
    )
    .bind::<diesel::sql_types::Double, _>(&f64::from(step_seconds))
    .bind::<SqlUuid, _>(&service)
    .bind::<Timestamptz, _>(&from)
    .bind::<Timestamptz, _>(&to)
    .load(conn)
    .await
}
