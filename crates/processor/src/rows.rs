//! Database rows as the nouns that rules know, and back.

use std::fmt::Display;

use db::certificates::fold::Seen;
use db::health::Health as HealthRow;
use db::results::ProbeResult as ResultRow;
use db::results::streak::{DoubtedRow, FailedRow, Told};
use db::rollups::sums::Sum;
use db::services::watched::Watched as WatchedRow;
use models::Time;
use models::alert::FailedCheck;
use models::evaluate::{Incident, SeenCertificate, State, Watched};
use models::health::{Health, RowsSay, Sums, Verdict};
use models::histogram::Histogram;
use models::id::ServiceId;
use models::opinion::Doubted;
use models::probe::{ErrorKind, Outcome, Phases, ProbeKind, ProbeResult};
use models::service::{SlaTarget, Status};
use models::sla::Checks;
use uuid::Uuid;

/// A stored value that this release cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{what} of {of} cannot be read: {why}")]
pub(crate) struct Corrupt {
    what: &'static str,
    of: Uuid,
    why: String,
}

impl Corrupt {
    fn new(what: &'static str, of: Uuid, why: impl Display) -> Self {
        let why = why.to_string();
        Self { what, of, why }
    }
}

pub(crate) fn count(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(0)
}

pub(crate) fn small(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(crate) fn large(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn micros(column: Option<i32>) -> Option<u32> {
    column.and_then(|us| u32::try_from(us).ok())
}

fn micros_column(us: Option<u32>) -> Option<i32> {
    us.and_then(|us| i32::try_from(us).ok())
}

pub(crate) fn histogram(bytes: &[u8], of: Uuid) -> Result<Histogram, Corrupt> {
    Histogram::from_bytes(bytes).map_err(|why| Corrupt::new("the histogram", of, why))
}

pub(crate) fn health(row: HealthRow) -> Result<Health, Corrupt> {
    let outcome = |code: i16| {
        Outcome::from_code(code)
            .ok_or_else(|| Corrupt::new("last_outcome", row.service_id, format!("code {code}")))
    };
    Ok(Health {
        service_id: ServiceId(row.service_id),
        streak: u32::try_from(row.streak).unwrap_or(0),
        streak_since: row.streak_since,
        last_scheduled_at: row.last_scheduled_at,
        last_outcome: row.last_outcome.map(outcome).transpose()?,
        last_failure_at: row.last_failure_at,
        last_success_at: row.last_success_at,
        last_checked_at: row.last_checked_at,
        hour: row.hour,
        open: Sums {
            checks: Checks {
                judged: count(row.judged),
                failed: count(row.failed),
                inconclusive: count(row.inconclusive),
                excluded: count(row.excluded),
                excluded_failed: count(row.excluded_failed),
            },
            latency_sum_us: count(row.latency_sum_us),
            latency_min_us: micros(row.latency_min_us),
            latency_max_us: micros(row.latency_max_us),
            histogram: histogram(&row.histogram, row.service_id)?,
        },
        region: row.region,
    })
}

pub(crate) fn health_row(health: &Health) -> HealthRow {
    let open = &health.open;
    HealthRow {
        service_id: health.service_id.as_uuid(),
        region: health.region.clone(),
        streak: small(health.streak.into()),
        streak_since: health.streak_since,
        last_scheduled_at: health.last_scheduled_at,
        last_outcome: health.last_outcome.map(Outcome::code),
        last_failure_at: health.last_failure_at,
        last_success_at: health.last_success_at,
        last_checked_at: health.last_checked_at,
        hour: health.hour,
        judged: small(open.checks.judged),
        failed: small(open.checks.failed),
        inconclusive: small(open.checks.inconclusive),
        excluded: small(open.checks.excluded),
        excluded_failed: small(open.checks.excluded_failed),
        latency_sum_us: large(open.latency_sum_us),
        latency_min_us: micros_column(open.latency_min_us),
        latency_max_us: micros_column(open.latency_max_us),
        histogram: open.histogram.to_bytes(),
        catchup_for: None, // not written
    }
}

pub(crate) fn sums(row: &Sum) -> Result<Sums, Corrupt> {
    Ok(Sums {
        checks: Checks {
            judged: count(row.judged),
            failed: count(row.failed),
            inconclusive: count(row.inconclusive),
            excluded: count(row.excluded),
            excluded_failed: count(row.excluded_failed),
        },
        latency_sum_us: count(row.latency_sum_us),
        latency_min_us: micros(row.latency_min_us),
        latency_max_us: micros(row.latency_max_us),
        histogram: histogram(&row.histogram, row.service_id)?,
    })
}

/// `histogram` is written in place of that of `sums`.
pub(crate) fn sum_row(
    (service_id, region, at): (Uuid, &str, Time),
    sums: &Sums,
    histogram: &Histogram,
) -> Sum {
    Sum {
        service_id,
        region: region.to_owned(),
        at,
        judged: small(sums.checks.judged),
        failed: small(sums.checks.failed),
        inconclusive: small(sums.checks.inconclusive),
        excluded: small(sums.checks.excluded),
        excluded_failed: small(sums.checks.excluded_failed),
        latency_sum_us: large(sums.latency_sum_us),
        latency_min_us: micros_column(sums.latency_min_us),
        latency_max_us: micros_column(sums.latency_max_us),
        histogram: histogram.to_bytes(),
    }
}

pub(crate) fn result_row(result: &ProbeResult, verdict: Verdict) -> ResultRow {
    let phases = &result.phases;
    let error = result.error.as_ref();
    ResultRow {
        service_id: result.service_id.as_uuid(),
        scheduled_at: result.scheduled_at,
        region: result.region.clone(),
        kind: result.kind.code(),
        outcome: result.outcome.code(),
        status_code: result.status_code.and_then(|code| i16::try_from(code).ok()),
        config_version: result.config_version,
        probe_id: result.probe_id.as_uuid(),
        checked_at: result.checked_at,
        counted: verdict.counted,
        moves_state: verdict.moves_state,
        voided: false,
        error_kind: error.map(|error| error.kind.code()),
        hops: result.hops.into(),
        latency_us: micros_column(result.latency_us),
        dns_us: micros_column(phases.dns_us),
        connect_us: micros_column(phases.connect_us),
        tls_us: micros_column(phases.tls_us),
        request_us: micros_column(phases.request_us),
        first_byte_us: micros_column(phases.first_byte_us),
        total_us: micros_column(Some(phases.total_us)),
        error_message: error.map(|error| error.message.clone()),
        prober: result.prober.clone(),
    }
}

pub(crate) fn told(row: Told) -> RowsSay {
    RowsSay {
        newest_outcome: row.newest_outcome.and_then(Outcome::from_code),
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        doubted: doubted_first(row.first.scheduled_at, row.doubted),
        first: failed_check(row.first),
        last: failed_check(row.last),
    }
}

/// The beginning of a streak: a failure that moves state and is not voided.
fn doubted_first(scheduled_at: Option<Time>, row: DoubtedRow) -> Option<Doubted> {
    Some(Doubted {
        kind: ProbeKind::from_code(row.kind?)?,
        scheduled_at: scheduled_at?,
        checked_at: row.checked_at?,
        config_version: row.config_version?,
        outcome: Outcome::Down,
        counted: row.counted?,
        moves_state: true,
        voided: false,
        prober: row.prober?,
    })
}

/// `None` where this release does not know its codes: then it cannot have doubted it.
pub(crate) fn doubted(row: db::results::doubt::Doubted) -> Option<Doubted> {
    Some(Doubted {
        kind: ProbeKind::from_code(row.kind)?,
        scheduled_at: row.scheduled_at,
        checked_at: row.checked_at,
        config_version: row.config_version,
        outcome: Outcome::from_code(row.outcome)?,
        counted: row.counted,
        moves_state: row.moves_state,
        voided: row.voided,
        prober: row.prober,
    })
}

fn failed_check(row: FailedRow) -> Option<FailedCheck> {
    let kind = row.error_kind.and_then(ErrorKind::from_code);
    Some(FailedCheck {
        at: row.scheduled_at?,
        kind: kind.unwrap_or(ErrorKind::Internal),
        message: row.error_message.unwrap_or_default(),
        status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
        phases: Phases {
            dns_us: micros(row.dns_us),
            connect_us: micros(row.connect_us),
            tls_us: micros(row.tls_us),
            request_us: micros(row.request_us),
            first_byte_us: micros(row.first_byte_us),
            total_us: micros(row.total_us).unwrap_or(0),
        },
    })
}

pub(crate) fn watched(row: &WatchedRow) -> Result<Watched, Corrupt> {
    let target = u16::try_from(row.sla_target)
        .ok()
        .and_then(SlaTarget::from_hundredths)
        .ok_or_else(|| Corrupt::new("sla_target", row.id, row.sla_target))?;
    Ok(Watched {
        id: ServiceId(row.id),
        name: row.name.clone(),
        url: row.url.clone(),
        is_active: row.is_active,
        config_version: row.config_version,
        timeout_ms: u32::try_from(row.timeout_ms).unwrap_or(0),
        sla_target: target,
        ssl_expiry_days: u16::try_from(row.ssl_expiry_days).unwrap_or(0),
    })
}

pub(crate) fn state(row: &WatchedRow) -> Result<State, Corrupt> {
    let status = Status::from_name(&row.status)
        .ok_or_else(|| Corrupt::new("the status", row.id, &row.status))?;
    Ok(State {
        status,
        incident: incident(row),
        sla_breached: row.sla_breached,
        sla_breaches: u32::try_from(row.sla_breaches).unwrap_or(0),
        window_at: row.window_at,
        day: Checks {
            judged: count(row.day_judged),
            failed: count(row.day_failed),
            inconclusive: 0, // nobody asks for it over a day
            excluded: count(row.day_excluded),
            excluded_failed: count(row.day_excluded_failed),
        },
        sla: Checks {
            judged: count(row.sla_judged),
            failed: count(row.sla_failed),
            inconclusive: count(row.sla_inconclusive),
            excluded: count(row.sla_excluded),
            excluded_failed: count(row.sla_excluded_failed),
        },
    })
}

fn incident(row: &WatchedRow) -> Option<Incident> {
    let cause = row.incident_cause.as_deref();
    Some(Incident {
        id: row.incident_id?.into(),
        started_at: row.incident_started_at?,
        ended_at: None,
        cause: cause
            .and_then(ErrorKind::from_name)
            .unwrap_or(ErrorKind::Internal),
        cause_message: row.incident_cause_message.clone().unwrap_or_default(),
        failed_checks: u32::try_from(row.incident_failed_checks?).unwrap_or(0),
        last_failure_at: row.incident_last_failure_at?,
        is_new: false,
    })
}

pub(crate) fn seen_certificate(row: Seen) -> SeenCertificate {
    SeenCertificate {
        fingerprint: row.fingerprint,
        errors: kinds(&row.errors),
        seen_at: row.seen_at,
        warned_days: row.warned_days.and_then(|days| u16::try_from(days).ok()),
        warned_errors: kinds(&row.warned_errors),
    }
}

pub(crate) fn certificate_row(service_id: Uuid, seen: &SeenCertificate) -> Seen {
    Seen {
        service_id,
        fingerprint: seen.fingerprint.clone(),
        errors: names(&seen.errors),
        seen_at: seen.seen_at,
        warned_days: seen.warned_days.and_then(|days| i16::try_from(days).ok()),
        warned_errors: names(&seen.warned_errors),
    }
}

/// A fault that this release does not know is told again when it is seen again.
fn kinds(list: &str) -> Vec<ErrorKind> {
    list.split(',').filter_map(ErrorKind::from_name).collect()
}

fn names(kinds: &[ErrorKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    names.join(",")
}
