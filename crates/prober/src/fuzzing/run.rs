//! One probe whose servers are wires, in a time that passes only while everybody waits.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use guard::{Policy, Resolver};
use models::id::{ServiceId, UserId};
use models::message::ProbeJob;
use models::probe::{ProbeKind, ProbeResult, probe_id};
use tokio::time::Instant;
use url::Url;

use super::wire::{Cue, Log, Manner, Wire};
use super::{now, root};
use crate::aim::{Aim, Aimed};
use crate::exchange::Protocol;
use crate::meter::Raw;
use crate::pace::{History, Pace};
use crate::probe::{Answer, Engine, EngineConfig};
use crate::road::Road;
use crate::trip::Trip;
use crate::verdict::Failure;

/// What one probe may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// Who asks.
pub(super) const USER_AGENT: &str = "Pulsemon/0.1 (fuzzing)";
/// Aborted tasks are dropped when the runtime comes by.
const ROUNDS_TO_DROP: usize = 3;

/// What came of one probe.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) job: ProbeJob,
    pub(super) result: ProbeResult,
    /// By the clock of the probe.
    pub(super) took: Duration,
    /// How much the probe says it read.
    pub(super) read: u64,
    /// One for each connection.
    pub(super) logs: Vec<Log>,
    /// What was asked for over each connection.
    pub(super) urls: Vec<Url>,
}

/// Which part of a probe speaks over the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: TLS, for https.
    FromTls,
    /// From readable HTTP on, whatever the scheme is.
    FromHttp(Protocol),
}

impl Part {
    fn cue(self) -> Cue {
        match self {
            Self::FromTls => Cue::AnyByte,
            Self::FromHttp(Protocol::Http1) => Cue::BlankLine,
            Self::FromHttp(Protocol::Http2) => Cue::HeadersFrame,
        }
    }
}

/// Probes a service whose servers say `said`, one connection after the other.
pub(super) fn run(manner: Manner, part: Part, said: &[&[u8]]) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let Ok(runtime) = runtime else {
        unreachable!("a runtime without I/O needs nothing");
    };
    runtime.block_on(Box::pin(probe(manner, part, said)))
}

async fn probe(manner: Manner, part: Part, said: &[&[u8]]) -> Run {
    let job = job(manner);
    let (engine, known) = (engine(), (History::default().tag(&job), Pace::New));
    let mut trip = Trip::start(&job, known, now());
    let begun = Instant::now();
    let mut wires = Wires {
        engine,
        manner,
        part,
        said,
        logs: Vec::new(),
        urls: Vec::new(),
    };
    let aimed = Aimed::new(job.clone(), &engine.policy);
    let verdict = engine.travel(&mut wires, &aimed, &mut trip).await;
    let took = begun.elapsed();
    let read = trip.budget.used();
    let result = trip.finish(verdict).into_result(&job, now(), "prober-1");
    for _ in 0..ROUNDS_TO_DROP {
        tokio::task::yield_now().await;
    }
    let logs = wires.logs.into_iter().map(|log| {
        let Some(log) = Arc::into_inner(log) else {
            unreachable!("a connection outlives its probe");
        };
        log.into_inner().unwrap_or_else(PoisonError::into_inner)
    });
    Run {
        logs: logs.collect(),
        urls: wires.urls,
        result,
        took,
        read,
        job,
    }
}

/// A road with a wire where a connection would be: nothing is looked up and nothing dialled.
struct Wires<'a> {
    engine: &'static Engine,
    manner: Manner,
    part: Part,
    said: &'a [&'a [u8]],
    logs: Vec<Arc<Mutex<Log>>>,
    urls: Vec<Url>,
}

impl Road for Wires<'_> {
    async fn hop(
        &mut self,
        aim: &Aim,
        redirects: usize,
        trip: &mut Trip<'_>,
    ) -> Result<Answer, Failure> {
        let wire = self.connect(&aim.url, redirects);
        match self.part {
            Part::FromTls => {
                let conversing = self.engine.converse(wire, aim, redirects, trip);
                conversing.await
            }
            Part::FromHttp(protocol) => {
                let raw = Raw::new(wire, trip.budget.clone());
                let seen = raw.seen();
                let stream = Box::new(raw);
                self.engine
                    .ask(stream, protocol, seen, &aim.url, trip)
                    .await
            }
        }
    }
}

impl Wires<'_> {
    fn connect(&mut self, url: &Url, redirects: usize) -> Wire {
        let said = self.said.get(redirects).or(self.said.last());
        let said = said.copied().unwrap_or_default();
        let wire = Wire::new(self.manner, self.part.cue(), said);
        self.logs.push(wire.log());
        self.urls.push(url.clone());
        wire
    }
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let config = EngineConfig {
            policy: Policy::public_only(),
            extra_roots: vec![root()],
            user_agent: USER_AGENT.to_owned(),
            per_address: 1,
        };
        // Never asked.
        let resolver = Resolver::with_name_server(([127, 0, 0, 1], 1).into());
        let engine = resolver.map(|resolver| Engine::new(config, resolver));
        let Ok(Ok(engine)) = engine else {
            unreachable!("an engine is built from constants");
        };
        engine
    })
}

fn job(manner: Manner) -> ProbeJob {
    let service_id = ServiceId::from(uuid::Uuid::from_u128(1));
    ProbeJob {
        probe_id: probe_id(service_id, "default", ProbeKind::Slot, now(), 1),
        service_id,
        user_id: UserId::from(uuid::Uuid::from_u128(2)),
        kind: ProbeKind::Slot,
        region: "default".to_owned(),
        scheduled_at: now(),
        not_after: now() + chrono::TimeDelta::seconds(5),
        config_version: 1,
        url: "https://example.com/a?b".to_owned(),
        timeout_ms: u32::try_from(TIMEOUT.as_millis()).unwrap_or(u32::MAX),
        expected_status: if manner.expects_redirect { 302 } else { 200 },
        follow_redirects: true,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}
