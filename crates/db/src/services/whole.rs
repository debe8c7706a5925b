//! A service with everything that an answer about it needs, in one round trip: what is asked at once
//! is sent at once, on one connection.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _, OptionalExtension as _,
    QueryDsl as _, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Service;
use crate::certificates::Certificate;
use crate::health::Health;
use crate::schema::{certificates, health, service_spans, service_state, services};
use crate::service_state::ServiceState;
use crate::spans::ServiceSpan;
use crate::statement::statement;
use crate::users::{self, Standing};
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
    /// Counted results of slots from this moment on.
    pub young_since: DateTime<Utc>,
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

type Joined = (Service, ServiceState, Option<Health>, Option<Certificate>);

/// What the user may do (as [`users::standing`]), and the service, if it is his.
///
/// # Errors
/// The connection is gone.
pub async fn whole(
    conn: &Conn,
    asked: &Question,
) -> QueryResult<(Option<Standing>, Option<Whole>)> {
    let id = asked.service;
    let (mut one, mut two, mut three, mut four) = (conn, conn, conn, conn);
    let standing = users::standing_of(&asked.user, &asked.session).get_result(&mut one);
    let joined = services::table
        .inner_join(service_state::table.on(service_state::service_id.eq(services::id)))
        .left_join(health::table.on(health::service_id.eq(services::id)))
        .left_join(certificates::table.on(certificates::service_id.eq(services::id)))
        .filter(services::id.eq(id))
        .filter(services::user_id.eq(asked.user))
        .order(health::region)
        .select((
            Service::as_select(),
            ServiceState::as_select(),
            Option::<Health>::as_select(),
            Option::<Certificate>::as_select(),
        ))
        .load::<Joined>(&mut two);
    // Of somebody else's nothing is read: not even the time it takes tells them apart.
    let own = services::table
        .filter(services::id.eq(id))
        .filter(services::user_id.eq(asked.user));
    let spans = service_spans::table
        .filter(service_spans::service_id.eq(id))
        .filter(exists(own))
        .filter(
            service_spans::to_at
                .is_null()
                .or(service_spans::to_at.gt(asked.spans_since)),
        )
        .order(service_spans::from_at)
        .select(ServiceSpan::as_select())
        .load(&mut three);
    let young = statement::<BigInt>(
        "SELECT count(*) FROM probe_results \
          WHERE service_id = $1 AND scheduled_at >= $2 AND counted \
            AND EXISTS (SELECT FROM services WHERE id = $1 AND user_id = $3)",
    )
    .bind::<SqlUuid, _>(&id)
    .bind::<Timestamptz, _>(&asked.young_since)
    .bind::<SqlUuid, _>(&asked.user);
    let young = young.get_result(&mut four);
    let (standing, rows, spans, young) = tokio::join!(standing, joined, spans, young);
    Ok((standing.optional()?, assemble(rows?, spans?, young?)))
}

fn assemble(rows: Vec<Joined>, spans: Vec<ServiceSpan>, young: i64) -> Option<Whole> {
    let mut rows = rows.into_iter();
    let (service, state, first, certificate) = rows.next()?;
    let others = rows.filter_map(|(_, _, health, _)| health);
    Some(Whole {
        service,
        state,
        health: first.into_iter().chain(others).collect(),
        certificate,
        spans,
        young,
    })
}
