//! The rules against a service kept in memory: rows, and all that follows from them.

mod certificates;
mod oracle;
mod stories;

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::probe::{Phases, ProbeError, ProbeKind};

const RULES: Rules = Rules {
    failure_threshold: 3,
    sla_min_checks: 10,
    sla_window: Window::days(30),
    sla_window_days: 30,
};

/// On the hour.
const EPOCH: i64 = 1_800_000_000;

fn at(seconds: i64) -> Time {
    Time::from_timestamp(EPOCH + seconds, 0).unwrap()
}

fn result(kind: ProbeKind, seconds: i64, outcome: Outcome) -> ProbeResult {
    ProbeResult {
        probe_id: Uuid::nil().into(),
        service_id: Uuid::nil().into(),
        kind,
        region: String::from("default"),
        scheduled_at: at(seconds),
        config_version: 1,
        checked_at: at(seconds),
        outcome,
        status_code: None,
        latency_us: (outcome == Outcome::Up).then_some(1_000 + u32::try_from(seconds).unwrap()),
        phases: Phases::default(),
        hops: 1,
        error: (outcome == Outcome::Down).then(|| ProbeError {
            kind: ErrorKind::ConnectRefused,
            message: format!("refused at {seconds}"),
        }),
        certificate: None,
        prober: String::from("p"),
        answers: None,
    }
}

fn slot(seconds: i64, outcome: Outcome) -> ProbeResult {
    result(ProbeKind::Slot, seconds, outcome)
}

fn watched(target: u16) -> Watched {
    Watched {
        id: Uuid::nil().into(),
        name: String::from("shop"),
        url: String::from("https://shop.example/"),
        is_active: true,
        sla_target: SlaTarget::from_hundredths(target).unwrap(),
        ssl_expiry_days: 30,
    }
}

/// What the database would hold of one service.
struct World {
    service: Watched,
    rows: BTreeMap<(Time, i16), ProbeResult>,
    health: Health,
    state: State,
    certificate: Option<SeenCertificate>,
    rollups: BTreeMap<Time, Sums>,
    incidents: BTreeMap<IncidentId, Incident>,
    alerts: Vec<Raised>,
}

impl World {
    fn new(target: u16) -> Self {
        Self {
            service: watched(target),
            rows: BTreeMap::new(),
            health: Health::new(Uuid::nil().into(), String::from("default"), at(0)),
            state: State {
                status: Status::Unknown,
                incident: None,
                sla_breached: false,
                sla_breaches: 0,
                window_at: None,
                day: Checks::default(),
                sla: Checks::default(),
            },
            certificate: None,
            rollups: BTreeMap::new(),
            incidents: BTreeMap::new(),
            alerts: Vec::new(),
        }
    }

    /// One transaction of the processor.
    fn batch(&mut self, results: &[ProbeResult]) {
        let mut new: BTreeMap<(Time, i16), ProbeResult> = BTreeMap::new();
        for result in results {
            let key = (result.scheduled_at, result.kind.code());
            if !self.rows.contains_key(&key) {
                new.entry(key).or_insert_with(|| result.clone());
            }
        }
        self.rows.extend(new.clone());
        let arrived: Vec<_> = new
            .values()
            .map(|result| Arrived {
                result,
                verdict: verdict(result),
            })
            .collect();
        let has_incident = self.state.incident.is_some();
        let rows = needs_rows(&self.health, has_incident, &arrived).then(|| self.say());
        let mut last_id = u128::try_from(self.incidents.len()).unwrap();
        let folded = evaluate(
            Case {
                rules: &RULES,
                service: &self.service,
                state: self.state.clone(),
                health: self.health.clone(),
                rows,
                certificate: self.certificate.clone(),
                now: at(20_000),
            },
            &arrived,
            &mut || {
                last_id += 1;
                Uuid::from_u128(last_id).into()
            },
        );
        self.write(folded);
    }

    fn write(&mut self, folded: Folded) {
        self.health = folded.health;
        self.state = folded.state;
        if let Some(incident) = &mut self.state.incident {
            incident.is_new = false;
        }
        let seen = folded.certificate.map(|(seen, _)| seen);
        self.certificate = seen.or(self.certificate.take());
        for closed in folded.closed {
            self.rollups
                .entry(closed.hour)
                .or_default()
                .merge(&closed.sums);
        }
        for mut incident in folded.incidents {
            assert_eq!(incident.is_new, !self.incidents.contains_key(&incident.id));
            incident.is_new = false;
            self.incidents.insert(incident.id, incident);
        }
        self.alerts.extend(folded.alerts);
    }

    /// The rows' own tale, up to the newest applied one.
    fn say(&self) -> RowsSay {
        let mut say = RowsSay::default();
        for row in self.rows.values() {
            let joins = verdict(row).moves_state && row.outcome != Outcome::Inconclusive;
            if !joins || !self.health.is_late(row.scheduled_at) {
                continue;
            }
            say.newest_outcome = Some(row.outcome);
            if row.outcome == Outcome::Up {
                say.failures = 0;
                say.first = None;
                say.last = None;
            } else {
                say.failures += 1;
                say.first.get_or_insert_with(|| FailedCheck::of(row));
                say.last = Some(FailedCheck::of(row));
            }
        }
        say
    }

    fn kinds(&self) -> Vec<AlertKind> {
        self.alerts.iter().map(|alert| alert.kind).collect()
    }
}

fn verdict(result: &ProbeResult) -> Verdict {
    Verdict {
        counted: result.kind.counts(),
        moves_state: result.kind.moves_state(),
    }
}
