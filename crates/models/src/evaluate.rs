//! What new results mean: the one place that decides on streaks, incidents, SLA breaches and
//! certificate warnings.
//!
//! [`evaluate`] takes what is locked and what is new, of one service in one region, and answers
//! with what has to be written. It is handed new rows only (a duplicate ends at the insert) and is
//! the same for every arrival: late rows first, through what the rows say, then the others one by
//! one, so that a batch opens and closes the incidents that its results would have one at a time.

mod certificate;
mod count;
mod doubt;
mod incident;
mod sentence;
mod sla;

use crate::Time;
use crate::alert::{AlertEvent, AlertKind, FailedCheck};
use crate::certificate::CertificateFacts;
use crate::health::{ClosedHour, Health, RowsSay, Sums, Verdict};
use crate::id::{IncidentId, ServiceId};
use crate::opinion::Doubted;
use crate::probe::{Answers, ErrorKind, Outcome, ProbeResult};
use crate::service::{SlaTarget, Status};
use crate::sla::Checks;
use crate::window::Window;

pub use certificate::SeenCertificate;
pub use incident::Incident;
pub use sla::{judge as judge_sla, needs_doubts};

/// The rules that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// So many failures in a row open an incident, at least 1.
    pub failure_threshold: u32,
    /// No SLA is breached by fewer checks.
    pub sla_min_checks: u64,
    /// What the SLA is judged over.
    pub sla_window: Window,
    /// Its length, for people.
    pub sla_window_days: u16,
}

/// The service, as far as the rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Whether it is not paused: late results of a paused one still count, and alert nobody.
    pub is_active: bool,
    /// Its configuration.
    pub config_version: i32,
    /// Its timeout, in milliseconds.
    pub timeout_ms: u32,
    /// Its target.
    pub sla_target: SlaTarget,
    /// From how many days on its certificate is about to expire, 1 to 90.
    pub ssl_expiry_days: u16,
}

/// The service's state, over all regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// As shown while the service is active.
    pub status: Status,
    /// The incident that is open.
    pub incident: Option<Incident>,
    /// Whether the SLA is below its target: since what is beyond doubt was, until everything is not.
    pub sla_breached: bool,
    /// How often it has been.
    pub sla_breaches: u32,
    /// When the sums below were computed from the rollups; closed hours were added since.
    pub window_at: Option<Time>,
    /// Closed hours of the last 24.
    pub day: Checks,
    /// Closed hours of the SLA window.
    pub sla: Checks,
}

/// Everything about one service in one region that a verdict needs.
#[derive(Debug)]
pub struct Case<'a> {
    /// The operator's rules.
    pub rules: &'a Rules,
    /// The service.
    pub service: &'a Watched,
    /// Its state.
    pub state: State,
    /// Its health row, locked.
    pub health: Health,
    /// Failures that a second opinion has voided just now; their rows say so already.
    pub voided: Vec<Doubted>,
    /// What the rows say, the new ones included, up to `health.last_scheduled_at`: needed where
    /// failures are voided, or [`needs_rows`] says so.
    pub rows: Option<RowsSay>,
    /// The counted failures that are in doubt, the new ones included: needed where
    /// [`needs_doubts`] says so.
    pub in_doubt: Vec<Answers>,
    /// The certificate last seen.
    pub certificate: Option<SeenCertificate>,
    /// Now.
    pub now: Time,
}

/// A result whose row is new, and what it may do.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// The result, its `checked_at` already clamped.
    pub result: &'a ProbeResult,
    /// Its verdict.
    pub verdict: Verdict,
}

impl Arrived<'_> {
    /// Whether it moves status and streak: allowed to, and up or down.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.verdict.moves_state && self.result.outcome != Outcome::Inconclusive
    }
}

/// Something worth telling, with the key that makes the second raise boring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// What it is about.
    pub kind: AlertKind,
    /// Unique within service and kind.
    pub dedupe_key: String,
    /// The incident, of a failure streak and its recovery.
    pub incident: Option<IncidentId>,
    /// One sentence for the tenant.
    pub message: String,
    /// What a renderer needs.
    pub event: AlertEvent,
}

/// What has to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The new health row.
    pub health: Health,
    /// The new state.
    pub state: State,
    /// The certificate, if it or what was announced of it changed.
    pub certificate: Option<(SeenCertificate, CertificateFacts)>,
    /// What the rollups have to take; one entry an hour.
    pub closed: Vec<ClosedHour>,
    /// Hours that are no longer open, one entry for each failure in their rollups that is voided.
    pub voided: Vec<Time>,
    /// Failures that another prober has to look at.
    pub doubted: Vec<Doubted>,
    /// What the cached window's latencies have to take (its counts stand in `state`).
    pub window_added: Sums,
    /// Incidents that were opened or changed, in order.
    pub incidents: Vec<Incident>,
    /// What to raise, in order.
    pub alerts: Vec<Raised>,
    /// How many results came after a newer one.
    pub late: u64,
}

/// Whether [`Case::rows`] has to be read: a late row joins the streak and only the rows know its
/// place, or a streak that began in an earlier batch may open an incident, which has to tell how
/// it began. A late failure in an outage that has been told already needs none: the rows since
/// its beginning may be hundreds of thousands.
#[must_use]
pub fn needs_rows(health: &Health, has_incident: bool, arrived: &[Arrived<'_>]) -> bool {
    let mut decisive = arrived.iter().filter(|arrived| arrived.decides());
    decisive.any(|arrived| {
        let at = arrived.result.scheduled_at;
        let is_down = arrived.result.outcome == Outcome::Down;
        if health.is_late(at) {
            !(is_down && has_incident && health.places_failure(at))
        } else {
            is_down && !has_incident && health.streak > 0
        }
    })
}

/// Folds new results, sorted by (`scheduled_at`, kind), into the service's state.
#[must_use]
pub fn evaluate(
    mut case: Case<'_>,
    arrived: &[Arrived<'_>],
    new_incident: &mut dyn FnMut() -> IncidentId,
) -> Folded {
    let voided = std::mem::take(&mut case.voided);
    let in_doubt = std::mem::take(&mut case.in_doubt);
    let mut fold = Fold::new(case, new_incident);
    fold.know_doubts(in_doubt, arrived);
    fold.take_voided(&voided);
    let newest_before = fold.out.health.last_scheduled_at;
    let is_late = |arrived: &&Arrived<'_>| {
        arrived.decides() && newest_before.is_some_and(|at| arrived.result.scheduled_at <= at)
    };
    let late: Vec<_> = arrived.iter().filter(is_late).collect();
    fold.take_late(&late);
    for arrived in arrived {
        let result = arrived.result;
        fold.note_time(result.checked_at);
        if arrived.decides() && !is_late(&arrived) {
            fold.take(result);
        }
        if arrived.verdict.counted {
            fold.count(result);
        }
    }
    // What is no result of its own may have ended a doubt.
    fold.judge_sla();
    fold.finish()
}

/// The work in progress.
struct Fold<'a> {
    rules: &'a Rules,
    service: &'a Watched,
    now: Time,
    rows: Option<RowsSay>,
    /// How the running streak began, where that is known.
    first: Option<FailedCheck>,
    /// The certificate as seen so far.
    seen: Option<SeenCertificate>,
    /// How many failures in the sums are in doubt.
    doubts: u64,
    /// Those that are not in the sums yet.
    doubts_to_come: Vec<Answers>,
    /// Whether a result moved the state.
    moved: bool,
    new_incident: &'a mut dyn FnMut() -> IncidentId,
    out: Folded,
}

impl<'a> Fold<'a> {
    fn new(case: Case<'a>, new_incident: &'a mut dyn FnMut() -> IncidentId) -> Self {
        Self {
            rules: case.rules,
            service: case.service,
            now: case.now,
            first: case.rows.as_ref().and_then(|rows| rows.first.clone()),
            rows: case.rows,
            seen: case.certificate,
            doubts: 0,
            doubts_to_come: Vec::new(),
            moved: false,
            new_incident,
            out: Folded {
                health: case.health,
                state: case.state,
                certificate: None,
                closed: Vec::new(),
                voided: Vec::new(),
                doubted: Vec::new(),
                window_added: Sums::default(),
                incidents: Vec::new(),
                alerts: Vec::new(),
                late: 0,
            },
        }
    }

    fn note_time(&mut self, checked_at: Time) {
        let newest = &mut self.out.health.last_checked_at;
        *newest = (*newest).max(Some(checked_at));
    }

    /// Late rows join the streak together, as the rows tell it where they were read.
    fn take_late(&mut self, late: &[&Arrived<'_>]) {
        if late.is_empty() {
            return;
        }
        self.moved = true;
        self.out.late = u64::try_from(late.len()).unwrap_or(u64::MAX);
        let rows = self.rows.take();
        self.doubt_late(late, rows.as_ref());
        match &rows {
            Some(rows) => self.out.health.retell(rows),
            // Failures of a known place: see `needs_rows`.
            None => late.iter().for_each(|failure| {
                let at = failure.result.scheduled_at;
                self.out.health.join_streak(at);
            }),
        }
        for arrived in late {
            let result = arrived.result;
            self.out
                .health
                .note_late(result.scheduled_at, result.outcome);
            match result.outcome {
                Outcome::Down => self.prolong_incident(result.scheduled_at),
                _ => self.close_incident(result),
            }
        }
        if let Some(last) = rows.and_then(|rows| rows.last) {
            self.open_incident(last);
        }
    }

    /// A row that moves state and is newer than all before it.
    fn take(&mut self, result: &ProbeResult) {
        self.moved = true;
        let at = result.scheduled_at;
        if result.outcome == Outcome::Down {
            if self.out.health.streak == 0 {
                self.doubt(Doubted::of(result));
            }
            let failed = FailedCheck::of(result);
            self.first.get_or_insert_with(|| failed.clone());
            self.out.health.advance(at, result.outcome);
            self.prolong_incident(at);
            self.open_incident(failed);
        } else {
            self.first = None;
            self.out.health.advance(at, result.outcome);
            self.close_incident(result);
        }
        self.see_certificate(result);
    }

    fn see_certificate(&mut self, result: &ProbeResult) {
        let Some(facts) = &result.certificate else {
            return;
        };
        let sight = certificate::Sight {
            facts,
            scheduled_at: result.scheduled_at,
            checked_at: result.checked_at,
        };
        let Some((seen, alert)) = certificate::see(self.seen.as_ref(), sight, self.service) else {
            return;
        };
        self.out.alerts.extend(alert);
        self.out.certificate = Some((seen.clone(), facts.clone()));
        self.seen = Some(seen);
    }

    fn finish(mut self) -> Folded {
        if self.moved {
            self.out.state.status = match (&self.out.state.incident, self.out.health.last_outcome) {
                (Some(_), _) => Status::Down,
                (None, Some(Outcome::Down)) => Status::Failing,
                (None, Some(Outcome::Up)) => Status::Up,
                // The only result there was is void.
                (None, _) => Status::Unknown,
            };
        }
        self.out
    }
}

impl FailedCheck {
    /// What a mail tells of this result.
    #[must_use]
    pub fn of(result: &ProbeResult) -> Self {
        let (kind, message) = match &result.error {
            Some(error) => (error.kind, error.message.clone()),
            None => (ErrorKind::Internal, String::from("the check failed")),
        };
        Self {
            at: result.scheduled_at,
            kind,
            message,
            status_code: result.status_code,
            phases: result.phases,
        }
    }
}

#[cfg(test)]
mod tests;
