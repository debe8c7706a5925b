//! Counts and percentages of the rolling windows: cached sums of closed hours, plus the open hour.

use std::ops::Range;

use db::Conn;
use db::health::Health;
use db::service_state::ServiceState;
use db::spans::ServiceSpan;
use models::Time;
use models::histogram::Histogram;
use models::sla::Checks;
use models::span::Span;
use models::window::{self, Window};
use uuid::Uuid;

use crate::error::Problem;
use crate::views::format::ms;

/// What came of the slots of one service's rolling windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rolling {
    /// The last 24 hours. Inconclusive ones are not counted in it.
    pub(crate) day: Checks,
    /// The SLA window.
    pub(crate) sla: Checks,
}

/// Latencies of some stretch of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latency {
    /// Their sum in microseconds.
    pub(crate) sum_us: u64,
    /// Their distribution.
    pub(crate) histogram: Histogram,
}

impl Latency {
    /// The mean in milliseconds.
    #[must_use]
    pub(crate) fn average_ms(&self) -> Option<f64> {
        let mean = self.sum_us.checked_div(self.histogram.total())?;
        u32::try_from(mean).ok().map(ms)
    }

    /// A percentile in milliseconds, within 2 %.
    #[must_use]
    pub(crate) fn percentile_ms(&self, percent: u8) -> Option<f64> {
        self.histogram.percentile(percent).map(ms)
    }

    /// Adds the latencies of another stretch; bytes that are not a histogram are logged and left out.
    pub(crate) fn add(&mut self, sum_us: i64, histogram: &[u8]) {
        if histogram.is_empty() {
            return;
        }
        match Histogram::from_bytes(histogram) {
            Ok(other) => {
                self.histogram.merge(&other);
                self.sum_us = self.sum_us.saturating_add(count(sum_us));
            }
            Err(error) => tracing::error!(%error, "a stored histogram can not be read"),
        }
    }
}

/// The counts of `state` and of the open hours in `health` (one a region).
#[must_use]
pub(crate) fn rolling(state: &ServiceState, health: &[Health]) -> Rolling {
    let closed = Rolling {
        day: Checks {
            judged: count(state.day_judged),
            failed: count(state.day_failed),
            inconclusive: 0,
            excluded: count(state.day_excluded),
            excluded_failed: count(state.day_excluded_failed),
        },
        sla: Checks {
            judged: count(state.sla_judged),
            failed: count(state.sla_failed),
            inconclusive: count(state.sla_inconclusive),
            excluded: count(state.sla_excluded),
            excluded_failed: count(state.sla_excluded_failed),
        },
    };
    health
        .iter()
        .map(open_hour)
        .fold(closed, |sums, open| Rolling {
            day: sums.day.plus(open),
            sla: sums.sla.plus(open),
        })
}

/// Latencies of the successful slots of the SLA window.
#[must_use]
pub(crate) fn latency(state: &ServiceState, health: &[Health]) -> Latency {
    let mut latency = Latency::default();
    latency.add(state.sla_latency_sum_us, &state.sla_histogram);
    for row in health {
        latency.add(row.latency_sum_us, &row.histogram);
    }
    latency
}

/// The counts of a region's open hour.
#[must_use]
pub(crate) fn open_hour(row: &Health) -> Checks {
    Checks {
        judged: count(row.judged),
        failed: count(row.failed),
        inconclusive: count(row.inconclusive),
        excluded: count(row.excluded),
        excluded_failed: count(row.excluded_failed),
    }
}

/// Columns of counts are never negative.
pub(crate) fn count(column: impl Into<i64>) -> u64 {
    u64::try_from(column.into()).unwrap_or(0)
}

/// How many slots of a service were due in `window`, by its spans and what came of the youngest.
///
/// # Errors
/// The database's failure.
pub(crate) async fn due(
    conn: &mut Conn,
    service: Uuid,
    window: Window,
    now: Time,
) -> Result<u64, Problem> {
    let (from, young) = due_since(window, now);
    let rows = db::spans::since(conn, &[service], from).await?;
    let young = db::results::counted_within(conn, service, young).await?;
    Ok(due_of(&rows, young, from, now))
}

/// From when on a window's spans say how much was due, and of which slots, the youngest, the results do.
#[must_use]
pub(crate) fn due_since(window: Window, now: Time) -> (Time, Range<Time>) {
    let from = window.at(now).from();
    // No result is ahead of us by more than clocks differ.
    let young = window::settled_at(now).max(from)..now + window::SETTLED_AFTER;
    (from, young)
}

/// How many slots were due since `from`.
#[must_use]
pub(crate) fn due_of(rows: &[ServiceSpan], young: i64, from: Time, now: Time) -> u64 {
    let spans: Vec<Span> = rows.iter().map(span).collect();
    window::due(&spans, from, now, count(young))
}

/// The row as the pure rules take it.
#[must_use]
pub(crate) fn span(row: &ServiceSpan) -> Span {
    let ms = |column: i32| u32::try_from(column).unwrap_or(0);
    Span {
        config_version: row.config_version,
        interval_ms: ms(row.interval_ms),
        phase_ms: ms(row.phase_ms),
        from_at: row.from_at,
        to_at: row.to_at,
    }
}
