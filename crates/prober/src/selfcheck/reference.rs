//! What a prober measures itself by: its name servers, and URLs of the operator's choice.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use guard::{AllowRule, Policy, Resolver};
use models::Time;
use models::id::{ProbeId, ServiceId, UserId};
use models::message::ProbeJob;
use models::probe::ProbeKind;
use runtime::Clock;
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;
use url::{Host, Url};
use uuid::Uuid;

use crate::probe::{Engine, EngineConfig};
use crate::selfcheck::rule::Look;

/// How long the reference has to answer: a name server may need its second try, after 2 s.
pub(crate) const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// The same for a URL.
const LOOK_TIMEOUT_MS: u32 = 3_000;
/// More would only be load; two or three on different networks are enough.
pub(crate) const MAX_URLS: usize = 8;

/// Asked by every look.
#[derive(Debug)]
pub(crate) struct Reference {
    resolver: Resolver,
    engine: Engine,
    urls: Vec<Url>,
    clock: Clock,
}

/// The operator's own choice may lie anywhere: it is no tenant's.
pub(crate) fn policy() -> Policy {
    // Two literals that parse; were they refused, the operator's private URLs would be, and he would see it.
    let everywhere = AllowRule::parse_list("0.0.0.0/0,::/0").unwrap_or_default();
    Policy::allowing(everywhere)
}

impl Reference {
    /// # Errors
    /// When an extra root, or the User-Agent, can't be used.
    pub(crate) fn new(
        urls: Vec<Url>,
        resolver: Resolver,
        extra_roots: Vec<CertificateDer<'static>>,
        user_agent: String,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let settings = EngineConfig {
            policy: policy(),
            extra_roots,
            user_agent,
            per_address: MAX_URLS,
        };
        Ok(Self {
            engine: Engine::new(settings, resolver.clone())?,
            resolver,
            urls,
            clock,
        })
    }

    /// One look. The name servers are asked only where a name had to be looked up: a prober of addresses needs none.
    pub(crate) async fn look(&self, needs_names: bool) -> Look {
        let began = Instant::now();
        let (root, url) = tokio::join!(self.ask_resolver(needs_names, began), self.ask_urls());
        let urls = (!self.urls.is_empty()).then_some(url.is_some());
        // A URL by name that answers proves the name servers, also those that tell nobody about the root.
        let by_name = url.is_some_and(|url| matches!(url.host(), Some(Host::Domain(_))));
        Look {
            began,
            ended: Instant::now(),
            resolver: root.map(|answered| answered || by_name),
            urls,
        }
    }

    async fn ask_resolver(&self, needs_names: bool, began: Instant) -> Option<bool> {
        if !needs_names {
            return None;
        }
        let answer = self.resolver.reach(began + LOOK_TIMEOUT).await;
        if let Err(error) = &answer {
            tracing::debug!(%error, "the name servers don't answer the self-check");
        }
        Some(answer.is_ok())
    }

    /// The first that answers.
    async fn ask_urls(&self) -> Option<&Url> {
        let mut asking: FuturesUnordered<_> = self
            .urls
            .iter()
            .map(|url| async move { self.answers(url).await.then_some(url) })
            .collect();
        while let Some(answered) = asking.next().await {
            if answered.is_some() {
                return answered;
            }
        }
        None
    }

    /// Whether any HTTP answer comes, whatever its status.
    async fn answers(&self, url: &Url) -> bool {
        let now = self.clock.now();
        let job = question(url, now);
        let finding = Box::pin(self.engine.probe(&job, now)).await;
        let result = finding.into_result(&job, now, "");
        if result.status_code.is_none() {
            tracing::debug!(error = ?result.error, "a URL of the self-check does not answer");
        }
        result.status_code.is_some()
    }
}

/// What the engine needs; nothing of it is ever published.
fn question(url: &Url, now: Time) -> ProbeJob {
    ProbeJob {
        probe_id: ProbeId::from(Uuid::nil()),
        service_id: ServiceId::from(Uuid::nil()),
        user_id: UserId::from(Uuid::nil()),
        kind: ProbeKind::Manual,
        region: String::new(),
        scheduled_at: now,
        not_after: now + TimeDelta::milliseconds(i64::from(LOOK_TIMEOUT_MS)),
        config_version: 0,
        url: url.as_str().to_owned(),
        timeout_ms: LOOK_TIMEOUT_MS,
        expected_status: 200,
        follow_redirects: false,
        avoid_prober: None,
        answers: None,
        signature: None,
    }
}
