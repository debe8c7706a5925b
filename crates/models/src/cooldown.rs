//! When an alert is held back, and whether it is still worth sending when its cooldown ends.

use chrono::TimeDelta;

use crate::Time;
use crate::alert::AlertKind;
use crate::id::IncidentId;

/// When the alerts of one service that have a cooldown last began one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Of `failure_streak`.
    pub failure_alerted_at: Option<Time>,
    /// Of `sla_breach`.
    pub sla_alerted_at: Option<Time>,
}

impl Stamps {
    /// Until when an alert raised now is held; `None` sends it at once and begins a cooldown, so
    /// the stamps have to be kept. To be decided under the lock of the service's state.
    pub fn raise(&mut self, kind: AlertKind, now: Time, cooldown: TimeDelta) -> Option<Time> {
        let stamp = match kind {
            AlertKind::FailureStreak => &mut self.failure_alerted_at,
            AlertKind::SlaBreach => &mut self.sla_alerted_at,
            // Never held: a recovery follows its failure, a certificate has steps of its own.
            AlertKind::Recovery | AlertKind::SslExpiry => return None,
        };
        let end = stamp.map(|began| began + cooldown).filter(|end| now < *end);
        if end.is_none() {
            *stamp = Some(now);
        }
        end
    }

    /// Begins a cooldown: a held alert was released.
    pub fn release(&mut self, kind: AlertKind, now: Time) {
        match kind {
            AlertKind::FailureStreak => self.failure_alerted_at = Some(now),
            AlertKind::SlaBreach => self.sla_alerted_at = Some(now),
            AlertKind::Recovery | AlertKind::SslExpiry => {}
        }
    }
}

/// How the service is at the end of the cooldown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// The incident that is open.
    pub incident: Option<IncidentId>,
    /// The SLA is breached.
    pub sla_breached: bool,
    /// Number of the newest breach.
    pub sla_breaches: u32,
}

/// Whether a held alert is still true: its incident is still open, its breach still lasts. What is
/// not goes no further, and neither does its recovery.
#[must_use]
pub fn is_still_true(kind: AlertKind, dedupe_key: &str, present: Present) -> bool {
    match kind {
        AlertKind::FailureStreak => present
            .incident
            .is_some_and(|open| incident_key(open) == dedupe_key),
        AlertKind::SlaBreach => {
            present.sla_breached && breach_key(present.sla_breaches) == dedupe_key
        }
        AlertKind::Recovery | AlertKind::SslExpiry => true,
    }
}

/// `dedupe_key` of a failure streak, and of its recovery.
#[must_use]
pub fn incident_key(incident: IncidentId) -> String {
    incident.to_string()
}

/// `dedupe_key` of an SLA breach: its number.
#[must_use]
pub fn breach_key(number: u32) -> String {
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(minute: i64) -> Time {
        Time::from_timestamp(minute * 60, 0).unwrap()
    }

    const HALF_HOUR: TimeDelta = TimeDelta::minutes(30);

    #[test]
    fn a_second_failure_in_the_cooldown_is_held_to_its_end() {
        let mut stamps = Stamps::default();
        let mut raise = |minute| stamps.raise(AlertKind::FailureStreak, at(minute), HALF_HOUR);
        assert_eq!(raise(100), None);
        assert_eq!(raise(101), Some(at(130)));
        assert_eq!(raise(129), Some(at(130)), "a held one begins no cooldown");
        assert_eq!(raise(130), None);
        assert_eq!(raise(131), Some(at(160)));
    }

    #[test]
    fn each_kind_has_its_own_cooldown_and_some_have_none() {
        let mut stamps = Stamps::default();
        for kind in AlertKind::ALL {
            assert_eq!(stamps.raise(*kind, at(0), HALF_HOUR), None, "{kind:?}");
        }
        assert_eq!(stamps.raise(AlertKind::Recovery, at(1), HALF_HOUR), None);
        assert_eq!(stamps.raise(AlertKind::SslExpiry, at(1), HALF_HOUR), None);
        let held = stamps.raise(AlertKind::SlaBreach, at(1), HALF_HOUR);
        assert_eq!(held, Some(at(30)));
        stamps.release(AlertKind::SlaBreach, at(30));
        let held = stamps.raise(AlertKind::SlaBreach, at(31), HALF_HOUR);
        assert_eq!(held, Some(at(60)), "a release begins the cooldown anew");
    }

    #[test]
    fn without_a_cooldown_nothing_is_held() {
        let mut stamps = Stamps::default();
        for _ in 0..2 {
            let held = stamps.raise(AlertKind::FailureStreak, at(5), TimeDelta::zero());
            assert_eq!(held, None);
        }
    }

    #[test]
    fn only_the_same_incident_or_breach_keeps_a_held_alert_true() {
        let (old, new) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        let present = Present {
            incident: Some(new),
            sla_breached: true,
            sla_breaches: 3,
        };
        let still = |kind, key: String| is_still_true(kind, &key, present);
        assert!(still(AlertKind::FailureStreak, incident_key(new)));
        assert!(!still(AlertKind::FailureStreak, incident_key(old)));
        assert!(still(AlertKind::SlaBreach, breach_key(3)));
        assert!(!still(AlertKind::SlaBreach, breach_key(2)));
        let over = Present::default();
        let key = incident_key(new);
        assert!(!is_still_true(AlertKind::FailureStreak, &key, over));
    }
}
