//! Services: what is watched.

pub mod counts;
pub mod watched;
pub mod whole;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{
    AsChangeset, ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _,
    Queryable, Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::schema::services;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// A row of `services`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = services, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Service {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    /// The normalised form: what is shown, compared and probed. Immutable.
    pub url: String,
    pub interval_ms: i32,
    /// Both follow from the id (and the interval) alone; stored so that due slots are an index read.
    pub phase_ms: i32,
    pub shard: i16,
    pub timeout_ms: i32,
    pub expected_status: i16,
    /// Hundredths of a percent: 9990 is 99.9 %.
    pub sla_target: i16,
    pub ssl_expiry_days: i16,
    pub follow_redirects: bool,
    pub regions: Vec<String>,
    pub is_active: bool,
    /// Raised by every edit that changes probing, and by a resume.
    pub config_version: i32,
    /// When the last extra probe (first or manual) was asked for; spaces them.
    pub extra_probe_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The unique constraint that a second service of one user with one URL meets.
pub const URL_TAKEN: &str = "services_user_id_url_key";

/// What an edit may change. `None` leaves a column alone.
#[derive(Debug, Clone, Default, PartialEq, AsChangeset)]
#[diesel(table_name = services)]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct ServiceChange {
    pub name: Option<String>,
    pub interval_ms: Option<i32>,
    pub phase_ms: Option<i32>,
    pub timeout_ms: Option<i32>,
    pub expected_status: Option<i16>,
    pub sla_target: Option<i16>,
    pub ssl_expiry_days: Option<i16>,
    pub follow_redirects: Option<bool>,
    pub is_active: Option<bool>,
    pub config_version: Option<i32>,
    pub extra_probe_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// How many services a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct Counts {
    /// Not paused.
    pub active: i64,
    /// In all.
    pub total: i64,
}

/// Which services of a user, and from where on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// As the api shows it: `paused`, or the status of an active service.
    pub status: Option<String>,
    /// Part of the name or URL, without case.
    pub text: Option<String>,
    /// Only services older than this one, by time of creation and id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Adds a service.
///
/// # Errors
/// [`URL_TAKEN`], or the connection is gone.
pub async fn insert(conn: &mut Conn, service: &Service) -> QueryResult<()> {
    diesel::insert_into(services::table)
        .values(service)
        .execute(conn)
        .await
        .map(drop)
}

/// A user's service; `None` for one that is not there and for somebody else's.
///
/// # Errors
/// The connection is gone.
pub async fn find(conn: &mut Conn, user: Uuid, id: Uuid) -> QueryResult<Option<Service>> {
    services::table
        .find(id)
        .filter(services::user_id.eq(user))
        .select(Service::as_select())
        .first(conn)
        .await
        .optional()
}

/// The same, locked. Lock its health and state rows first.
///
/// # Errors
/// The connection is gone.
pub async fn lock(conn: &mut Conn, user: Uuid, id: Uuid) -> QueryResult<Option<Service>> {
    services::table
        .find(id)
        .filter(services::user_id.eq(user))
        .select(Service::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// How many services a user has. Exact while his row is locked.
///
/// # Errors
/// The connection is gone.
pub async fn counts(conn: &mut Conn, user: Uuid) -> QueryResult<Counts> {
    statement::<(BigInt, BigInt)>(
        "SELECT count(*) FILTER (WHERE is_active), count(*) FROM services WHERE user_id = $1",
    )
    .bind::<SqlUuid, _>(&user)
    .get_result(conn)
    .await
}

/// Whether a user watches this URL already.
///
/// # Errors
/// The connection is gone.
pub async fn has_url(conn: &mut Conn, user: Uuid, url: &str) -> QueryResult<bool> {
    statement::<Bool>("SELECT EXISTS (SELECT 1 FROM services WHERE user_id = $1 AND url = $2)")
        .bind::<SqlUuid, _>(&user)
        .bind::<Text, _>(url)
        .get_result(conn)
        .await
}

/// At most `limit` of a user's services, newest first.
///
/// # Errors
/// The connection is gone.
pub async fn page(
    conn: &mut Conn,
    user: Uuid,
    filter: &Filter,
    limit: i64,
) -> QueryResult<Vec<Service>> {
    let pattern = filter.text.as_deref().map(containing);
    let ids: Vec<Uuid> = statement::<SqlUuid>(
        "SELECT s.id FROM services s JOIN service_state t ON t.service_id = s.id \
          WHERE s.user_id = $1 \
            AND ($2 IS NULL OR CASE WHEN s.is_active THEN t.status ELSE 'paused' END = $2) \
            AND ($3 IS NULL OR s.name ILIKE $3 OR s.url ILIKE $3) \
            AND ($4 IS NULL OR (s.created_at, s.id) < ($4, $5)) \
          ORDER BY s.created_at DESC, s.id DESC LIMIT $6",
    )
    .bind::<SqlUuid, _>(&user)
    .bind::<Nullable<Text>, _>(&filter.status)
    .bind::<Nullable<Text>, _>(&pattern)
    .bind::<Nullable<Timestamptz>, _>(&filter.after.map(|(created_at, _)| created_at))
    .bind::<Nullable<SqlUuid>, _>(&filter.after.map(|(_, id)| id))
    .bind::<BigInt, _>(&limit)
    .load(conn)
    .await?;
    services::table
        .filter(services::id.eq_any(ids))
        .order((services::created_at.desc(), services::id.desc()))
        .select(Service::as_select())
        .load(conn)
        .await
}

/// A pattern for texts that contain `text`, whatever characters it has.
pub(crate) fn containing(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

/// Changes a service that is locked.
///
/// # Errors
/// The connection is gone.
pub async fn change(conn: &mut Conn, id: Uuid, change: &ServiceChange) -> QueryResult<()> {
    diesel::update(services::table.find(id))
        .set(change)
        .execute(conn)
        .await
        .map(drop)
}

/// Removes a service, and with it its health, state, spans, wanted probes and certificate.
///
/// # Errors
/// The connection is gone.
pub async fn delete(conn: &mut Conn, id: Uuid) -> QueryResult<usize> {
    diesel::delete(services::table.find(id)).execute(conn).await
}
