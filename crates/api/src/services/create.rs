//! A new service: its rows, its first span and its first probe, in one transaction.

use std::time::Duration;

use db::extra_probes::{self, ExtraProbe};
use db::idempotency::Kept;
use db::services::{self, Service};
use db::spans::{self, ServiceSpan};
use db::{Conn, Failure, QueryError};
use models::DEFAULT_REGION;
use models::id::ServiceId;
use models::probe::ProbeKind;
use models::slot;
use uuid::Uuid;

use super::fields::NewService;
use super::quota;
use super::stamp::Stamp;
use crate::app::Api;
use crate::auth::{Bearer, Caller};
use crate::error::Problem;
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problems;
use crate::views::service::full;

/// Versions count from here.
const FIRST_VERSION: i32 = 1;

/// What a create came to.
#[derive(Debug)]
pub(crate) struct Created {
    /// The service.
    pub(crate) id: Uuid,
    /// Its entity tag.
    pub(crate) etag: String,
    /// It as JSON.
    pub(crate) body: String,
    /// The answer was given before, to the same `Idempotency-Key`.
    pub(crate) is_replayed: bool,
}

/// How often, and after how long, it is looked whether another copy is done with the same `Idempotency-Key`: a create takes
/// milliseconds, so that the 409 is for one that hangs. Nothing is held meanwhile.
const LOOKS: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Creates a service, or finds what the same `Idempotency-Key` created before.
///
/// # Errors
/// 401, 409 (`duplicate-url`, `quota-exceeded`, `service-limit`, `idempotency-key-in-use`), 422
/// (`idempotency-key-reused`), or the database's failure.
pub(crate) async fn create(
    api: &Api,
    bearer: &Bearer,
    new: &NewService,
    key: &IdempotencyKey,
) -> Result<Created, Problem> {
    for _ in 1..LOOKS {
        match create_now(api, bearer, new, key).await {
            Err(busy) if busy.parts().kind == &problems::IDEMPOTENCY_KEY_IN_USE => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            done => return done,
        }
    }
    create_now(api, bearer, new, key).await
}

async fn create_now(
    api: &Api,
    bearer: &Bearer,
    new: &NewService,
    key: &IdempotencyKey,
) -> Result<Created, Problem> {
    let asked = new.canonical();
    let used = key.used_for(bearer.user().as_uuid(), &asked);
    let _turn = api.turns.take(bearer.user()).await?;
    let (created, is_active) = api
        .db
        .transaction(async |conn: &mut Conn| {
            if let Some(used) = &used {
                used.begin(conn).await?;
            }
            let caller = bearer.caller_locked(conn).await?;
            if let Some(used) = &used
                && let Some(kept) = used.answered(conn, api.clock.now()).await?
            {
                return Ok((replayed(kept), false));
            }
            require_place(conn, api, &caller, new).await?;
            let stamp = Stamp::take(conn, &api.clock).await?;
            let service = row(&caller, new, stamp)?;
            insert(conn, &service, stamp).await?;
            let is_active = service.is_active;
            let created = shown(conn, api, service, stamp).await?;
            if let Some(used) = &used {
                let answer = (created.id, created.etag.as_str(), created.body.as_str());
                used.keep(conn, answer, stamp.at).await?;
            }
            stamp.require_fresh()?;
            Ok::<_, Problem>((created, is_active))
        })
        .await?;
    if is_active {
        api.nudges.send(ServiceId(created.id));
    }
    Ok(created)
}

fn replayed(kept: Kept) -> Created {
    Created {
        id: kept.service_id,
        etag: kept.etag,
        body: kept.body,
        is_replayed: true,
    }
}

/// The answer, made inside the transaction so that it can be kept there.
async fn shown(
    conn: &mut Conn,
    api: &Api,
    service: Service,
    stamp: Stamp,
) -> Result<Created, Problem> {
    let (id, etag) = (service.id, etag::of(&service));
    let full = full(conn, service, api.config.sla_window_days, stamp.at).await?;
    Ok(Created {
        id,
        etag,
        body: serde_json::to_string(&full).map_err(Problem::internal)?,
        is_replayed: false,
    })
}

async fn require_place(
    conn: &mut Conn,
    api: &Api,
    caller: &Caller,
    new: &NewService,
) -> Result<(), Problem> {
    let user = caller.user.as_uuid();
    if services::has_url(conn, user, new.url.as_str()).await? {
        return Err(duplicate_url());
    }
    let counts = services::counts(conn, user).await?;
    let limit = quota::active_limit(caller, api.config.limits.service_quota);
    if new.is_active {
        quota::require_slot(counts, limit)?;
    }
    quota::require_room(counts, limit)
}

fn row(caller: &Caller, new: &NewService, stamp: Stamp) -> Result<Service, Problem> {
    let id = ServiceId(Uuid::now_v7());
    let interval_ms = new.interval.ms();
    let column = |value: u32| i32::try_from(value).map_err(Problem::internal);
    Ok(Service {
        id: id.as_uuid(),
        user_id: caller.user.as_uuid(),
        name: new.name.as_str().to_owned(),
        url: new.url.as_str().to_owned(),
        interval_ms: column(interval_ms)?,
        phase_ms: column(slot::phase_ms(id, interval_ms))?,
        shard: i16::from(slot::shard(id)),
        timeout_ms: i32::from(new.timeout_seconds) * 1000,
        expected_status: new.expected_status,
        sla_target: i16::try_from(new.sla_target.hundredths()).map_err(Problem::internal)?,
        ssl_expiry_days: new.ssl_expiry_days,
        follow_redirects: new.follow_redirects,
        regions: vec![DEFAULT_REGION.to_owned()],
        is_active: new.is_active,
        config_version: FIRST_VERSION,
        extra_probe_at: new.is_active.then_some(stamp.at),
        created_at: stamp.at,
        updated_at: stamp.at,
    })
}

async fn insert(conn: &mut Conn, service: &Service, stamp: Stamp) -> Result<(), Problem> {
    services::insert(conn, service).await.map_err(taken)?;
    for region in &service.regions {
        db::health::add(conn, service.id, region, stamp.at).await?;
    }
    db::service_state::add(conn, service.id).await?;
    if service.is_active {
        begin(conn, service, stamp, stamp.at).await?;
    }
    Ok(())
}

/// Opens the span of a service's present configuration and asks for its first probe.
pub(super) async fn begin(
    conn: &mut Conn,
    service: &Service,
    stamp: Stamp,
    first_probe_at: models::Time,
) -> Result<(), Problem> {
    let span = ServiceSpan {
        service_id: service.id,
        config_version: service.config_version,
        interval_ms: service.interval_ms,
        phase_ms: service.phase_ms,
        regions: service.regions.clone(),
        from_at: stamp.begins_at(),
        to_at: None,
    };
    spans::open(conn, &span).await?;
    let probes: Vec<ExtraProbe> = service
        .regions
        .iter()
        .map(|region| ExtraProbe {
            service_id: service.id,
            region: region.clone(),
            kind: ProbeKind::First.as_str().to_owned(),
            scheduled_at: first_probe_at,
            config_version: service.config_version,
            dispatch_at: first_probe_at,
            avoid_prober: None,
            answers: None,
            created_at: stamp.at,
        })
        .collect();
    extra_probes::insert(conn, &probes).await?;
    Ok(())
}

/// The index decides; the question before it only makes the usual answer cheap.
fn taken(error: QueryError) -> Problem {
    if Failure::of(&error).is_constraint(services::URL_TAKEN) {
        duplicate_url()
    } else {
        error.into()
    }
}

fn duplicate_url() -> Problem {
    Problem::new(
        &problems::DUPLICATE_URL,
        "One of your services has this URL. Change that one instead.",
    )
}
