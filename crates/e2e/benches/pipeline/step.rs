//! The pipeline at one rate.

use std::time::Duration;

use crate::cpu::{Meters, Used};
use crate::services::{Services, Stored};

/// The scheduler is 2 s ahead, so the first slots come after that; then queues settle.
const WARM_UP: Duration = Duration::from_secs(5);
/// What is measured. Whole seconds: each service has one slot in each.
const WINDOW: Duration = Duration::from_secs(12);
/// Until the last job is probed or stale (0.5 s after its slot) and what was found is stored:
/// the scheduler was 2 s ahead.
const COOL_DOWN: Duration = Duration::from_secs(4);

/// What one step found.
#[derive(Debug)]
pub(crate) struct Step {
    /// Slots per second.
    pub(crate) rate: u32,
    /// Of the window's slots.
    pub(crate) stored: Stored,
    /// In the window.
    pub(crate) used: Used,
}

impl Step {
    /// Results per second of the window.
    pub(crate) fn per_second(&self) -> f64 {
        self.stored.results / WINDOW.as_secs_f64()
    }

    /// Part of the window's slots that have no result.
    pub(crate) fn missed(&self) -> f64 {
        1.0 - self.per_second() / f64::from(self.rate)
    }

    /// Microseconds of CPU per stored result.
    pub(crate) fn us_per_check(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.stored.results
    }

    /// CPU as a number of cores that were busy all the time.
    pub(crate) fn cores(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / WINDOW.as_secs_f64()
    }
}

/// Lets `rate` services be due each second, measures, and lets the pipeline run empty.
pub(crate) async fn measure(services: &Services<'_>, meters: &Meters, rate: u32) -> Step {
    services.activate(rate).await;
    tokio::time::sleep(WARM_UP).await;
    let from = services.now().await;
    let before = meters.read();
    tokio::time::sleep(WINDOW).await;
    let used = meters.read().since(&before);
    services.activate(0).await;
    tokio::time::sleep(COOL_DOWN).await;
    Step {
        rate,
        stored: services.stored(&from, WINDOW).await,
        used,
    }
}
