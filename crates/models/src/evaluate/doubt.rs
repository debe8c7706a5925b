//! Second opinions: which failures are doubted, and what a voided one takes back.

use super::{Arrived, Fold};
use crate::health::RowsSay;
use crate::opinion::Doubted;
use crate::probe::Answers;

impl Fold<'_> {
    /// Failures in doubt that have just arrived are in no sum before they are counted.
    pub(super) fn know_doubts(&mut self, in_doubt: Vec<Answers>, arrived: &[Arrived<'_>]) {
        let is_new = |doubt: &Answers| {
            arrived.iter().any(|arrived| {
                let result = arrived.result;
                result.kind == doubt.kind && result.scheduled_at == doubt.scheduled_at
            })
        };
        let (new, known): (Vec<_>, Vec<_>) = in_doubt.into_iter().partition(is_new);
        self.doubts = u64::try_from(known.len()).unwrap_or(u64::MAX);
        self.doubts_to_come = new;
    }

    /// Voided failures leave the streak, their hour, and what an open incident counts; it stays until a newer success.
    /// The failure that the streak begins with now is doubted in their place.
    pub(super) fn take_voided(&mut self, voided: &[Doubted]) {
        if voided.is_empty() {
            return;
        }
        self.moved = true;
        if let Some(rows) = &self.rows {
            self.out.health.retell(rows);
        }
        let first = self.rows.as_ref().and_then(|rows| rows.doubted.clone());
        if let Some(first) = first {
            self.doubt(first);
        }
        for failure in voided {
            self.shorten_incident(failure.scheduled_at);
            if failure.counted {
                self.uncount(failure.scheduled_at);
            }
        }
        self.judge_sla();
    }

    /// A late failure that the streak begins with, as the rows tell it.
    pub(super) fn doubt_late(&mut self, late: &[&Arrived<'_>], rows: Option<&RowsSay>) {
        let Some(first) = rows.and_then(|rows| rows.doubted.as_ref()) else {
            return;
        };
        let is_first = |arrived: &&Arrived<'_>| {
            arrived.result.kind == first.kind && arrived.result.scheduled_at == first.scheduled_at
        };
        if late.iter().any(is_first) {
            self.doubt(first.clone());
        }
    }

    /// Asks for a second opinion, once, and only while it can come to anything.
    pub(super) fn doubt(&mut self, failure: Doubted) {
        let service = self.service;
        let current = service.is_active.then_some(service.config_version);
        let is_asked = |other: &Doubted| other.answers() == failure.answers();
        if failure.is_open(current, service.timeout_ms, self.now)
            && !self.out.doubted.iter().any(is_asked)
        {
            self.out.doubted.push(failure);
        }
    }
}
