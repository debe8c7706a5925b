//! Incidents: one opens when the streak reaches the threshold and none is open; it closes on a
//! success newer than its newest failure. They follow commit order: a late success inside the
//! streak shortens the streak and closes nothing.

use super::{Fold, Raised, sentence};
use crate::Time;
use crate::alert::{AlertEvent, AlertKind, FailedCheck};
use crate::cooldown::incident_key;
use crate::id::IncidentId;
use crate::probe::{ErrorKind, ProbeResult};

/// One stretch of being down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Which.
    pub id: IncidentId,
    /// `scheduled_at` of the first failure of the streak that opened it.
    pub started_at: Time,
    /// `scheduled_at` of the success that closed it.
    pub ended_at: Option<Time>,
    /// What the first failure saw.
    pub cause: ErrorKind,
    /// Its sentence.
    pub cause_message: String,
    /// Failures since it started, without those that were voided.
    pub failed_checks: u32,
    /// The newest of them, voided or not.
    pub last_failure_at: Time,
    /// Opened just now: it has no row yet.
    pub is_new: bool,
}

impl Fold<'_> {
    /// Opens an incident if the streak has reached the threshold and none is open.
    pub(super) fn open_incident(&mut self, last: FailedCheck) {
        let streak = self.out.health.streak;
        if self.out.state.incident.is_some() || streak < self.rules.failure_threshold.max(1) {
            return;
        }
        // Unknown only where the rows of its beginning are gone already.
        let first = self.first.clone().unwrap_or_else(|| last.clone());
        let incident = Incident {
            id: (self.new_incident)(),
            started_at: first.at,
            ended_at: None,
            cause: first.kind,
            cause_message: first.message,
            failed_checks: streak,
            last_failure_at: last.at,
            is_new: true,
        };
        self.out.alerts.push(Raised {
            kind: AlertKind::FailureStreak,
            dedupe_key: incident_key(incident.id),
            incident: Some(incident.id),
            message: sentence::failure_streak(&self.service.name, streak, &last),
            event: AlertEvent::FailureStreak {
                started_at: incident.started_at,
                failed_checks: streak,
                last,
                last_success_at: self.out.health.last_success_at,
            },
        });
        self.out.state.incident = Some(incident.clone());
        self.keep(incident);
    }

    /// One more failure of the incident that is open.
    pub(super) fn prolong_incident(&mut self, at: Time) {
        let Some(incident) = &mut self.out.state.incident else {
            return;
        };
        if at < incident.started_at {
            return; // it was late: the incident has been told without it
        }
        incident.failed_checks = incident.failed_checks.saturating_add(1);
        incident.last_failure_at = incident.last_failure_at.max(at);
        let incident = incident.clone();
        self.keep(incident);
    }

    /// A failure of the incident that is open is void: it was no failed check. The incident is as
    /// long as it was, for only a newer success ends it.
    pub(super) fn shorten_incident(&mut self, at: Time) {
        let Some(incident) = &mut self.out.state.incident else {
            return;
        };
        if at < incident.started_at {
            return; // it was never one of them: see `prolong_incident`
        }
        incident.failed_checks = incident.failed_checks.saturating_sub(1);
        let incident = incident.clone();
        self.keep(incident);
    }

    /// Closes the incident that is open, if `success` is newer than its newest failure.
    pub(super) fn close_incident(&mut self, success: &ProbeResult) {
        let ended_at = success.scheduled_at;
        let is_over = |incident: &mut Incident| incident.last_failure_at < ended_at;
        let Some(mut incident) = self.out.state.incident.take_if(is_over) else {
            return;
        };
        incident.ended_at = Some(ended_at);
        self.out.alerts.push(Raised {
            kind: AlertKind::Recovery,
            dedupe_key: incident_key(incident.id),
            incident: Some(incident.id),
            message: sentence::recovery(&self.service.name, ended_at - incident.started_at),
            event: AlertEvent::Recovery {
                started_at: incident.started_at,
                ended_at,
                failed_checks: incident.failed_checks,
                cause: incident.cause,
                cause_message: incident.cause_message.clone(),
                latency_us: success.latency_us,
            },
        });
        self.keep(incident);
    }

    /// One entry an incident, with its newest state.
    fn keep(&mut self, incident: Incident) {
        let same = self
            .out
            .incidents
            .iter_mut()
            .find(|kept| kept.id == incident.id);
        match same {
            Some(kept) => *kept = incident,
            None => self.out.incidents.push(incident),
        }
    }
}
