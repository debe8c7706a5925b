//! One probe's result as a tenant sees it.

use db::results::ProbeResult;
use models::probe::{ErrorKind, Outcome, ProbeKind};
use serde::Serialize;
use uuid::Uuid;

use crate::views::format;

/// A row of `recent_results`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct ResultView {
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
    /// A success elsewhere showed that this failure was the prober's.
    pub(crate) voided: bool,
    /// `null` when inconclusive.
    pub(crate) is_success: Option<bool>,
    pub(crate) checked_at: String,
    pub(crate) scheduled_at: String,
    pub(crate) region: String,
    pub(crate) status_code: Option<i16>,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) phases: PhasesView,
    pub(crate) hops: i16,
    pub(crate) error_class: Option<&'static str>,
    pub(crate) error_kind: Option<&'static str>,
    pub(crate) error_message: Option<String>,
}

/// How long each phase took; `null` where it was not reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct PhasesView {
    pub(crate) dns_ms: Option<f64>,
    pub(crate) connect_ms: Option<f64>,
    pub(crate) tls_ms: Option<f64>,
    pub(crate) request_ms: Option<f64>,
    pub(crate) first_byte_ms: Option<f64>,
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
