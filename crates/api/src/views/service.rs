//! A service, in short and in full.

use std::collections::HashMap;

use chrono::TimeDelta;
use db::Conn;
use db::health::Health;
use db::service_state::ServiceState;
use db::services::Service;
use db::services::whole::Whole;
use models::Time;
use models::interval::Interval;
use models::service::Status;
use models::sla::Hundredths;
use models::slot::Slots;
use models::window::Window;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::openapi::values::{IntervalName, Milliseconds, Percentage, StatusName, Timestamp};
use crate::views::figures::{self, Latency, Rolling};
use crate::views::format;
use crate::views::ssl::{SslView, ssl};

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ServiceSummary)]
pub(crate) struct Summary {
    /// Its id.
    pub(crate) id: Uuid,
    /// As its owner calls it.
    pub(crate) name: String,
    /// What is probed, in its normal form.
    pub(crate) url: String,
    /// How often.
    #[schema(value_type = IntervalName)]
    pub(crate) interval: &'static str,
    /// `false` while paused.
    pub(crate) is_active: bool,
    /// How it is.
    #[schema(value_type = StatusName)]
    pub(crate) current_status: &'static str,
    /// Of the last 24 hours, maintenance in; `null` until there is a result.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) uptime_percentage: Option<Hundredths>,
    /// Of the SLA window (30 days unless set), maintenance out; `null` until there is a result.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) sla_percentage: Option<Hundredths>,
    /// When the newest result was found.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) last_checked_at: Option<String>,
}

/// A service with everything about it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Service)]
pub(crate) struct Full {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// One deadline around a probe.
    pub(crate) timeout_seconds: i32,
    /// The status that counts as up.
    pub(crate) expected_status: i16,
    /// In percent.
    pub(crate) sla_target: f64,
    /// How many days ahead the warnings about its certificate begin.
    pub(crate) ssl_expiry_days: i16,
    /// Whether redirects are followed, at most 10; never when a 3xx is expected.
    pub(crate) follow_redirects: bool,
    /// Failures in a row, of the region that has most.
    pub(crate) failure_streak: i32,
    /// Of the successful checks of the SLA window.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) avg_latency_ms: Option<f64>,
    /// Of the same.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p95_latency_ms: Option<f64>,
    /// Of the same.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p99_latency_ms: Option<f64>,
    /// Judged checks of the SLA window; `null` until there is a result.
    pub(crate) total_checks: Option<u64>,
    /// Of those, the good ones.
    pub(crate) successful_checks: Option<u64>,
    /// Of the checks that were due in the SLA window, those that were made or fell into maintenance: the rest is unknown.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) coverage_percentage: Option<Hundredths>,
    /// The certificate, for https; `null` until one was seen.
    pub(crate) ssl: Option<SslView>,
    /// `null` while paused.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) next_check_at: Option<String>,
    /// When it was created.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// When its owner last changed it.
    #[schema(value_type = Timestamp)]
    pub(crate) updated_at: String,
}

/// A service with the rows that say how it is.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The service.
    pub(crate) service: Service,
    /// Its state.
    pub(crate) state: ServiceState,
    /// One row a region.
    pub(crate) health: Vec<Health>,
}

/// Loads state and health of `services`, in their order. One that is deleted meanwhile is left out.
///
/// # Errors
/// The database's failure.
pub(crate) async fn watched(
    conn: &mut Conn,
    services: Vec<Service>,
) -> Result<Vec<Watched>, Problem> {
    let ids: Vec<Uuid> = services.iter().map(|service| service.id).collect();
    let states = db::service_state::of_services(conn, &ids).await?;
    let mut states: HashMap<Uuid, ServiceState> = states
        .into_iter()
        .map(|state| (state.service_id, state))
        .collect();
    let mut healths: HashMap<Uuid, Vec<Health>> = HashMap::new();
    for row in db::health::of_services(conn, &ids).await? {
        healths.entry(row.service_id).or_default().push(row);
    }
    Ok(services
        .into_iter()
        .filter_map(|service| {
            let state = states.remove(&service.id)?;
            let health = healths.remove(&service.id).unwrap_or_default();
            Some(Watched {
                service,
                state,
                health,
            })
        })
        .collect())
}

impl Watched {
    /// What the world sees.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        if self.service.is_active {
            Status::from_name(&self.state.status).unwrap_or(Status::Unknown)
        } else {
            Status::Paused
        }
    }

    /// The newest result of any kind and region.
    #[must_use]
    pub(crate) fn last_checked_at(&self) -> Option<Time> {
        self.health
            .iter()
            .filter_map(|row| row.last_checked_at)
            .max()
    }

    /// Failures in a row, of the region that has most.
    #[must_use]
    pub(crate) fn failure_streak(&self) -> i32 {
        self.health.iter().map(|row| row.streak).max().unwrap_or(0)
    }

    /// The counts of both rolling windows.
    #[must_use]
    pub(crate) fn rolling(&self) -> Rolling {
        figures::rolling(&self.state, &self.health)
    }

    /// Latencies of the SLA window.
    #[must_use]
    fn latency(&self) -> Latency {
        figures::latency(&self.state, &self.health)
    }

    /// One line of a list.
    #[must_use]
    pub(crate) fn summary(&self) -> Summary {
        let Rolling { day, sla } = self.rolling();
        let service = &self.service;
        Summary {
            id: service.id,
            name: service.name.clone(),
            url: service.url.clone(),
            interval: interval_name(service.interval_ms),
            is_active: service.is_active,
            current_status: self.status().as_str(),
            uptime_percentage: day.uptime(),
            sla_percentage: sla.sla(),
            last_checked_at: self.last_checked_at().map(format::time),
        }
    }

    /// When it is probed next: the next slot, or an extra probe that waits. `None` while paused.
    fn next_check_at(&self, open_span_from: Option<Time>, now: Time) -> Option<Time> {
        if !self.service.is_active {
            return None;
        }
        let column = |ms: i32| u32::try_from(ms).unwrap_or(1);
        let slots = Slots::new(
            column(self.service.interval_ms),
            column(self.service.phase_ms),
        );
        // The span's first moment belongs to it, now does not.
        let begin = open_span_from.map_or(now, |from| now.max(from - TimeDelta::milliseconds(1)));
        let slot = slots.next_after(begin);
        let extra = self.service.extra_probe_at.filter(|at| *at > now);
        Some(extra.map_or(slot, |extra| extra.min(slot)))
    }
}

/// Everything about a service that was loaded at once, with the spans that reach past `from`.
#[must_use]
pub(crate) fn whole(whole: Whole, from: Time, now: Time) -> Full {
    let due = figures::due_of(&whole.spans, whole.young, from, now);
    let open = whole.spans.iter().find(|span| span.to_at.is_none());
    let open_from = open.map(|span| span.from_at);
    let watched = Watched {
        service: whole.service,
        state: whole.state,
        health: whole.health,
    };
    show(&watched, whole.certificate.as_ref(), due, open_from, now)
}

/// Loads what `service` still needs and shows everything.
///
/// # Errors
/// 404 when it was deleted meanwhile, or the database's failure.
pub(crate) async fn full(
    conn: &mut Conn,
    service: Service,
    sla_window_days: u16,
    now: Time,
) -> Result<Full, Problem> {
    let id = service.id;
    let watched = watched(conn, vec![service])
        .await?
        .pop()
        .ok_or_else(Problem::not_found)?;
    let certificates = db::certificates::of_services(conn, &[id]).await?;
    let due = figures::due(conn, id, Window::days(sla_window_days), now).await?;
    let open_from = db::spans::since(conn, &[id], now)
        .await?
        .iter()
        .find(|span| span.to_at.is_none())
        .map(|span| span.from_at);
    Ok(show(&watched, certificates.first(), due, open_from, now))
}

fn show(
    watched: &Watched,
    certificate: Option<&db::certificates::Certificate>,
    due: u64,
    open_span_from: Option<Time>,
    now: Time,
) -> Full {
    let service = &watched.service;
    let sla = watched.rolling().sla;
    let latency = watched.latency();
    let has_results = watched.last_checked_at().is_some();
    let is_https = service.url.starts_with("https:");
    Full {
        summary: watched.summary(),
        timeout_seconds: service.timeout_ms / 1000,
        expected_status: service.expected_status,
        sla_target: f64::from(service.sla_target) / 100.0,
        ssl_expiry_days: service.ssl_expiry_days,
        follow_redirects: service.follow_redirects,
        failure_streak: watched.failure_streak(),
        avg_latency_ms: latency.average_ms(),
        p95_latency_ms: latency.percentile_ms(95),
        p99_latency_ms: latency.percentile_ms(99),
        total_checks: has_results.then_some(sla.judged),
        successful_checks: has_results.then(|| sla.judged.saturating_sub(sla.failed)),
        coverage_percentage: sla.coverage(due),
        ssl: certificate
            .filter(|_| is_https)
            .and_then(|row| ssl(row, service.ssl_expiry_days, now)),
        next_check_at: watched.next_check_at(open_span_from, now).map(format::time),
        created_at: format::time(service.created_at),
        updated_at: format::time(service.updated_at),
    }
}

/// As people write it.
#[must_use]
pub(crate) fn interval_name(ms: i32) -> &'static str {
    u32::try_from(ms)
        .ok()
        .and_then(Interval::from_ms)
        .map_or("", Interval::as_str)
}
