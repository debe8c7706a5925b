//! A service with everything that an answer about it needs, in one statement: an api that is asked for services again
//! and again pays for one round trip and one plan.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Array, BigInt, Nullable, Record, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Service;
use crate::certificates::Certificate;
use crate::health::Health;
use crate::schema::{certificates, health, service_spans, service_state, services};
use crate::service_state::ServiceState;
use crate::spans::ServiceSpan;
use crate::statement::{Name, statement};
use crate::users::{Standing, StandingRow};
use crate::{Conn, QueryResult};

/// Which service, for whom, and from when on its past is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub user: Uuid,
    /// The session of his token, if it has one.
    pub session: Option<Uuid>,
    /// The service.
    pub service: Uuid,
    /// Spans that reach past this moment.
    pub spans_since: DateTime<Utc>,
    /// Counted results of slots from this moment on,
    pub young_since: DateTime<Utc>,
    /// and before this one: results lie in a part of their own for each day, and only the parts in between are read.
    pub young_before: DateTime<Utc>,
}

/// What an answer about one service needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The service.
    pub service: Service,
    /// Its state.
    pub state: ServiceState,
    /// One row a region.
    pub health: Vec<Health>,
    /// Of an https service that was probed.
    pub certificate: Option<Certificate>,
    /// Oldest first.
    pub spans: Vec<ServiceSpan>,
    /// How many counted results.
    pub young: i64,
}

/// The columns of [`WHOLE`].
type Row = (
    StandingRow,
    Nullable<services::SqlType>,
    Nullable<service_state::SqlType>,
    Nullable<certificates::SqlType>,
    Nullable<health::SqlType>,
    Array<Record<service_spans::SqlType>>,
    BigInt,
);

/// One row for each region of the service, one where there is no such service, none where there is no such user. Of
/// somebody else's service nothing is read: not even the time it takes tells it from one that is not there. Columns stand
/// in the order of their structs.
const WHOLE: &str = "\
    SELECT u.token_epoch, u.locked_at, u.service_quota, u.is_verified, \
        $1 IS NULL OR EXISTS (SELECT FROM sessions e WHERE e.id = $1 AND e.user_id = u.id), \
        s.id, s.user_id, s.name, s.url, s.interval_ms, s.phase_ms, s.shard, s.timeout_ms, s.expected_status, \
        s.sla_target, s.ssl_expiry_days, s.follow_redirects, s.regions, s.is_active, s.config_version, \
        s.extra_probe_at, s.created_at, s.updated_at, \
        t.service_id, t.status, t.incident_id, t.sla_breached, t.sla_breaches, t.failure_alerted_at, \
        t.sla_alerted_at, t.window_at, t.window_hour, t.day_judged, t.day_failed, t.day_excluded, \
        t.day_excluded_failed, t.sla_judged, t.sla_failed, t.sla_inconclusive, t.sla_excluded, \
        t.sla_excluded_failed, t.sla_latency_sum_us, t.sla_histogram, \
        c.service_id, c.fingerprint, c.errors, c.facts, c.not_after, c.seen_at, c.warned_days, c.warned_errors, \
        h.service_id, h.region, h.streak, h.streak_since, h.last_scheduled_at, h.last_outcome, h.last_failure_at, \
        h.last_success_at, h.last_checked_at, h.hour, h.judged, h.failed, h.inconclusive, h.excluded, \
        h.excluded_failed, h.latency_sum_us, h.latency_min_us, h.latency_max_us, h.histogram, h.catchup_for, \
        ARRAY(SELECT ROW(p.service_id, p.config_version, p.interval_ms, p.phase_ms, p.regions, p.from_at, p.to_at) \
                FROM service_spans p \
               WHERE p.service_id = s.id AND (p.to_at IS NULL OR p.to_at > $2) ORDER BY p.from_at), \
        (SELECT count(*) FROM probe_results r \
          WHERE r.service_id = s.id AND r.scheduled_at >= $3 AND r.scheduled_at < $4 AND r.counted) \
      FROM users u \
      LEFT JOIN services s ON s.id = $5 AND s.user_id = u.id \
      LEFT JOIN service_state t ON t.service_id = s.id \
      LEFT JOIN certificates c ON c.service_id = s.id \
      LEFT JOIN health h ON h.service_id = s.id \
     WHERE u.id = $6 ORDER BY h.region";

/// The name of [`WHOLE`].
enum WholeService {}

impl Name for WholeService {}

/// A row of [`WHOLE`].
#[derive(Debug, Queryable)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Found {
    standing: Standing,
    service: Option<Service>,
    state: Option<ServiceState>,
    certificate: Option<Certificate>,
    health: Option<Health>,
    spans: Vec<SpanColumns>,
    young: i64,
}

type SpanColumns = (
    Uuid,
    i32,
    i32,
    i32,
    Vec<String>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
);

/// What the user may do (as [`users::standing`](crate::users::standing)), and the service, if it is his.
///
/// # Errors
/// The connection is gone.
pub async fn whole(
    conn: &mut Conn,
    asked: &Question,
) -> QueryResult<(Option<Standing>, Option<Whole>)> {
    let rows: Vec<Found> = statement::<Row>(WHOLE)
        .named::<WholeService>()
        .bind::<Nullable<SqlUuid>, _>(&asked.session)
        .bind::<Timestamptz, _>(&asked.spans_since)
        .bind::<Timestamptz, _>(&asked.young_since)
        .bind::<Timestamptz, _>(&asked.young_before)
        .bind::<SqlUuid, _>(&asked.service)
        .bind::<SqlUuid, _>(&asked.user)
        .load(conn)
        .await?;
    let mut rows = rows.into_iter();
    let Some(first) = rows.next() else {
        return Ok((None, None));
    };
    Ok((Some(first.standing), assemble(first, rows)))
}

fn assemble(first: Found, others: impl Iterator<Item = Found>) -> Option<Whole> {
    let others = others.filter_map(|row| row.health);
    Some(Whole {
        service: first.service?,
        state: first.state?,
        health: first.health.into_iter().chain(others).collect(),
        certificate: first.certificate,
        spans: first.spans.into_iter().map(span).collect(),
        young: first.young,
    })
}

fn span(columns: SpanColumns) -> ServiceSpan {
    let (service_id, config_version, interval_ms, phase_ms, regions, from_at, to_at) = columns;
    ServiceSpan {
        service_id,
        config_version,
        interval_ms,
        phase_ms,
        regions,
        from_at,
        to_at,
    }
}
