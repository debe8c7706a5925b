//! Ways out: one file a transport. Which one is used is the operator's choice at the start.
//!
//! A transport makes one attempt and says what came of it; when to try again is `retry.rs`'
//! business. A channel of the tenants (`deliveries.channel`) is another matter: there is one,
//! `email`, and every transport here carries it.

mod outbox;
mod resend;
mod smtp;

use std::time::Duration;

use models::id::DeliveryId;

use crate::config::TransportConfig;
use crate::letter::Letter;

/// The value of `deliveries.channel` that this release sends. Rows of others are left to newer
/// alerters.
pub const EMAIL: &str = "email";

/// No attempt takes longer, whatever its transport. Well under the lease, so that whoever holds
/// the lease is alone.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The provider took it.
    Accepted {
        /// The provider's name for it, if it gave one.
        provider_id: Option<String>,
    },
    /// Not now, or unknown: the same again later does no harm.
    Deferred {
        /// What happened, without addresses or secrets.
        error: String,
        /// What the provider asked us to wait.
        retry_after: Option<Duration>,
        /// An operator should look.
        alarm: bool,
    },
    /// The same again would fail again.
    Refused {
        /// What happened, without addresses or secrets.
        error: String,
        /// An operator should look: it is not this one mail's fault.
        alarm: bool,
    },
}

impl Attempt {
    /// Label of the metric.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether an operator should look.
    #[must_use]
    pub const fn alarms(&self) -> bool {
        match self {
            Self::Accepted { .. } => false,
            Self::Deferred { alarm, .. } | Self::Refused { alarm, .. } => *alarm,
        }
    }

    fn deferred(error: impl Into<String>) -> Self {
        Self::Deferred {
            error: bounded(error),
            retry_after: None,
            alarm: false,
        }
    }
}

/// Providers may answer with anything; the ledger keeps one short line of it.
const MAX_ERROR_CHARS: usize = 300;

fn bounded(error: impl Into<String>) -> String {
    error
        .into()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_ERROR_CHARS)
        .collect()
}

/// Whether mail can be handed to an SMTP server at `url`.
pub(crate) fn is_smtp_url(url: &str) -> bool {
    smtp::with_tls(url).is_some()
}

/// The transport in use.
#[derive(Debug)]
pub enum Transport {
    /// Resend's API: exactly once by its idempotency key.
    Resend(Box<resend::Resend>),
    /// Any SMTP server: at least once, recognisable by the `Message-ID`.
    Smtp(smtp::Smtp),
    /// Files in a folder, for a first run without any mail server.
    Outbox(outbox::Outbox),
}

impl Transport {
    /// Prepares the transport; dials nothing.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the outbox folder cannot be made.
    pub async fn open(config: &TransportConfig) -> anyhow::Result<Self> {
        Ok(match config {
            TransportConfig::Resend { api_key, base_url } => {
                Self::Resend(Box::new(resend::Resend::new(api_key, base_url)?))
            }
            TransportConfig::Smtp { url } => Self::Smtp(smtp::Smtp::new(url)?),
            TransportConfig::Outbox { folder } => Self::Outbox(outbox::Outbox::open(folder).await?),
        })
    }

    /// Its name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resend(_) => "resend",
            Self::Smtp(_) => "smtp",
            Self::Outbox(_) => "outbox",
        }
    }

    /// Makes one attempt, at most [`ATTEMPT_TIMEOUT`] long. `id` is the idempotency key.
    pub async fn send(&self, id: DeliveryId, letter: &Letter) -> Attempt {
        let attempt = async {
            match self {
                Self::Resend(resend) => resend.send(id, letter).await,
                Self::Smtp(smtp) => smtp.send(id, letter).await,
                Self::Outbox(outbox) => outbox.send(id, letter).await,
            }
        };
        tokio::time::timeout(ATTEMPT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Attempt::deferred("no answer in time"))
    }
}
