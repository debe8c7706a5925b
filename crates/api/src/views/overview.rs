//! One service's dashboard.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use models::service::SlaTarget;
use models::sla::{Checks, Hundredths};

use crate::openapi::values::{Milliseconds, Percentage, StatusName, Timestamp, WindowName};
use crate::paging::Pagination;
use crate::views::format;
use crate::views::result::ResultView;
use crate::views::service::Watched;
use crate::views::ssl::SslView;
use crate::views::sums::Sums;

/// `GET /dashboard/{service_id}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ServiceDashboard)]
pub(crate) struct Overview {
    /// Whose figures these are.
    pub(crate) service_id: Uuid,
    /// As its owner calls it.
    pub(crate) name: String,
    /// What is probed.
    pub(crate) url: String,
    /// How it is.
    #[schema(value_type = StatusName)]
    pub(crate) current_status: &'static str,
    /// What the figures cover, where nothing else is said.
    #[schema(value_type = WindowName)]
    pub(crate) window: &'static str,
    /// Of the window, maintenance in.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) uptime_percentage: Option<Hundredths>,
    /// Of the SLA window, here as everywhere.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) sla_percentage: Option<Hundredths>,
    /// In percent.
    pub(crate) sla_target: f64,
    /// The SLA lies below its target, with enough checks to say so.
    pub(crate) sla_breached: bool,
    /// Of the checks that were due, those that were made or fell into maintenance.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) coverage_percentage: Option<Hundredths>,
    /// What became of the slots that were due.
    pub(crate) checks: ChecksView,
    /// Failures in a row.
    pub(crate) failure_streak: i32,
    /// Of the successful checks.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) avg_latency_ms: Option<f64>,
    /// Within 2 %.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p50_latency_ms: Option<f64>,
    /// Within 2 %.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p95_latency_ms: Option<f64>,
    /// Within 2 %.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) p99_latency_ms: Option<f64>,
    /// Counts of successful checks by latency; empty buckets are left out.
    pub(crate) latency_histogram: Vec<Bucket>,
    /// Uptime of the usual windows.
    pub(crate) uptime: Uptime,
    /// When the newest result was found.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) last_checked_at: Option<String>,
    /// The certificate, for https; `null` until one was seen.
    pub(crate) ssl: Option<SslView>,
    /// A page of results, newest first.
    pub(crate) recent_results: Vec<ResultView>,
    /// How the results go on.
    pub(crate) pagination: Pagination,
}

/// What became of the slots that were due: judged, inconclusive, missed and excluded add up to due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Checks)]
pub(crate) struct ChecksView {
    /// Slots of the schedule.
    pub(crate) due: u64,
    /// Found up or down.
    pub(crate) judged: u64,
    /// Of the judged, down.
    pub(crate) failed: u64,
    /// Probed, and we can not say.
    pub(crate) inconclusive: u64,
    /// Not probed.
    pub(crate) missed: u64,
    /// In maintenance.
    pub(crate) excluded: u64,
}

/// How many successes took at most `le_ms`, and longer than the bucket before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = LatencyBucket)]
pub(crate) struct Bucket {
    /// Upper end of the bucket.
    #[schema(value_type = Milliseconds)]
    pub(crate) le_ms: f64,
    /// Successful checks in it.
    pub(crate) count: u64,
}

/// Uptime of the usual windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Uptime {
    #[serde(rename = "24h")]
    /// Of the last 24 hours.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) day: Option<Hundredths>,
    #[serde(rename = "7d")]
    /// Of the last 7 days.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) week: Option<Hundredths>,
    #[serde(rename = "30d")]
    /// Of the last 30 days.
    #[schema(value_type = Option<Percentage>)]
    pub(crate) month: Option<Hundredths>,
}

/// What was loaded for one window.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The window's name.
    pub(crate) window: &'static str,
    /// Its sums.
    pub(crate) sums: Sums,
    /// Slots due in it.
    pub(crate) due: u64,
    /// Uptime of the usual windows.
    pub(crate) uptime: Uptime,
    /// The certificate.
    pub(crate) ssl: Option<SslView>,
    /// A page of results, and how it goes on.
    pub(crate) results: (Vec<ResultView>, Pagination),
}

/// Puts it together. `sla_min_checks` is how many must be judged before an SLA can be breached.
#[must_use]
pub(crate) fn overview(watched: &Watched, loaded: Loaded, sla_min_checks: u64) -> Overview {
    let service = &watched.service;
    let sla = watched.rolling().sla;
    let latency = &loaded.sums.latency;
    let target = u16::try_from(service.sla_target)
        .ok()
        .and_then(SlaTarget::from_hundredths);
    let (recent_results, pagination) = loaded.results;
    Overview {
        service_id: service.id,
        name: service.name.clone(),
        url: service.url.clone(),
        current_status: watched.status().as_str(),
        window: loaded.window,
        uptime_percentage: loaded.sums.checks.uptime(),
        sla_percentage: sla.sla(),
        sla_target: target.unwrap_or(SlaTarget::DEFAULT).percent(),
        sla_breached: target.is_some_and(|target| sla.breaches(target, sla_min_checks)),
        coverage_percentage: loaded.sums.checks.coverage(loaded.due),
        checks: checks(loaded.sums.checks, loaded.due),
        failure_streak: watched.failure_streak(),
        avg_latency_ms: latency.average_ms(),
        p50_latency_ms: latency.percentile_ms(50),
        p95_latency_ms: latency.percentile_ms(95),
        p99_latency_ms: latency.percentile_ms(99),
        latency_histogram: latency
            .histogram
            .buckets()
            .map(|(upper_us, count)| Bucket {
                le_ms: format::ms(upper_us),
                count,
            })
            .collect(),
        uptime: loaded.uptime,
        last_checked_at: watched.last_checked_at().map(format::time),
        ssl: loaded.ssl,
        recent_results,
        pagination,
    }
}

fn checks(checks: Checks, due: u64) -> ChecksView {
    ChecksView {
        due,
        judged: checks.judged,
        failed: checks.failed,
        inconclusive: checks.inconclusive,
        missed: checks.missed(due),
        excluded: checks.excluded,
    }
}
