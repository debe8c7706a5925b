//! Plays scheduler and processor: sends jobs, counts results.

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use models::id::{ProbeId, ServiceId, UserId};
use models::message::{JobBatch, MAX_BATCH_ITEMS, ProbeJob, ResultBatch};
use models::probe::{Outcome, ProbeKind, ProbeResult, probe_id};
use runtime::Clock;
use secrecy::SecretString;
use uuid::Uuid;

use crate::bare::Scheme;
use crate::source::Source;
use crate::target::{Answers, Target};

/// Services that are probed again and again, as a prober's are: it remembers which of them are slow.
const SERVICES: u32 = 4_000;
/// A job that waits for its place must not become stale meanwhile.
const FRESH_FOR: TimeDelta = TimeDelta::seconds(30);
/// Of probes that are to be answered, and of those that are not.
const PATIENT_MS: u32 = 60_000;
const HASTY_MS: u32 = 1_000;
/// Without a result for so long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(90);
/// There is one in each result.
const MARK: &[u8] = b"\"probe_id\":";

pub(crate) struct Feed {
    source: Source,
    clock: Clock,
}

impl Feed {
    pub(crate) async fn open() -> Self {
        Self {
            source: Source::open().await,
            clock: Clock::system(),
        }
    }

    /// Of the broker that the jobs come from.
    pub(crate) const fn url(&self) -> &SecretString {
        self.source.url()
    }

    /// Sends so many jobs that are due now, and waits for their results, which must be as the target answers.
    pub(crate) async fn send_and_wait(&mut self, target: &Target, answers: Answers, count: u32) {
        let now = self.clock.now();
        // Of one service after the other, each time another slot.
        let slot = |n: u32| now - TimeDelta::milliseconds((n / SERVICES).into());
        let jobs = (0..count)
            .map(|n| job(target, answers, n, slot(n)))
            .collect();
        let wanted = self.send(jobs);
        let expected = match answers {
            Answers::Never => Outcome::Down,
            _ => Outcome::Up,
        };
        for result in self.results(wanted).await {
            assert_eq!(result.outcome, expected, "{:?}", result.error);
        }
    }

    /// Sends jobs whose moments are spread evenly over `lasts`, from two seconds on, and waits for their results: how far
    /// each probe began from its moment, in ms.
    pub(crate) async fn offsets(
        &mut self,
        target: &Target,
        count: u32,
        lasts: TimeDelta,
    ) -> Vec<f64> {
        let begin = self.clock.now() + TimeDelta::seconds(2);
        let answers = Answers::AtOnce(Scheme::Http);
        let moment = |n: u32| {
            begin + lasts * i32::try_from(n).expect("few") / i32::try_from(count).expect("few")
        };
        let jobs = (0..count)
            .map(|n| job(target, answers, n, moment(n)))
            .collect();
        let wanted = self.send(jobs);
        let off = |result: ProbeResult| {
            let off = (result.checked_at - result.scheduled_at).num_microseconds();
            off.expect("minutes at most").abs() as f64 / 1000.0
        };
        let results = self.results(wanted).await;
        results.into_iter().map(off).collect()
    }

    /// Sends these jobs; the probes to wait for.
    fn send(&self, jobs: Vec<ProbeJob>) -> HashSet<ProbeId> {
        let batch = |jobs: &[ProbeJob]| {
            let batch = JobBatch {
                published_at: self.clock.now(),
                jobs: jobs.to_vec(),
            };
            serde_json::to_vec(&batch).expect("JSON")
        };
        let messages = jobs.chunks(MAX_BATCH_ITEMS).map(batch).collect();
        self.source.send(messages);
        jobs.iter().map(|job| job.probe_id).collect()
    }

    /// The results of these probes, each once. They are only counted as they come and read afterwards: the target shares
    /// this core.
    async fn results(&mut self, mut wanted: HashSet<ProbeId>) -> Vec<ProbeResult> {
        let (mut messages, mut came) = (Vec::new(), 0);
        while came < wanted.len() {
            let message = tokio::time::timeout(PATIENCE, self.source.next()).await;
            let message = message.expect("a result in time");
            came += message
                .windows(MARK.len())
                .filter(|part| *part == MARK)
                .count();
            messages.push(message);
        }
        let results: Vec<ProbeResult> = messages
            .iter()
            .flat_map(|message| read(message).results)
            .collect();
        for result in &results {
            assert!(wanted.remove(&result.probe_id), "asked for, and once");
        }
        results
    }
}

fn read(message: &[u8]) -> ResultBatch {
    serde_json::from_slice(message).expect("results")
}

/// The `n`th job.
fn job(target: &Target, answers: Answers, n: u32, at: models::Time) -> ProbeJob {
    let service = Uuid::from_u64_pair(target.port(answers).into(), (n % SERVICES).into());
    let service = ServiceId::from(service);
    ProbeJob {
        probe_id: probe_id(service, "default", ProbeKind::Slot, at, 1),
        service_id: service,
        user_id: UserId::from(Uuid::from_u128(1)),
        kind: ProbeKind::Slot,
        region: "default".to_owned(),
        scheduled_at: at,
        not_after: at + FRESH_FOR,
        config_version: 1,
        url: target.url(answers, n),
        timeout_ms: match answers {
            Answers::Never => HASTY_MS,
            _ => PATIENT_MS,
        },
        expected_status: 200,
        follow_redirects: true,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}
