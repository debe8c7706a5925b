//! The phases of a probe, timed with a monotonic clock and without gaps: each moment belongs to exactly one phase.

use std::time::Duration;

use models::probe::Phases;
use tokio::time::Instant;

/// A part of a hop, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Dns,
    Connect,
    Tls,
    Request,
    FirstByte,
}

/// Sums the phases over all hops.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    started: Instant,
    lap: Instant,
    not_ours: Duration,
    sums: [Option<Duration>; 5],
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            lap: now,
            not_ours: Duration::ZERO,
            sums: [None; 5],
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// When the last lap ended.
    pub(crate) fn last_lap(&self) -> Instant {
        self.lap
    }

    /// Books everything since the last lap on `phase`.
    pub(crate) fn lap(&mut self, phase: Phase) {
        self.lap_at(phase, Instant::now());
    }

    /// Books everything from the last lap to `until` on `phase`.
    pub(crate) fn lap_at(&mut self, phase: Phase, until: Instant) {
        let until = until.max(self.lap);
        if let Some(sum) = self.sums.get_mut(index(phase)) {
            *sum = Some(sum.unwrap_or_default() + (until - self.lap));
        }
        self.lap = until;
    }

    /// Takes the time since the last lap out of every figure: the prober waited for itself, not for the target.
    pub(crate) fn skip(&mut self) -> Duration {
        let now = Instant::now();
        let waited = now - self.lap;
        self.not_ours += waited;
        self.lap = now;
        waited
    }

    /// The phases reached and the whole time up to now.
    pub(crate) fn read(&self) -> Phases {
        let [dns, connect, tls, request, first_byte] = self.sums.map(|sum| sum.map(micros));
        Phases {
            dns_us: dns,
            connect_us: connect,
            tls_us: tls,
            request_us: request,
            first_byte_us: first_byte,
            total_us: micros(self.started.elapsed().saturating_sub(self.not_ours)),
        }
    }
}

/// From the start of DNS to the headers of the last hop: the sum of the phases, so that it always adds up.
pub(crate) fn latency_us(phases: &Phases) -> u32 {
    [
        phases.dns_us,
        phases.connect_us,
        phases.tls_us,
        phases.request_us,
        phases.first_byte_us,
    ]
    .into_iter()
    .flatten()
    .fold(0, u32::saturating_add)
}

fn index(phase: Phase) -> usize {
    match phase {
        Phase::Dns => 0,
        Phase::Connect => 1,
        Phase::Tls => 2,
        Phase::Request => 3,
        Phase::FirstByte => 4,
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn phases_sum_over_hops_without_gaps_and_without_our_own_waits() {
        let wait = |ms| tokio::time::advance(Duration::from_millis(ms));
        let mut watch = Stopwatch::start();
        for _hop in 0..2 {
            wait(1).await;
            watch.lap(Phase::Dns);
            wait(500).await;
            watch.skip();
            wait(2).await;
            watch.lap(Phase::Connect);
            let written = Instant::now() + Duration::from_millis(3);
            wait(10).await;
            watch.lap_at(Phase::Request, written);
            watch.lap(Phase::FirstByte);
        }
        let phases = watch.read();
        assert_eq!(
            phases,
            Phases {
                dns_us: Some(2_000),
                connect_us: Some(4_000),
                tls_us: None,
                request_us: Some(6_000),
                first_byte_us: Some(14_000),
                total_us: 26_000,
            }
        );
        assert_eq!(latency_us(&phases), 26_000);
    }
}
