//! Signed jobs: who may write results still cannot make them up.
//!
//! The scheduler signs what a job is: which probe of which service, and all that was to be done.
//! A prober holds no key. It repeats the signature in its result, with a digest of the job as it
//! ran it; the processor computes the signature anew from the result and refuses one that does not
//! fit. So whoever stole a prober's credentials can lie about the jobs that came to him, and about
//! no others: neither for another service, nor by another kind, time or configuration, nor with
//! the answer to another failure. Nor does a job count that somebody rewrote on its way.
//!
//! HMAC-SHA-256 (RFC 2104), of which 16 bytes travel, as its section 5 allows. Fields have a fixed
//! length or one before them, so that no two jobs have one encoding.

mod tag;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Time;
use crate::id::{ProbeId, ServiceId};
use crate::message::ProbeJob;
use crate::probe::{Answers, ProbeKind, ProbeResult};

use tag::BYTES;
pub use tag::Tag;

/// What a digest is of; another encoding is another version.
const DIGEST_DOMAIN: &[u8] = b"pulsemon job 1\0";
/// What a signature is of.
const SIGNATURE_DOMAIN: &[u8] = b"pulsemon signed job 1\0";

/// Of which job a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// All of the job as it was run that the result does not repeat.
    pub digest: Tag,
    /// As it stood in the job.
    pub signature: Tag,
}

impl Proof {
    /// Of a signed job.
    #[must_use]
    pub fn of(job: &ProbeJob) -> Option<Self> {
        Some(Self {
            digest: digest(job),
            signature: job.signature?,
        })
    }
}

/// Why a result is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// It names no job.
    #[error("the result is not signed")]
    Unsigned,
    /// No scheduler that shares our keys made this job.
    #[error("the signature is not that of the result's job")]
    Wrong,
}

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key for HMAC-SHA-256")]
pub struct BadKey;

/// The keys of an installation: one signs, both verify while the old one is on its way out.
#[derive(Clone)]
pub struct Keys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Takes secrets of any length; 32 random bytes are as strong as it gets.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, BadKey> {
        let key = |bytes| Hmac::new_from_slice(bytes).map_err(|_length| BadKey);
        Ok(Self {
            current: key(current)?,
            previous: previous.map(key).transpose()?,
        })
    }

    /// The signature for `job`.
    #[must_use]
    pub fn sign(&self, job: &ProbeJob) -> Tag {
        let mac = Claims::of_job(job).told_to(&self.current, digest(job));
        let mut tag = [0; BYTES];
        for (byte, of_mac) in tag.iter_mut().zip(mac.finalize().into_bytes()) {
            *byte = of_mac;
        }
        Tag(tag)
    }

    /// Checks that a job with one of our keys' signature led to `result`.
    ///
    /// # Errors
    /// When none did.
    pub fn check(&self, result: &ProbeResult) -> Result<(), Forged> {
        let proof = result.proof.ok_or(Forged::Unsigned)?;
        let claims = Claims::of_result(result);
        let fits = |key: &Hmac<Sha256>| {
            let mac = claims.told_to(key, proof.digest);
            mac.verify_truncated_left(&proof.signature.0).is_ok()
        };
        if fits(&self.current) || self.previous.as_ref().is_some_and(fits) {
            Ok(())
        } else {
            Err(Forged::Wrong)
        }
    }
}

/// What a job and its result both say, and the processor goes by.
struct Claims<'a> {
    probe: ProbeId,
    service: ServiceId,
    kind: ProbeKind,
    region: &'a str,
    scheduled_at: Time,
    config_version: i32,
    answers: Option<&'a Answers>,
}

impl<'a> Claims<'a> {
    fn of_job(job: &'a ProbeJob) -> Self {
        Self {
            probe: job.probe_id,
            service: job.service_id,
            kind: job.kind,
            region: &job.region,
            scheduled_at: job.scheduled_at,
            config_version: job.config_version,
            answers: job.answers.as_ref(),
        }
    }

    fn of_result(result: &'a ProbeResult) -> Self {
        Self {
            probe: result.probe_id,
            service: result.service_id,
            kind: result.kind,
            region: &result.region,
            scheduled_at: result.scheduled_at,
            config_version: result.config_version,
            answers: result.answers.as_ref(),
        }
    }

    fn told_to(&self, key: &Hmac<Sha256>, digest: Tag) -> Hmac<Sha256> {
        let mut mac = key.clone();
        mac.update(SIGNATURE_DOMAIN);
        mac.update(&digest.0);
        mac.update(self.probe.as_uuid().as_bytes());
        mac.update(self.service.as_uuid().as_bytes());
        mac.update(&self.kind.code().to_be_bytes());
        mac.update(&self.config_version.to_be_bytes());
        mac.update(&micros(self.scheduled_at));
        match self.answers {
            Some(answers) => {
                mac.update(&[1]);
                mac.update(&answers.kind.code().to_be_bytes());
                mac.update(&micros(answers.scheduled_at));
            }
            None => mac.update(&[0]),
        }
        mac.update(&length(self.region));
        mac.update(self.region.as_bytes());
        mac
    }
}

/// What was to be done: all of a job that its result does not repeat.
fn digest(job: &ProbeJob) -> Tag {
    let mut hash = Sha256::new();
    hash.update(DIGEST_DOMAIN);
    hash.update(job.user_id.as_uuid().as_bytes());
    hash.update(micros(job.not_after));
    hash.update(job.timeout_ms.to_be_bytes());
    hash.update(job.expected_status.to_be_bytes());
    hash.update([u8::from(job.follow_redirects)]);
    match &job.avoid_prober {
        Some(prober) => {
            hash.update([1]);
            hash.update(length(prober));
            hash.update(prober);
        }
        None => hash.update([0]),
    }
    hash.update(length(&job.url));
    hash.update(&job.url);
    let mut tag = [0; BYTES];
    for (byte, of_hash) in tag.iter_mut().zip(hash.finalize()) {
        *byte = of_hash;
    }
    Tag(tag)
}

/// As fine as the database keeps times.
fn micros(time: Time) -> [u8; 8] {
    time.timestamp_micros().to_be_bytes()
}

fn length(text: &str) -> [u8; 8] {
    u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
