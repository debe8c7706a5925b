//! Every exchange, queue, version and bound on one screen.
//!
//! | exchange (direct) | routing key | queue | dead letters |
//! |---|---|---|---|
//! | `pulsemon.requests` | `probe-requests` | `probe-requests.v1` | `probe-requests.dead` |
//! | `pulsemon.jobs` | the region | `probe-jobs.v1.<region>` | `probe-jobs.dead` |
//! | `pulsemon.results` | `probe-results` | `probe-results.v1` | `probe-results.dead` |
//! | `pulsemon.alerts` | `alerts` | `alerts.v1` | `alerts.dead` |
//! | `pulsemon.dead` | the dead queue's name | `*.dead` | – |
//!
//! All queues are durable quorum queues without any TTL. Nothing is written to the default
//! exchange. The arguments of a queue never change under its name: a new bound is a new version.

use std::sync::Arc;

/// Nudges for rows in `extra_probes`.
pub const REQUESTS_EXCHANGE: &str = "pulsemon.requests";
/// Batches of jobs, by region.
pub const JOBS_EXCHANGE: &str = "pulsemon.jobs";
/// Batches of results.
pub const RESULTS_EXCHANGE: &str = "pulsemon.results";
/// Nudges for rows in `alerts`.
pub const ALERTS_EXCHANGE: &str = "pulsemon.alerts";
/// What nobody could handle.
pub const DEAD_EXCHANGE: &str = "pulsemon.dead";

/// All of them, in the order in which they are declared.
pub const EXCHANGES: [&str; 5] = [
    REQUESTS_EXCHANGE,
    JOBS_EXCHANGE,
    RESULTS_EXCHANGE,
    ALERTS_EXCHANGE,
    DEAD_EXCHANGE,
];

/// Where a message goes, and which queue a process consumes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// To the schedulers: there is an extra probe to dispatch.
    ProbeRequests,
    /// To the probers of one region.
    ProbeJobs(Arc<str>),
    /// To the processors.
    ProbeResults,
    /// To the alerters: there is an alert to deliver.
    Alerts,
}

impl Route {
    /// Jobs for `region` (lower-case letters, digits and `-`; see [`valid_region`]).
    pub fn jobs(region: impl Into<Arc<str>>) -> Self {
        Self::ProbeJobs(region.into())
    }

    /// The exchange to publish to.
    pub fn exchange(&self) -> &'static str {
        match self {
            Self::ProbeRequests => REQUESTS_EXCHANGE,
            Self::ProbeJobs(_) => JOBS_EXCHANGE,
            Self::ProbeResults => RESULTS_EXCHANGE,
            Self::Alerts => ALERTS_EXCHANGE,
        }
    }

    /// The key that binds the queue to the exchange.
    pub fn routing_key(&self) -> &str {
        match self {
            Self::ProbeRequests => "probe-requests",
            Self::ProbeJobs(region) => region,
            Self::ProbeResults => "probe-results",
            Self::Alerts => "alerts",
        }
    }

    /// The queue, version included.
    pub fn queue(&self) -> String {
        match self {
            Self::ProbeRequests => "probe-requests.v1".into(),
            Self::ProbeJobs(region) => format!("probe-jobs.v1.{region}"),
            Self::ProbeResults => "probe-results.v1".into(),
            Self::Alerts => "alerts.v1".into(),
        }
    }

    /// Where what nobody can handle is kept for a person.
    pub fn dead_queue(&self) -> DeadQueue {
        match self {
            Self::ProbeRequests => DeadQueue::ProbeRequests,
            Self::ProbeJobs(_) => DeadQueue::ProbeJobs,
            Self::ProbeResults => DeadQueue::ProbeResults,
            Self::Alerts => DeadQueue::Alerts,
        }
    }

    /// How much the queue holds and how often it delivers one message.
    pub fn bounds(&self) -> Bounds {
        match self {
            Self::ProbeRequests | Self::Alerts => Bounds {
                max_messages: MAX_NUDGES,
                delivery_limit: PATIENT_DELIVERY_LIMIT,
            },
            Self::ProbeJobs(_) => Bounds {
                max_messages: MAX_JOB_BATCHES,
                delivery_limit: JOB_DELIVERY_LIMIT,
            },
            Self::ProbeResults => Bounds {
                max_messages: MAX_RESULT_BATCHES,
                delivery_limit: PATIENT_DELIVERY_LIMIT,
            },
        }
    }
}

/// Every route of an installation with these regions.
pub fn all<'a>(regions: impl Iterator<Item = &'a String>) -> impl Iterator<Item = Route> {
    let shared = [Route::ProbeRequests, Route::ProbeResults, Route::Alerts];
    let jobs = regions.map(|region| Route::jobs(region.as_str()));
    shared.into_iter().chain(jobs)
}

/// The bounds of a queue; past `max_messages` publishes are refused (never dropped).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// `x-max-length`.
    pub max_messages: u32,
    /// `x-delivery-limit`: then the broker itself moves the message to the dead queue. It is
    /// the last net only, because a crash counts every message its process had prefetched.
    pub delivery_limit: u32,
}

/// Half a million jobs: more than half a minute of work at any load we know. A region without
/// probers fills it, and its slots are missed rather than run late.
pub const MAX_JOB_BATCHES: u32 = 10_000;
/// Ten million results, 10 GB at worst: hours of outage of all processors.
pub const MAX_RESULT_BATCHES: u32 = 200_000;
/// A nudge is a hundred bytes, and a sweeper finds what it announced anyway.
pub const MAX_NUDGES: u32 = 100_000;
/// Past this the oldest dead letter makes room: alerts about dead letters went out long before.
pub const MAX_DEAD: u32 = 100_000;
/// Jobs are stale within a minute; ten crashes are enough to blame the message.
pub const JOB_DELIVERY_LIMIT: u32 = 10;
/// Generous: innocents are counted too whenever a process crashes.
pub const PATIENT_DELIVERY_LIMIT: u32 = 1_000;
/// Dead letters are read by people and tools that may put them back many times. Explicit,
/// because RabbitMQ 4 drops messages after 20 deliveries where nothing is said.
pub const DEAD_DELIVERY_LIMIT: u32 = 1_000_000;

/// Where messages wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadQueue {
    /// From `probe-requests.v1`.
    ProbeRequests,
    /// From all `probe-jobs.v1.*`.
    ProbeJobs,
    /// From `probe-results.v1`.
    ProbeResults,
    /// From `alerts.v1`.
    Alerts,
}

impl DeadQueue {
    /// All of them: what a depth metric walks through.
    pub const ALL: [Self; 4] = [
        Self::ProbeRequests,
        Self::ProbeJobs,
        Self::ProbeResults,
        Self::Alerts,
    ];

    /// The queue's name, which is also its routing key on [`DEAD_EXCHANGE`].
    pub fn queue(self) -> &'static str {
        match self {
            Self::ProbeRequests => "probe-requests.dead",
            Self::ProbeJobs => "probe-jobs.dead",
            Self::ProbeResults => "probe-results.dead",
            Self::Alerts => "alerts.dead",
        }
    }
}

/// Whether `name` can be a region: 1 to 63 lower-case letters, digits and `-`.
pub fn valid_region(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
