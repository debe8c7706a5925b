//! When a prober may trust itself, as pure functions: time is an argument.
//!
//! A failure that this machine or its network could have caused counts only once the prober has reached its own
//! reference *after* it: a look that began when the probe had ended. Whatever was in flight while a look failed proves
//! nothing.

use std::time::Duration;

use models::probe::ErrorKind;
use tokio::time::Instant;

/// After the clock has jumped, so long until the new offset is trusted: jobs that were measured by the old one are
/// handed back by then.
pub(crate) const CLOCK_SETTLES: Duration = Duration::from_secs(2);

/// Whether the prober may judge others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// It may.
    #[default]
    Well,
    /// No name server has answered since the start, so no service by name can be judged; addresses can. A network
    /// without any name server must not keep its services by address from being probed.
    Nameless,
    /// It may not.
    Failing(Trouble),
}

/// What is wrong with a prober.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The name servers, which answered before, no longer do.
    Resolver,
    /// None of `SELF_CHECK_URLS` answers.
    Urls,
    /// The offset of its clock jumped.
    Clock,
}

impl Trouble {
    /// For operators.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Resolver => "no name server answers any more",
            Self::Urls => "none of SELF_CHECK_URLS answers",
            Self::Clock => "the clock jumped",
        }
    }
}

/// What one look at the reference found; `None` where it was not asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// Whether a name server answered.
    pub(crate) resolver: Option<bool>,
    /// Whether any of `SELF_CHECK_URLS` answered.
    pub(crate) urls: Option<bool>,
}

/// All that is known of the prober's own health.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) state: State,
    /// A name server has answered since the start.
    resolver_answered: bool,
    /// When the newest look began that found no trouble.
    well_at: Option<Instant>,
    /// When trouble was last seen.
    trouble_at: Option<Instant>,
    /// Until when the clock is not trusted.
    clock_until: Option<Instant>,
}

/// What a failure could also come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The target itself said so, or no network was involved.
    None,
    /// A network or clock of ours that does not work.
    Network,
    /// A name server of ours that does not work.
    Names,
}

/// What becomes of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It counts.
    Publish,
    /// It proves nothing.
    Inconclusive,
    /// The reference must be looked at first.
    Wait,
}

impl Standing {
    pub(crate) fn is_failing(&self) -> bool {
        matches!(self.state, State::Failing(_))
    }

    /// After one more look.
    pub(crate) fn after(mut self, look: &Look) -> Self {
        self.resolver_answered |= look.resolver == Some(true);
        let clock_is_new = self.clock_until.is_some_and(|until| look.began < until);
        self.state = if clock_is_new {
            State::Failing(Trouble::Clock)
        } else if look.urls == Some(false) {
            State::Failing(Trouble::Urls)
        } else if look.resolver != Some(false) {
            State::Well
        } else if self.resolver_answered {
            State::Failing(Trouble::Resolver)
        } else {
            State::Nameless
        };
        match self.state {
            State::Well | State::Nameless => self.well_at = Some(look.began),
            State::Failing(_) => self.trouble_at = Some(look.ended),
        }
        self
    }

    /// After a probe found its name's address.
    pub(crate) fn after_lookup(mut self) -> Self {
        self.resolver_answered = true;
        self
    }

    /// Whether a name server has answered since the start.
    pub(crate) fn knows_names(&self) -> bool {
        self.resolver_answered
    }

    /// After the clock's offset jumped.
    pub(crate) fn after_clock_jump(mut self, now: Instant) -> Self {
        self.state = State::Failing(Trouble::Clock);
        self.trouble_at = Some(now);
        self.clock_until = Some(now + CLOCK_SETTLES);
        self
    }

    /// What a probe that ran from `begun` to `ended` proves.
    pub(crate) fn judge(&self, begun: Instant, ended: Instant, doubt: Doubt) -> Ruling {
        if self.is_failing() || self.trouble_at.is_some_and(|at| at >= begun) {
            return Ruling::Inconclusive;
        }
        let is_vouched_for = self.well_at.is_some_and(|at| at >= ended);
        match doubt {
            Doubt::None => Ruling::Publish,
            _ if !is_vouched_for => Ruling::Wait,
            Doubt::Names if self.state == State::Nameless => Ruling::Inconclusive,
            Doubt::Names | Doubt::Network => Ruling::Publish,
        }
    }
}

/// What else a failure of this kind could come from. Where the target's own answer was read, nothing else.
pub(crate) fn doubt(kind: ErrorKind) -> Doubt {
    use ErrorKind as K;
    match kind {
        K::DnsNxdomain | K::DnsServfail | K::DnsTimeout | K::DnsNoAddress => Doubt::Names,
        // A dead uplink, a firewall or a captive portal in between, a clock that is wrong.
        K::ConnectRefused
        | K::ConnectTimeout
        | K::ConnectReset
        | K::ConnectUnreachable
        | K::TlsHandshake
        | K::CertExpired
        | K::CertNotYetValid
        | K::CertNameMismatch
        | K::CertUnknownIssuer
        | K::CertSelfSigned
        | K::HttpProtocol
        | K::TimeoutConnect
        | K::TimeoutTls
        | K::TimeoutFirstByte
        | K::TimeoutBody
        | K::BodyIncomplete => Doubt::Network,
        K::BlockedDestination
        | K::TlsProtocol
        | K::TlsNotTls
        | K::TlsAlert
        | K::CertBadSignature
        | K::CertRevoked
        | K::CertUnsupported
        | K::CertMalformed
        | K::HeadersTooLarge
        | K::RedirectBlocked
        | K::RedirectInvalid
        | K::TooManyRedirects
        | K::StatusMismatch
        | K::Internal => Doubt::None,
    }
}

#[cfg(test)]
mod tests;
