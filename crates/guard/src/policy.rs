//! What this deployment opens and closes beyond the built-in lists, and the one question asked of every address.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::allow::AllowRule;
use crate::judge::Refusal;
use crate::{names, ports, ranges};

/// The deployment's own rules. The default opens nothing private: that is what a public service runs with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    allow: Vec<AllowRule>,
    deny: Vec<IpNet>,
    own_names: Vec<String>,
}

impl Policy {
    /// Nothing private is opened, nothing public is closed.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// A policy with what `PROBE_ALLOW_CIDRS` opened.
    pub fn allowing(allow: Vec<AllowRule>) -> Self {
        Self {
            allow,
            ..Self::default()
        }
    }

    /// Closes more networks, e.g. a NAT64 prefix of the operator's own. Closed wins over opened.
    #[must_use]
    pub fn denying(mut self, deny: Vec<IpNet>) -> Self {
        self.deny = deny;
        self
    }

    /// Refuses the names of the deployment's own servers and all names below them, whatever they resolve to.
    #[must_use]
    pub fn with_own_names(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.own_names = names
            .into_iter()
            .map(|name| names::normalise(&name))
            .collect();
        self
    }

    /// What is opened, for the log at start.
    pub fn allow_rules(&self) -> &[AllowRule] {
        &self.allow
    }

    /// Whether names of the local network are looked up at all.
    pub(crate) fn opens_local_names(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Whether `name` (normalised) is one of the deployment's own, or below one.
    pub(crate) fn is_own_name(&self, name: &str) -> bool {
        self.own_names
            .iter()
            .any(|own| names::ends_with_label(name, own))
    }

    /// Whether `port` can be right for some address, before the address is known.
    pub(crate) fn may_use_port(&self, port: u16) -> bool {
        port != 0
            && (!ports::is_refused(port) || self.allow.iter().any(|rule| rule.mentions_port(port)))
    }

    /// Judges one address that is about to be dialled. This is the rule that holds when all others are fooled.
    pub(crate) fn judge(&self, addr: SocketAddr) -> Result<(), Refusal> {
        let ip = addr.ip();
        if self.deny.iter().any(|net| net.contains(&ip)) {
            return Err(Refusal::Address {
                ip,
                range: "closed by this installation".to_owned(),
            });
        }
        if self.allow.iter().any(|rule| rule.names_port(addr)) {
            return Ok(());
        }
        let is_opened = self.allow.iter().any(|rule| rule.opens_all_ports(ip));
        if !is_opened && let Some(range) = ranges::forbidden_range(ip) {
            return Err(Refusal::Address { ip, range });
        }
        if addr.port() == 0 || ports::is_refused(addr.port()) {
            return Err(Refusal::Port { port: addr.port() });
        }
        Ok(())
    }
}
