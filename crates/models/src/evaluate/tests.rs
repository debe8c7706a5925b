//! The rules against a service kept in memory: rows, and all that follows from them.

mod breaches;
mod certificates;
mod doubts;
mod oracle;
mod stories;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::opinion::{Opinion, doubtful_since, in_doubt};
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
        second_prober: None,
        proof: None,
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
        config_version: 1,
        timeout_ms: 5_000,
        sla_target: SlaTarget::from_hundredths(target).unwrap(),
        ssl_expiry_days: 30,
    }
}

/// What the database would hold of one service.
struct World {
    service: Watched,
    rows: BTreeMap<(Time, i16), ProbeResult>,
    voided: BTreeSet<(Time, i16)>,
    doubted: Vec<Doubted>,
    now: Time,
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
            voided: BTreeSet::new(),
            doubted: Vec::new(),
            now: at(0),
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
        let voided = self.void(&new);
        self.rows.extend(new.clone());
        let arrived: Vec<_> = new
            .values()
            .map(|result| Arrived {
                result,
                verdict: verdict(result),
            })
            .collect();
        let has_incident = self.state.incident.is_some();
        let needs_rows = needs_rows(&self.health, has_incident, &arrived);
        let rows = (needs_rows || !voided.is_empty()).then(|| self.say());
        let in_doubt = self.in_doubt(&voided, &arrived);
        let mut last_id = u128::try_from(self.incidents.len()).unwrap();
        let folded = evaluate(
            Case {
                rules: &RULES,
                service: &self.service,
                state: self.state.clone(),
                health: self.health.clone(),
                voided,
                rows,
                in_doubt,
                certificate: self.certificate.clone(),
                now: self.now,
            },
            &arrived,
            &mut || {
                last_id += 1;
                Uuid::from_u128(last_id).into()
            },
        );
        self.write(folded);
    }

    /// What the new confirms void of the rows that were here before them.
    fn void(&mut self, new: &BTreeMap<(Time, i16), ProbeResult>) -> Vec<Doubted> {
        let mut voided = Vec::new();
        for confirm in new.values().filter(|r| r.kind == ProbeKind::Confirm) {
            let answers = confirm.answers.as_ref().unwrap();
            let key = (answers.scheduled_at, answers.kind.code());
            let failure = self.rows.get(&key).map(|row| Doubted {
                voided: self.voided.contains(&key),
                ..Doubted::of(row)
            });
            let service = &self.service;
            let current = service.is_active.then_some(service.config_version);
            let opinion = Opinion::of(confirm, failure.as_ref(), current, service.timeout_ms);
            if opinion == Opinion::Voids {
                self.voided.insert(key);
                voided.extend(failure);
            }
        }
        voided
    }

    /// What is in doubt, where the rules ask for it.
    fn in_doubt(&self, voided: &[Doubted], arrived: &[Arrived<'_>]) -> Vec<Answers> {
        let (service, open) = (&self.service, self.health.open.checks);
        let news = (voided, arrived);
        if !needs_doubts(&self.state, open, service, &RULES, news) {
            return Vec::new();
        }
        let since = doubtful_since(service.timeout_ms, self.now);
        let doubted = |(key, row): (&(Time, i16), &ProbeResult)| Doubted {
            voided: self.voided.contains(key),
            moves_state: verdict(row).moves_state,
            ..Doubted::of(row)
        };
        let (older, recent): (Vec<_>, Vec<_>) = self
            .rows
            .iter()
            .map(doubted)
            .filter(|row| row.moves_state || row.kind == ProbeKind::Confirm)
            .partition(|row| row.scheduled_at < since);
        let decides = |row: &&Doubted| row.outcome != Outcome::Inconclusive && !row.voided;
        let before = older
            .iter()
            .rev()
            .filter(|row| row.moves_state)
            .find(decides);
        let rows: Vec<_> = before.cloned().into_iter().chain(recent).collect();
        let current = service.is_active.then_some(service.config_version);
        in_doubt(&rows, current, service.timeout_ms, self.now)
    }

    fn write(&mut self, folded: Folded) {
        self.doubted.extend(folded.doubted);
        for hour in folded.voided {
            let sums = self.rollups.get_mut(&hour).expect("its hour is closed");
            sums.checks.void_failure();
        }
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
        for (key, row) in &self.rows {
            let is_decided = row.outcome != Outcome::Inconclusive && !self.voided.contains(key);
            let joins = verdict(row).moves_state && is_decided;
            if !joins || !self.health.is_late(row.scheduled_at) {
                continue;
            }
            say.newest_outcome = Some(row.outcome);
            if row.outcome == Outcome::Up {
                say.failures = 0;
                say.first = None;
                say.doubted = None;
                say.last = None;
            } else {
                say.failures += 1;
                say.first.get_or_insert_with(|| FailedCheck::of(row));
                say.doubted.get_or_insert_with(|| Doubted::of(row));
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
