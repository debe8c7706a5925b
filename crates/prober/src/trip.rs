//! What one probe carries from hop to hop, and what it comes home with.

use guard::Alarm;
use std::time::Duration;

use models::Time;
use models::certificate::CertificateFacts;
use models::message::ProbeJob;
use models::probe::{ErrorClass, ErrorKind, Outcome, Phases, ProbeResult};
use models::signature::Proof;
use tokio::time::Instant;

use crate::meter::ReadBudget;
use crate::pace::{Pace, Tag};
use crate::stopwatch::{self, Stopwatch};
use crate::verdict::Failure;

/// What one probe carries from hop to hop.
#[derive(Debug)]
pub(crate) struct Trip<'a> {
    pub(crate) job: &'a ProbeJob,
    pub(crate) tag: Tag,
    /// How it was expected to answer when it began.
    pub(crate) pace: Pace,
    pub(crate) now: Time,
    pub(crate) alarm: Alarm,
    pub(crate) watch: Stopwatch,
    pub(crate) budget: ReadBudget,
    pub(crate) hops: u8,
    pub(crate) status: Option<u16>,
    pub(crate) certificate: Option<CertificateFacts>,
}

impl<'a> Trip<'a> {
    pub(crate) fn start(job: &'a ProbeJob, (tag, pace): (Tag, Pace), now: Time) -> Self {
        let watch = Stopwatch::start();
        Self {
            job,
            tag,
            pace,
            now,
            alarm: Alarm::at(watch.started() + Duration::from_millis(job.timeout_ms.into())),
            watch,
            budget: ReadBudget::default(),
            hops: 0,
            status: None,
            certificate: None,
        }
    }

    /// Whether its time is up.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.alarm.deadline()
    }

    /// When the job is no longer worth waiting for.
    pub(crate) fn stale_at(&self) -> Instant {
        let fresh_for = (self.job.not_after - self.now).to_std().unwrap_or_default();
        self.watch.started() + fresh_for
    }

    /// A hop that failed has no status: what the hop before it answered is not what the probe found. Where the redirect
    /// itself is at fault, the answer that redirects is the one to show.
    pub(crate) fn forget_answer_before(&mut self, failure: &Failure) {
        if failure.kind.class() != ErrorClass::Redirect {
            self.status = None;
        }
    }

    pub(crate) fn finish(self, verdict: Result<(), Failure>) -> Finding {
        let phases = self.watch.read();
        let error = verdict.err().map(Failure::into_error);
        let outcome = match &error {
            None => Outcome::Up,
            Some(error) if error.kind == ErrorKind::Internal => Outcome::Inconclusive,
            Some(_) => Outcome::Down,
        };
        Finding {
            outcome,
            status_code: self.status,
            latency_us: self.status.map(|_| stopwatch::latency_us(&phases)),
            phases,
            hops: self.hops,
            error,
            certificate: self.certificate,
        }
    }
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    outcome: Outcome,
    status_code: Option<u16>,
    latency_us: Option<u32>,
    phases: Phases,
    hops: u8,
    error: Option<models::probe::ProbeError>,
    certificate: Option<CertificateFacts>,
}

impl Finding {
    /// The prober itself failed; the target is not judged.
    pub(crate) fn internal(what: &str) -> Self {
        Self {
            outcome: Outcome::Inconclusive,
            status_code: None,
            latency_us: None,
            phases: Phases::default(),
            hops: 0,
            error: Some(Failure::internal(what).into_error()),
            certificate: None,
        }
    }

    /// The result that travels on.
    pub fn into_result(self, job: &ProbeJob, checked_at: Time, prober: &str) -> ProbeResult {
        ProbeResult {
            probe_id: job.probe_id,
            service_id: job.service_id,
            kind: job.kind,
            region: job.region.clone(),
            scheduled_at: job.scheduled_at,
            config_version: job.config_version,
            checked_at,
            outcome: self.outcome,
            status_code: self.status_code,
            latency_us: self.latency_us,
            phases: self.phases,
            hops: self.hops,
            error: self.error,
            certificate: self.certificate,
            prober: prober.to_owned(),
            answers: job.answers.clone(),
            second_prober: job.avoid_prober.as_deref().map(|avoided| avoided != prober),
            proof: Proof::of(job),
        }
    }
}
