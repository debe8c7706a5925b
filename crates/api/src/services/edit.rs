//! Edits, pauses and resumes.

use chrono::TimeDelta;
use db::services::{self, Service, ServiceChange};
use db::{Conn, health, incidents, service_state, spans};
use models::alert::EndReason;
use models::id::ServiceId;
use uuid::Uuid;

use super::create::begin;
use super::fields::Patch;
use super::plan::{Plan, Turn, first_probe_at, plan};
use super::quota;
use super::stamp::Stamp;
use crate::app::Api;
use crate::auth::{Bearer, Caller};
use crate::error::Problem;
use crate::etag::IfMatch;
use crate::input::Fields;

/// Changes a service. `fields` holds what was wrong with the request so far.
///
/// # Errors
/// 401, 404, 412, 422, 409 (`quota-exceeded`), or the database's failure.
pub(crate) async fn edit(
    api: &Api,
    bearer: &Bearer,
    id: Uuid,
    if_match: &IfMatch,
    (patch, fields): (&Patch, &Fields),
) -> Result<Service, Problem> {
    let _turn = api.turns.take(bearer.user()).await?;
    let (service, wants_probe) = api
        .db
        .transaction(async |conn: &mut Conn| {
            let caller = bearer.caller_locked(conn).await?;
            let user = caller.user.as_uuid();
            // Before any lock: most refusals end here.
            let seen = services::find(conn, user, id)
                .await?
                .ok_or_else(Problem::not_found)?;
            plan(&seen, patch, fields.clone())?;
            let service = lock(conn, user, id).await?;
            let plan = plan(&service, patch, fields.clone())?;
            if plan.turn == Turn::Resume {
                require_slot(conn, api, &caller).await?;
            }
            // Last: a condition only decides about what would succeed without it (RFC 9110, 13.2.1).
            if_match.require(&service)?;
            if plan.is_empty() {
                return Ok((service, false));
            }
            let stamp = Stamp::take(conn, &api.clock).await?;
            let changed = apply(conn, api, &service, &plan, stamp).await?;
            stamp.require_fresh()?;
            Ok::<_, Problem>((changed, plan.new_version))
        })
        .await?;
    if wants_probe && service.is_active {
        api.nudges.send(ServiceId(service.id));
    }
    Ok(service)
}

/// Locks everything of a service, in the order that all processes keep.
pub(super) async fn lock(conn: &mut Conn, user: Uuid, id: Uuid) -> Result<Service, Problem> {
    if health::lock_of(conn, id).await?.is_empty() {
        return Err(Problem::not_found()); // deleted meanwhile
    }
    service_state::lock_of(conn, id).await?;
    services::lock(conn, user, id)
        .await?
        .ok_or_else(Problem::not_found)
}

async fn require_slot(conn: &mut Conn, api: &Api, caller: &Caller) -> Result<(), Problem> {
    let counts = services::counts(conn, caller.user.as_uuid()).await?;
    let limit = quota::active_limit(caller, api.config.limits.service_quota);
    quota::require_slot(counts, limit)
}

async fn apply(
    conn: &mut Conn,
    api: &Api,
    service: &Service,
    plan: &Plan,
    stamp: Stamp,
) -> Result<Service, Problem> {
    let is_active = plan.change.is_active.unwrap_or(service.is_active);
    let begins = plan.new_version && is_active;
    let first_at = first_probe_at(
        service.extra_probe_at,
        stamp.at,
        api.config.limits.min_interval_seconds,
    );
    let change = ServiceChange {
        config_version: plan.new_version.then_some(service.config_version + 1),
        extra_probe_at: begins.then_some(first_at),
        // It only rises, for versions are told by it.
        updated_at: Some(
            stamp
                .at
                .max(service.updated_at + TimeDelta::milliseconds(1)),
        ),
        ..plan.change.clone()
    };
    // Health and state before the service, as everybody does.
    match plan.turn {
        Turn::Resume => {
            health::end_streak(conn, service.id, Some(stamp.at)).await?;
            service_state::forget(conn, service.id).await?;
        }
        Turn::Pause => {
            health::end_streak(conn, service.id, None).await?;
            service_state::forget(conn, service.id).await?;
        }
        Turn::None => {}
    }
    services::change(conn, service.id, &change).await?;
    let changed = merged(service, &change);
    if plan.new_version || plan.turn == Turn::Pause {
        spans::close(conn, service.id, stamp.at).await?;
        db::extra_probes::delete_of(conn, service.id).await?;
    }
    if begins {
        begin(conn, &changed, stamp, first_at).await?;
    }
    if plan.turn == Turn::Pause {
        silence(conn, service.id, EndReason::Paused, stamp).await?;
    }
    Ok(changed)
}

/// Ends the incident without a word, and voids what is unsent.
pub(super) async fn silence(
    conn: &mut Conn,
    service: Uuid,
    reason: EndReason,
    stamp: Stamp,
) -> Result<(), Problem> {
    incidents::end_open(conn, service, reason.as_str(), stamp.at).await?;
    db::alerts::release_of(conn, service).await?;
    db::deliveries::suppress_of(conn, service).await?;
    Ok(())
}

/// The row as it is after the change.
fn merged(service: &Service, change: &ServiceChange) -> Service {
    let (old, new) = (service.clone(), change.clone());
    Service {
        name: new.name.unwrap_or(old.name),
        interval_ms: new.interval_ms.unwrap_or(old.interval_ms),
        phase_ms: new.phase_ms.unwrap_or(old.phase_ms),
        timeout_ms: new.timeout_ms.unwrap_or(old.timeout_ms),
        expected_status: new.expected_status.unwrap_or(old.expected_status),
        sla_target: new.sla_target.unwrap_or(old.sla_target),
        ssl_expiry_days: new.ssl_expiry_days.unwrap_or(old.ssl_expiry_days),
        follow_redirects: new.follow_redirects.unwrap_or(old.follow_redirects),
        is_active: new.is_active.unwrap_or(old.is_active),
        config_version: new.config_version.unwrap_or(old.config_version),
        extra_probe_at: new.extra_probe_at.or(old.extra_probe_at),
        updated_at: new.updated_at.unwrap_or(old.updated_at),
        ..old
    }
}
