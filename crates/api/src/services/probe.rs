//! A probe outside the schedule, asked for by the tenant.

use chrono::TimeDelta;
use db::extra_probes::{self, ExtraProbe};
use db::services::{self, ServiceChange};
use db::{Conn, QueryResult};
use models::id::{ProbeId, ServiceId};
use models::probe::{ProbeKind, probe_id};
use models::{DEFAULT_REGION, Time};
use uuid::Uuid;

use super::stamp::Stamp;
use crate::app::Api;
use crate::auth::Bearer;
use crate::error::Problem;
use crate::problems;

/// Asks for a probe now.
///
/// # Errors
/// 401, 404, 409 (`service-paused`), 429 while an extra probe's time is not over, or the database's failure.
pub(crate) async fn probe_now(api: &Api, bearer: &Bearer, id: Uuid) -> Result<ProbeId, Problem> {
    let probe = api
        .db
        .transaction(async |conn: &mut Conn| {
            let user = bearer.caller(conn).await?.user.as_uuid();
            let service = services::lock(conn, user, id)
                .await?
                .ok_or_else(Problem::not_found)?;
            if !service.is_active {
                return Err(Problem::new(
                    &problems::SERVICE_PAUSED,
                    "Resume it first: a paused service is not probed.",
                ));
            }
            let stamp = Stamp::take(conn, &api.clock).await?;
            let spacing = api.config.limits.min_interval_seconds;
            if let Some(seconds) = wait_seconds(service.extra_probe_at, stamp.at, spacing) {
                return Err(Problem::too_many(
                    format!("One extra probe every {spacing} s; try again in {seconds} s."),
                    seconds,
                ));
            }
            want(conn, id, service.config_version, stamp.at).await?;
            let kind = ProbeKind::Manual;
            Ok(probe_id(
                ServiceId(id),
                DEFAULT_REGION,
                kind,
                stamp.at,
                service.config_version,
            ))
        })
        .await?;
    api.nudges.send(ServiceId(id));
    Ok(probe)
}

/// How long the one before still counts; `None`: a new one may go.
fn wait_seconds(before: Option<Time>, now: Time, spacing_seconds: u32) -> Option<u64> {
    let free_at = before? + TimeDelta::seconds(i64::from(spacing_seconds));
    let wait_ms = u64::try_from((free_at - now).num_milliseconds()).ok()?;
    (wait_ms > 0).then(|| wait_ms.div_ceil(1000))
}

async fn want(conn: &mut Conn, service: Uuid, config_version: i32, at: Time) -> QueryResult<()> {
    let change = ServiceChange {
        extra_probe_at: Some(at),
        ..ServiceChange::default()
    };
    services::change(conn, service, &change).await?;
    let probe = ExtraProbe {
        service_id: service,
        region: DEFAULT_REGION.to_owned(),
        kind: ProbeKind::Manual.as_str().to_owned(),
        scheduled_at: at,
        config_version,
        dispatch_at: at,
        avoid_prober: None,
        answers: None,
        created_at: at,
    };
    extra_probes::insert(conn, &[probe]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_probe_waits_out_the_time_of_the_one_before() {
        let at = |ms: i64| Time::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        assert_eq!(wait_seconds(None, at(0), 10), None);
        assert_eq!(wait_seconds(Some(at(0)), at(0), 10), Some(10));
        assert_eq!(wait_seconds(Some(at(0)), at(9_001), 10), Some(1));
        assert_eq!(wait_seconds(Some(at(0)), at(10_000), 10), None);
        assert_eq!(wait_seconds(Some(at(5_000)), at(0), 10), Some(15));
    }
}
