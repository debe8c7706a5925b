//! One probe's result as a tenant sees it.

use db::results::ProbeResult;
use models::probe::{ErrorKind, Outcome, ProbeKind};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::openapi::values::{
    ErrorClassName, ErrorKindName, Milliseconds, OutcomeName, ProbeKindName, Timestamp,
};
use crate::views::format;

/// A row of `recent_results`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Result)]
pub(crate) struct ResultView {
    /// The probe.
    pub(crate) id: Uuid,
    /// Why it was probed.
    #[schema(value_type = ProbeKindName)]
    pub(crate) kind: &'static str,
    /// What was found.
    #[schema(value_type = OutcomeName)]
    pub(crate) outcome: &'static str,
    /// A later probe showed that this failure was not the target's: it counts no more.
    pub(crate) voided: bool,
    /// `null` when inconclusive.
    pub(crate) is_success: Option<bool>,
    /// When the probe ended.
    #[schema(value_type = Timestamp)]
    pub(crate) checked_at: String,
    /// When it was due.
    #[schema(value_type = Timestamp)]
    pub(crate) scheduled_at: String,
    /// From where.
    pub(crate) region: String,
    /// Of the last answer, if one came.
    pub(crate) status_code: Option<i16>,
    /// From the start of DNS to the headers of the last hop.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) latency_ms: Option<f64>,
    /// Where the time went, summed over hops.
    pub(crate) phases: PhasesView,
    /// Requests that were made: one, and one a redirect.
    pub(crate) hops: i16,
    /// What went wrong, in short.
    #[schema(value_type = Option<ErrorClassName>)]
    pub(crate) error_class: Option<&'static str>,
    /// What went wrong, precisely.
    #[schema(value_type = Option<ErrorKindName>)]
    pub(crate) error_kind: Option<&'static str>,
    /// The same as a sentence.
    pub(crate) error_message: Option<String>,
}

/// How long each phase took; `null` where it was not reached.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Phases)]
pub(crate) struct PhasesView {
    /// Names to addresses.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) dns_ms: Option<f64>,
    /// TCP.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) connect_ms: Option<f64>,
    /// The handshake.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) tls_ms: Option<f64>,
    /// Writing the request.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) request_ms: Option<f64>,
    /// Waiting for the answer.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) first_byte_ms: Option<f64>,
    /// Everything, with what was read of the body.
    #[schema(value_type = Option<Milliseconds>)]
    pub(crate) total_ms: Option<f64>,
}

/// Shows a row. Codes that this release does not know (a newer processor wrote them) show as
/// inconclusive, and without a kind.
#[must_use]
pub(crate) fn result(row: ProbeResult) -> ResultView {
    let outcome = Outcome::from_code(row.outcome).unwrap_or(Outcome::Inconclusive);
    let outcome = if row.voided {
        Outcome::Inconclusive
    } else {
        outcome
    };
    let error = row.error_kind.and_then(ErrorKind::from_code);
    ResultView {
        id: row.probe_id,
        kind: ProbeKind::from_code(row.kind).map_or("unknown", ProbeKind::as_str),
        outcome: outcome.as_str(),
        voided: row.voided,
        is_success: match outcome {
            Outcome::Up => Some(true),
            Outcome::Down => Some(false),
            Outcome::Inconclusive => None,
        },
        checked_at: format::time(row.checked_at),
        scheduled_at: format::time(row.scheduled_at),
        region: row.region,
        status_code: row.status_code,
        latency_ms: millis(row.latency_us),
        phases: PhasesView {
            dns_ms: millis(row.dns_us),
            connect_ms: millis(row.connect_us),
            tls_ms: millis(row.tls_us),
            request_ms: millis(row.request_us),
            first_byte_ms: millis(row.first_byte_us),
            total_ms: millis(row.total_us),
        },
        hops: row.hops,
        error_class: error.map(|kind| kind.class().as_str()),
        error_kind: error.map(ErrorKind::as_str),
        error_message: row.error_message,
    }
}

fn millis(us: Option<i32>) -> Option<f64> {
    us.and_then(|us| u32::try_from(us).ok()).map(format::ms)
}
