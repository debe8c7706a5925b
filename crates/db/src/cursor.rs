//! The schedule cursor: up to which moment a shard's slots have been dispatched, and the read of
//! the services that are due in a window.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{Insertable, Queryable, Selectable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::schedule_cursor;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `schedule_cursor`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = schedule_cursor, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Cursor {
    pub shard: i16,
    pub scheduled_through: DateTime<Utc>,
}

/// A cursor that this transaction holds.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Held {
    /// Whose slots.
    pub shard: i16,
    /// Up to where they were dispatched; `None` for never (`-infinity`).
    pub scheduled_through: Option<DateTime<Utc>>,
    /// The server's clock, plus the shift, when the row was found.
    pub now: DateTime<Utc>,
}

/// Which cursors are worth taking, relative to the server's clock.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Added to the server's clock (zero, but where a test moves time).
    pub shift: TimeDelta,
    /// Cursors behind now plus this are due.
    pub behind: TimeDelta,
    /// Cursors beyond now plus this are out of their minds.
    pub beyond: TimeDelta,
}

/// Locks the free cursor that is furthest behind, among those that are due (or lie absurdly far
/// ahead) and not of a shard in `but`; `None` if there is none. Waits for nobody.
///
/// # Errors
/// The connection is gone.
pub async fn lock_free(conn: &mut Conn, wanted: Wanted, but: &[i16]) -> QueryResult<Option<Held>> {
    let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or(i64::MAX);
    let (shift, behind, beyond) = (
        micros(wanted.shift),
        micros(wanted.shift + wanted.behind),
        micros(wanted.shift + wanted.beyond),
    );
    let held: Vec<Held> = statement::<(SmallInt, Nullable<Timestamptz>, Timestamptz)>(
        "SELECT shard, CASE WHEN isfinite(scheduled_through) THEN scheduled_through END, \
                clock_timestamp() + $1 * interval '1 microsecond' \
           FROM schedule_cursor \
          WHERE (scheduled_through < clock_timestamp() + $2 * interval '1 microsecond' \
              OR scheduled_through > clock_timestamp() + $3 * interval '1 microsecond') \
            AND shard <> ALL ($4) \
          ORDER BY scheduled_through LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind::<BigInt, _>(&shift)
    .bind::<BigInt, _>(&behind)
    .bind::<BigInt, _>(&beyond)
    .bind::<Array<SmallInt>, _>(but)
    .load(conn)
    .await?;
    Ok(held.into_iter().next())
}

/// Moves a held cursor.
///
/// # Errors
/// The connection is gone.
pub async fn advance(conn: &mut Conn, shard: i16, through: DateTime<Utc>) -> QueryResult<()> {
    statement::<()>("UPDATE schedule_cursor SET scheduled_through = $1 WHERE shard = $2")
        .bind::<Timestamptz, _>(&through)
        .bind::<SmallInt, _>(&shard)
        .execute(conn)
        .await?;
    Ok(())
}

/// Services of one interval whose phases (milliseconds, both ends inclusive) lie in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the type says it all")]
pub struct PhaseRange {
    pub interval_ms: i32,
    pub from_ms: i32,
    pub to_ms: i32,
}

/// An active service with what a job needs, and the span of its present configuration.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct DueService {
    pub id: Uuid,
    pub user_id: Uuid,
    pub url: String,
    pub interval_ms: i32,
    pub phase_ms: i32,
    pub timeout_ms: i32,
    pub expected_status: i16,
    pub follow_redirects: bool,
    pub config_version: i32,
    pub regions: Vec<String>,
    pub span_from_at: DateTime<Utc>,
    pub span_to_at: Option<DateTime<Utc>>,
}

/// The active services of `shard` in any of `ranges`, which do not overlap.
///
/// # Errors
/// The connection is gone.
pub async fn due_services(
    conn: &mut Conn,
    shard: i16,
    ranges: &[PhaseRange],
) -> QueryResult<Vec<DueService>> {
    let column = |value: fn(&PhaseRange) -> i32| -> Vec<i32> { ranges.iter().map(value).collect() };
    let intervals = column(|range| range.interval_ms);
    let from = column(|range| range.from_ms);
    let to = column(|range| range.to_ms);
    // OFFSET 0 keeps the ranges outermost: one index range each, however little the planner knows.
    statement::<DueColumns>(
        "SELECT s.id, s.user_id, s.url, s.interval_ms, s.phase_ms, s.timeout_ms, \
                s.expected_status, s.follow_redirects, s.config_version, sp.regions, \
                sp.from_at, sp.to_at \
           FROM unnest($1, $2, $3) AS r (interval_ms, from_ms, to_ms) \
          CROSS JOIN LATERAL ( \
                SELECT * FROM services \
                 WHERE shard = $4 AND interval_ms = r.interval_ms \
                   AND phase_ms BETWEEN r.from_ms AND r.to_ms AND is_active OFFSET 0) AS s \
           JOIN service_spans sp ON sp.service_id = s.id AND sp.config_version = s.config_version",
    )
    .bind::<Array<Integer>, _>(&intervals)
    .bind::<Array<Integer>, _>(&from)
    .bind::<Array<Integer>, _>(&to)
    .bind::<SmallInt, _>(&shard)
    .load(conn)
    .await
}

type DueColumns = (
    SqlUuid,
    SqlUuid,
    Text,
    Integer,
    Integer,
    Integer,
    SmallInt,
    Bool,
    Integer,
    Array<Text>,
    Timestamptz,
    Nullable<Timestamptz>,
);
