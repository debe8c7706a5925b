//! What every probe is counted in. The handles are kept: to look one up by its name and labels costs as much as a small
//! allocation, and a probe needs four.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use models::Time;
use models::message::ProbeJob;
use models::probe::{Outcome, ProbeKind, ProbeResult};

use crate::gate;

/// Of one process. Make it once the recorder is installed.
#[derive(Clone)]
pub(crate) struct ProbeMetrics {
    in_flight: Gauge,
    /// Of slots: all but a few.
    slot_delay: Histogram,
    /// Of good probes.
    up: Counter,
}

impl std::fmt::Debug for ProbeMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeMetrics").finish_non_exhaustive()
    }
}

impl ProbeMetrics {
    pub(crate) fn new() -> Self {
        Self {
            in_flight: gauge!("pulsemon_prober_in_flight"),
            slot_delay: delay_of(ProbeKind::Slot),
            up: ended_as(Outcome::Up, "none"),
        }
    }

    /// A probe begins, as far from its moment as this says; it is in flight until what is returned is dropped.
    #[expect(
        clippy::as_conversions,
        reason = "a histogram takes floats; precision does not matter"
    )]
    pub(crate) fn begin(&self, job: &ProbeJob, started_at: Time) -> InFlight {
        let off = (started_at - gate::starts_at(job))
            .num_microseconds()
            .unwrap_or(0);
        let off_ms = off.abs() as f64 / 1000.0;
        match job.kind {
            ProbeKind::Slot => self.slot_delay.record(off_ms),
            rare => delay_of(rare).record(off_ms),
        }
        self.in_flight.increment(1);
        InFlight(self.in_flight.clone())
    }

    /// A probe has its result.
    pub(crate) fn end(&self, result: &ProbeResult) {
        match &result.error {
            None if result.outcome == Outcome::Up => self.up.increment(1),
            None => ended_as(result.outcome, "none").increment(1),
            Some(error) => ended_as(result.outcome, error.kind.class().as_str()).increment(1),
        }
        if result.outcome == Outcome::Inconclusive {
            tracing::warn!(probe.id = %result.probe_id, service.id = %result.service_id, "a probe could not judge");
        } else {
            tracing::debug!(probe.id = %result.probe_id, service.id = %result.service_id, outcome = result.outcome.as_str(), "probed");
        }
    }
}

/// Counts a probe while it runs, however it ends.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn delay_of(kind: ProbeKind) -> Histogram {
    histogram!("pulsemon_prober_start_delay_ms", "kind" => kind.as_str())
}

fn ended_as(outcome: Outcome, error_class: &'static str) -> Counter {
    counter!("pulsemon_prober_probes_total", "outcome" => outcome.as_str(), "error_class" => error_class)
}
