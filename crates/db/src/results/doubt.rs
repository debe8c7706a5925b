//! Failures in doubt: read for a second opinion, and voided by one. Whoever calls these holds the
//! health rows of the services, so nothing comes between.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bool, Integer, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// Which row: unique among results.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The service.
    pub service_id: Uuid,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// Where it was probed from.
    pub region: String,
    /// The kind's stored code.
    pub kind: i16,
}

/// A row, as far as a second opinion cares.
#[derive(Debug, Clone, PartialEq, Queryable)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Doubted {
    pub service_id: Uuid,
    pub scheduled_at: DateTime<Utc>,
    pub region: String,
    pub kind: i16,
    pub checked_at: DateTime<Utc>,
    pub config_version: i32,
    pub outcome: i16,
    pub counted: bool,
    pub moves_state: bool,
    pub voided: bool,
    pub prober: String,
}

type DoubtedColumns = (
    SqlUuid,
    Timestamptz,
    Text,
    SmallInt,
    Timestamptz,
    Integer,
    SmallInt,
    Bool,
    Bool,
    Bool,
    Text,
);

/// The rows with these keys, as far as they exist.
///
/// # Errors
/// The database failed.
pub async fn read(conn: &mut Conn, keys: &[Key]) -> QueryResult<Vec<Doubted>> {
    let columns = Columns::of(keys);
    statement::<DoubtedColumns>(
        "SELECT r.service_id, r.scheduled_at, r.region, r.kind, r.checked_at, r.config_version, \
                r.outcome, r.counted, r.moves_state, r.voided, r.prober \
         FROM unnest($1, $2, $3, $4) AS k (service_id, scheduled_at, region, kind) \
         JOIN probe_results r ON r.service_id = k.service_id AND r.scheduled_at = k.scheduled_at \
             AND r.region = k.region AND r.kind = k.kind",
    )
    .bind::<Array<SqlUuid>, _>(&columns.services)
    .bind::<Array<Timestamptz>, _>(&columns.times)
    .bind::<Array<Text>, _>(&columns.regions)
    .bind::<Array<SmallInt>, _>(&columns.kinds)
    .load(conn)
    .await
}

/// Which rows may be in doubt, or tell of it: those of one service and region.
#[derive(Debug, Clone, PartialEq)]
pub struct Recent {
    /// The service.
    pub service_id: Uuid,
    /// The region.
    pub region: String,
    /// All since then.
    pub since: DateTime<Utc>,
    /// And the newest before that which had a place in a streak, but none older than this.
    pub floor: DateTime<Utc>,
}

/// Codes of outcomes: 0 down, 1 up. The caller says the code of confirms.
const RECENT: &str = "SELECT k.service_id, r.scheduled_at, k.region, r.kind, r.checked_at, \
    r.config_version, r.outcome, r.counted, r.moves_state, r.voided, r.prober \
    FROM unnest($1, $2, $3, $4) AS k (service_id, region, since_at, floor_at) \
    CROSS JOIN LATERAL ((SELECT p.* FROM probe_results p \
        WHERE p.service_id = k.service_id AND p.region = k.region \
          AND p.scheduled_at >= k.since_at AND (p.moves_state OR p.kind = $5)) \
      UNION ALL (SELECT p.* FROM probe_results p \
        WHERE p.service_id = k.service_id AND p.region = k.region \
          AND p.scheduled_at >= k.floor_at AND p.scheduled_at < k.since_at \
          AND p.moves_state AND NOT p.voided AND p.outcome IN (0, 1) \
        ORDER BY p.scheduled_at DESC, p.kind DESC LIMIT 1)) r \
    ORDER BY k.service_id, k.region, r.scheduled_at, r.kind";

/// The rows asked for that move state or are confirms, each service's and region's in the order of
/// (`scheduled_at`, kind). A few: one for every interval since then.
///
/// # Errors
/// The database failed.
pub async fn recent(conn: &mut Conn, asked: &[Recent], confirm: i16) -> QueryResult<Vec<Doubted>> {
    let services: Vec<Uuid> = asked.iter().map(|asked| asked.service_id).collect();
    let regions: Vec<&str> = asked.iter().map(|asked| asked.region.as_str()).collect();
    let since: Vec<DateTime<Utc>> = asked.iter().map(|asked| asked.since).collect();
    let floor: Vec<DateTime<Utc>> = asked.iter().map(|asked| asked.floor).collect();
    statement::<DoubtedColumns>(RECENT)
        .bind::<Array<SqlUuid>, _>(&services)
        .bind::<Array<Text>, _>(&regions)
        .bind::<Array<Timestamptz>, _>(&since)
        .bind::<Array<Timestamptz>, _>(&floor)
        .bind::<SmallInt, _>(&confirm)
        .load(conn)
        .await
}

/// Voids the rows with these keys.
///
/// # Errors
/// The database failed.
pub async fn void(conn: &mut Conn, keys: &[Key]) -> QueryResult<usize> {
    let columns = Columns::of(keys);
    statement::<()>(
        "UPDATE probe_results r SET voided = true \
         FROM unnest($1, $2, $3, $4) AS k (service_id, scheduled_at, region, kind) \
         WHERE r.service_id = k.service_id AND r.scheduled_at = k.scheduled_at \
           AND r.region = k.region AND r.kind = k.kind",
    )
    .bind::<Array<SqlUuid>, _>(&columns.services)
    .bind::<Array<Timestamptz>, _>(&columns.times)
    .bind::<Array<Text>, _>(&columns.regions)
    .bind::<Array<SmallInt>, _>(&columns.kinds)
    .execute(conn)
    .await
}

/// Keys as UNNEST takes them.
struct Columns<'a> {
    services: Vec<Uuid>,
    times: Vec<DateTime<Utc>>,
    regions: Vec<&'a str>,
    kinds: Vec<i16>,
}

impl<'a> Columns<'a> {
    fn of(keys: &'a [Key]) -> Self {
        Self {
            services: keys.iter().map(|key| key.service_id).collect(),
            times: keys.iter().map(|key| key.scheduled_at).collect(),
            regions: keys.iter().map(|key| key.region.as_str()).collect(),
            kinds: keys.iter().map(|key| key.kind).collect(),
        }
    }
}
