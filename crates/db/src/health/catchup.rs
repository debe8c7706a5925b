//! Slow services whose newest slot fell into an outage of ours.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryResult, Queryable};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::Conn;
use crate::statement::statement;

/// Five minutes: services probed more often have their next slot soon enough. Written out in the
/// query, so that the index of just these is found.
pub const SLOW_INTERVAL_MS: i32 = 300_000;

/// An active service with a long interval, in one region.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Slow {
    /// The service.
    pub service_id: Uuid,
    /// Where it is probed from.
    pub region: String,
    /// Its configuration.
    pub config_version: i32,
    /// Its interval, in milliseconds.
    pub interval_ms: i32,
    /// Its phase, in milliseconds.
    pub phase_ms: i32,
    /// Since when it has had them.
    pub from_at: DateTime<Utc>,
    /// The newest result that moved its state.
    pub last_scheduled_at: Option<DateTime<Utc>>,
    /// The slot for which a catch-up probe was asked.
    pub catchup_for: Option<DateTime<Utc>>,
}

/// Active services with an interval of at least [`SLOW_INTERVAL_MS`] whose id follows `after`, in
/// the order of their ids; at most `limit` rows.
///
/// # Errors
/// The database failed.
pub async fn slow(conn: &mut Conn, after: Uuid, limit: i64) -> QueryResult<Vec<Slow>> {
    statement::<(
        SqlUuid,
        Text,
        Integer,
        Integer,
        Integer,
        Timestamptz,
        Nullable<Timestamptz>,
        Nullable<Timestamptz>,
    )>(
        "SELECT s.id, h.region, p.config_version, p.interval_ms, p.phase_ms, p.from_at, \
                h.last_scheduled_at, h.catchup_for \
         FROM services s \
         JOIN service_spans p ON p.service_id = s.id AND p.to_at IS NULL \
         JOIN health h ON h.service_id = s.id AND h.region = ANY (p.regions) \
         WHERE s.is_active AND s.interval_ms >= 300000 AND s.id > $1 ORDER BY s.id LIMIT $2",
    )
    .bind::<SqlUuid, _>(&after)
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await
}

/// A slot without a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The service.
    pub service_id: Uuid,
    /// The region.
    pub region: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// When the probe in its place is due.
    pub at: DateTime<Utc>,
    /// The configuration to probe with.
    pub config_version: i32,
}

const ASK: &str = "WITH wanted AS ( \
        SELECT h.service_id, h.region, m.slot, m.at, m.config_version \
        FROM unnest($1, $2, $3, $4, $5) AS m (service_id, region, slot, at, config_version) \
        JOIN health h ON h.service_id = m.service_id AND h.region = m.region \
        JOIN services s ON s.id = m.service_id \
        WHERE s.is_active AND s.config_version = m.config_version \
          AND h.catchup_for IS DISTINCT FROM m.slot \
          AND (h.last_scheduled_at IS NULL OR h.last_scheduled_at < m.slot) \
          AND NOT EXISTS (SELECT FROM probe_results r WHERE r.service_id = m.service_id \
              AND r.scheduled_at = m.slot AND r.region = m.region AND r.kind = $6) \
        ORDER BY h.service_id, h.region FOR UPDATE OF h SKIP LOCKED \
    ), noted AS ( \
        UPDATE health h SET catchup_for = w.slot FROM wanted w \
        WHERE h.service_id = w.service_id AND h.region = w.region \
    ) \
    INSERT INTO extra_probes \
        (service_id, region, kind, scheduled_at, config_version, dispatch_at, created_at) \
    SELECT service_id, region, 'catchup', at, config_version, at, $7 FROM wanted \
    ON CONFLICT DO NOTHING RETURNING true";

/// Asks for one probe in place of each slot, unless one was asked for, or a result has come, or
/// the row is locked just now. `slot_kind` is the stored code of a slot. Answers how many.
///
/// # Errors
/// The database failed.
pub async fn ask(
    conn: &mut Conn,
    missing: &[Missing],
    slot_kind: i16,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let column_of_regions: Vec<&str> = missing.iter().map(|row| row.region.as_str()).collect();
    let asked: Vec<bool> = statement::<Bool>(ASK)
        .bind::<Array<SqlUuid>, _>(&column(missing, |row| row.service_id))
        .bind::<Array<Text>, _>(&column_of_regions)
        .bind::<Array<Timestamptz>, _>(&column(missing, |row| row.slot))
        .bind::<Array<Timestamptz>, _>(&column(missing, |row| row.at))
        .bind::<Array<Integer>, _>(&column(missing, |row| row.config_version))
        .bind::<SmallInt, _>(&slot_kind)
        .bind::<Timestamptz, _>(&now)
        .load(conn)
        .await?;
    Ok(asked.len())
}

fn column<T>(rows: &[Missing], value: impl Fn(&Missing) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
