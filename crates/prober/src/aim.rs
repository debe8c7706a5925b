//! Where a probe goes next: a URL that was read, and judged by the guard.

use std::borrow::Borrow;

use guard::{Policy, Target};
use models::message::ProbeJob;
use url::Url;

use crate::verdict::Failure;

/// A destination that may be probed.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) url: Url,
    pub(crate) target: Target,
}

impl Aim {
    /// The guard's word on where a service leads, or after so many `redirects`.
    pub(crate) fn at(url: Url, redirects: usize, policy: &Policy) -> Result<Self, Failure> {
        match guard::judge_url(&url, policy) {
            Ok(target) => Ok(Self { url, target }),
            Err(refusal) => {
                tracing::debug!(%refusal, "destination refused");
                Err(match redirects {
                    0 => Failure::blocked(),
                    _ => Failure::redirect_blocked(Some(&refusal)),
                })
            }
        }
    }

    fn of(job: &ProbeJob, policy: &Policy) -> Result<Self, Failure> {
        let url = Url::parse(&job.url);
        let url = url.map_err(|_unparsable| Failure::internal("its URL can't be read"))?;
        Self::at(url, 0, policy)
    }
}

/// A job and where it leads. That is worked out when it comes in: for all jobs of a batch, one after the other, which
/// costs less than for each between two others' answers.
#[derive(Debug)]
pub(crate) struct Aimed {
    pub(crate) job: ProbeJob,
    pub(crate) aim: Result<Aim, Failure>,
}

impl Aimed {
    pub(crate) fn new(job: ProbeJob, policy: &Policy) -> Self {
        let aim = Aim::of(&job, policy);
        Self { job, aim }
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        self.aim.as_ref().ok().map(|aim| &aim.target)
    }
}

impl Borrow<ProbeJob> for Aimed {
    fn borrow(&self) -> &ProbeJob {
        &self.job
    }
}
