//! Whether a URL may be probed, as far as that can be said when it is posted.
//!
//! Literal addresses, names that are never public, and ports are judged at once. A public name is not looked up: that
//! would prove nothing about later and would let strangers ask DNS through us. Only where an operator opened something
//! private are names of the local network looked up, so that a typo shows at once.

use std::time::Duration;

use guard::{Policy, Refusal, Resolver};
use models::service::ServiceUrl;
use tokio::time::Instant;

/// A local name server answers in milliseconds.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);

/// The rules of this installation.
#[derive(Debug)]
pub(crate) struct UrlJudge {
    policy: Policy,
    /// Present where something private is open.
    resolver: Option<Resolver>,
}

impl UrlJudge {
    /// With what `PROBE_ALLOW_CIDRS` opened.
    ///
    /// # Errors
    /// When the resolver can't be built.
    pub(crate) fn new(policy: Policy) -> anyhow::Result<Self> {
        let resolver = if policy.allow_rules().is_empty() {
            None
        } else {
            Some(Resolver::from_system()?)
        };
        Ok(Self { policy, resolver })
    }

    /// Judges a URL.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) async fn judge(&self, url: &ServiceUrl) -> Result<(), Refusal> {
        let target = guard::judge_url(url.as_url(), &self.policy)?;
        let Some(resolver) = self.resolver.as_ref().filter(|_| target.is_local_name()) else {
            return Ok(());
        };
        let deadline = Instant::now() + LOOKUP_DEADLINE;
        match resolver.resolve(&target, &self.policy, deadline).await {
            Ok(_allowed) => Ok(()),
            // What it leads to is not told: a lookup must not become a map of the network.
            Err(_any) => Err(Refusal::Name {
                name: target.host(),
            }),
        }
    }
}
