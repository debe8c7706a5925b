//! Sums: the open hour, closed hours on their way to the rollups, and the cached windows.

use super::{Fold, sla};
use crate::Time;
use crate::health::ClosedHour;
use crate::probe::{Answers, ProbeResult};
use crate::window::Window;

impl Fold<'_> {
    /// A slot that counts in sums.
    pub(super) fn count(&mut self, result: &ProbeResult) {
        if let Some(closed) = self.out.health.count(result) {
            self.add_to_windows(&closed);
            let same = self.out.closed.iter_mut().find(|c| c.hour == closed.hour);
            match same {
                Some(same) => same.sums.merge(&closed.sums),
                None => self.out.closed.push(closed),
            }
        }
        self.note_doubt(result);
        self.judge_sla();
    }

    /// A result that is in doubt weighs on the sums from now on.
    fn note_doubt(&mut self, result: &ProbeResult) {
        let is_it = |doubt: &mut Answers| {
            doubt.kind == result.kind && doubt.scheduled_at == result.scheduled_at
        };
        let joined = self.doubts_to_come.extract_if(.., is_it).count();
        self.doubts += u64::try_from(joined).unwrap_or(u64::MAX);
    }

    pub(super) fn judge_sla(&mut self) {
        let alert = sla::judge(
            &mut self.out.state,
            self.out.health.open.checks,
            self.doubts,
            self.service,
            self.rules,
        );
        self.out.alerts.extend(alert);
    }

    /// The cached windows hold every closed hour that they reach back to.
    fn add_to_windows(&mut self, closed: &ClosedHour) {
        let (in_day, in_sla) = self.windows_of(closed.hour);
        if in_day {
            self.out.state.day = self.out.state.day.plus(closed.sums.checks);
        }
        if in_sla {
            self.out.state.sla = self.out.state.sla.plus(closed.sums.checks);
            self.out.window_added.merge(&closed.sums);
        }
    }

    /// Whether the cached day and the cached SLA window reach back to `hour`.
    fn windows_of(&self, hour: Time) -> (bool, bool) {
        let computed_at = self.out.state.window_at.unwrap_or(self.now);
        let reaches = |window: Window| hour >= window.at(computed_at).from();
        (reaches(Window::DAY), reaches(self.rules.sla_window))
    }

    /// From failed to inconclusive, wherever its hour has been added.
    pub(super) fn uncount(&mut self, scheduled_at: Time) {
        let Some(hour) = self.out.health.void(scheduled_at) else {
            return;
        };
        let (in_day, in_sla) = self.windows_of(hour);
        if in_day {
            self.out.state.day.void_failure();
        }
        if in_sla {
            self.out.state.sla.void_failure();
        }
        self.out.voided.push(hour);
    }
}
