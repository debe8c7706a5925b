//! What travels over the broker. Additive within a version; every shape ever shipped has a golden
//! sample that must parse.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::{AlertId, ProbeId, ServiceId, UserId};
use crate::probe::{Answers, ProbeKind, ProbeResult};
use crate::signature::Tag;
use crate::{Time, stamp};

/// All that a prober needs to know for one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeJob {
    /// See [`crate::probe::probe_id`].
    pub probe_id: ProbeId,
    /// The service to probe.
    pub service_id: ServiceId,
    /// Its owner, for fairness between tenants.
    pub user_id: UserId,
    /// Why.
    pub kind: ProbeKind,
    /// From where.
    pub region: String,
    /// When to start; the prober waits for it.
    #[serde(with = "stamp")]
    pub scheduled_at: Time,
    /// After this moment the job is stale and never run.
    #[serde(with = "stamp")]
    pub not_after: Time,
    /// The configuration that the result will be judged by.
    pub config_version: i32,
    /// What to request.
    pub url: String,
    /// One deadline around the whole probe, in milliseconds.
    pub timeout_ms: u32,
    /// The status that counts as up.
    pub expected_status: u16,
    /// Whether redirects are followed; never when a 3xx is expected.
    pub follow_redirects: bool,
    /// For `confirm`: the prober whose failure is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoid_prober: Option<String>,
    /// For `confirm`: the failure in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// The scheduler's word for it; see [`crate::signature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Tag>,
}

/// A message on `probe-jobs.v1.<region>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBatch {
    /// Postgres' time when it was published; the prober learns its clock offset from it.
    #[serde(with = "stamp")]
    pub published_at: Time,
    /// At most [`MAX_BATCH_ITEMS`].
    pub jobs: Vec<ProbeJob>,
}

/// A message on `probe-results.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultBatch {
    /// At most [`MAX_BATCH_ITEMS`].
    pub results: Vec<ProbeResult>,
}

/// A message on `probe-requests.v1`: there is a row in `extra_probes` to dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// Whose row.
    pub service_id: ServiceId,
}

/// A message on `alerts.v1`: there are deliveries to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNudge {
    /// Whose deliveries; of account mail, the delivery itself.
    pub alert_id: AlertId,
    /// In which lane; left out, it is that of alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<NudgedLane>,
}

/// A lane that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NudgedLane {
    /// Account mail.
    Account,
    /// One that a newer release knows.
    #[serde(other)]
    Other,
}

/// A batch is closed at this many items, which share the price of a message on both hops.
pub const MAX_BATCH_ITEMS: usize = 50;

/// A batch is closed before it would exceed this many bytes.
pub const MAX_BATCH_BYTES: usize = 48 * 1024;

/// No message is larger than this; a larger one is poison.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// One item of a batch that could not be read, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadItem {
    /// The item's JSON, for the dead queue.
    pub raw: Vec<u8>,
    /// What is wrong with it.
    pub reason: String,
}

/// A batch read item by item: one bad item does not take its neighbours with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<T> {
    /// What could be read, in order.
    pub items: Vec<T>,
    /// What could not.
    pub bad: Vec<BadItem>,
}

/// The message is not a batch at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a batch: {0}")]
pub struct NotABatch(String);

impl JobBatch {
    /// Reads a batch of jobs, with the time it was published.
    ///
    /// # Errors
    /// When the body is not JSON, or lacks `published_at` or `jobs`.
    pub fn decode(body: &[u8]) -> Result<(Time, Decoded<ProbeJob>), NotABatch> {
        if let Ok(batch) = read::<Self>(body) {
            return Ok((
                batch.published_at,
                Decoded {
                    items: batch.jobs,
                    bad: Vec::new(),
                },
            ));
        }
        #[derive(Deserialize)]
        struct Loose {
            published_at: Time,
            jobs: Vec<serde_json::Value>,
        }
        let loose: Loose =
            serde_json::from_slice(body).map_err(|error| NotABatch(error.to_string()))?;
        Ok((loose.published_at, decode_items(loose.jobs)))
    }
}

impl ResultBatch {
    /// Reads a batch of results.
    ///
    /// # Errors
    /// When the body is not JSON, or lacks `results`.
    pub fn decode(body: &[u8]) -> Result<Decoded<ProbeResult>, NotABatch> {
        if let Ok(batch) = read::<Self>(body) {
            return Ok(Decoded {
                items: batch.results,
                bad: Vec::new(),
            });
        }
        #[derive(Deserialize)]
        struct Loose {
            results: Vec<serde_json::Value>,
        }
        let loose: Loose =
            serde_json::from_slice(body).map_err(|error| NotABatch(error.to_string()))?;
        Ok(decode_items(loose.results))
    }
}

/// Looks for bad UTF-8 once in the whole, which is cheaper than in each of its texts. Where there is some, serde has the
/// last word: it overlooks what it does not need.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    }
}

fn decode_items<T: DeserializeOwned>(values: Vec<serde_json::Value>) -> Decoded<T> {
    let mut decoded = Decoded {
        items: Vec::with_capacity(values.len()),
        bad: Vec::new(),
    };
    for value in values {
        let raw = value.to_string().into_bytes();
        match serde_json::from_value(value) {
            Ok(item) => decoded.items.push(item),
            Err(error) => decoded.bad.push(BadItem {
                raw,
                reason: error.to_string(),
            }),
        }
    }
    decoded
}
