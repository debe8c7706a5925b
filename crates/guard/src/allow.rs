//! What an operator opens: a network, or a network with one port, as `PROBE_ALLOW_CIDRS` writes it.
//!
//! Accepted spellings, separated by commas or white space:
//! `10.1.0.0/16` · `10.1.2.3` · `10.1.2.3:8443` · `10.1.0.0/16:8443` · `fd00::/8` · `::1` · `[fd00::/8]:8443` · `[::1]:8443`.
//! A network without a port opens its addresses on every port that is not on the port list; with a port it opens
//! exactly that port, and the port list does not matter.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// One opened network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowRule {
    net: IpNet,
    port: Option<u16>,
}

/// A rule that could not be read; the sentence names the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{rule}`: {problem}")]
pub struct AllowRuleError {
    rule: String,
    problem: String,
}

impl AllowRule {
    /// Opens `net`: on one port, or on every port that is not on the port list.
    pub fn new(net: IpNet, port: Option<u16>) -> Self {
        Self { net, port }
    }

    /// Reads a list as `PROBE_ALLOW_CIDRS` holds it. An empty text opens nothing.
    ///
    /// # Errors
    /// Every rule that could not be read, not only the first.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Vec<AllowRuleError>> {
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for rule in text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|rule| !rule.is_empty())
        {
            match Self::parse(rule) {
                Ok(parsed) => rules.push(parsed),
                Err(problem) => errors.push(AllowRuleError {
                    rule: rule.to_owned(),
                    problem,
                }),
            }
        }
        if errors.is_empty() {
            Ok(rules)
        } else {
            Err(errors)
        }
    }

    fn parse(rule: &str) -> Result<Self, String> {
        let (net, port) = split_port(rule)?;
        let net = match net.parse::<IpNet>() {
            Ok(net) => net,
            Err(_not_a_network) => match net.parse::<IpAddr>() {
                Ok(ip) => IpNet::from(ip),
                Err(_not_an_address) => {
                    return Err("not an address or network (names are not accepted)".to_owned());
                }
            },
        };
        if net.trunc() != net {
            return Err(format!(
                "has bits set outside its prefix; write {}",
                net.trunc()
            ));
        }
        let port = match port {
            None => None,
            Some(text) => match text.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err("the port must be a number from 1 to 65535".to_owned()),
            },
        };
        Ok(Self { net, port })
    }

    /// Whether the rule opens this address at all, on whatever port.
    pub(crate) fn covers(&self, ip: IpAddr) -> bool {
        self.net.contains(&ip)
    }

    /// Whether the rule names exactly this port of this address.
    pub(crate) fn names_port(&self, addr: SocketAddr) -> bool {
        self.covers(addr.ip()) && self.port == Some(addr.port())
    }

    /// Whether the rule opens every listed port of this address.
    pub(crate) fn opens_all_ports(&self, ip: IpAddr) -> bool {
        self.covers(ip) && self.port.is_none()
    }

    /// Whether the rule names this port on some address.
    pub(crate) fn mentions_port(&self, port: u16) -> bool {
        self.port == Some(port)
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.net, self.port) {
            (net, None) => write!(f, "{net}"),
            (IpNet::V4(net), Some(port)) => write!(f, "{net}:{port}"),
            (IpNet::V6(net), Some(port)) => write!(f, "[{net}]:{port}"),
        }
    }
}

/// Takes the port off. An unbracketed IPv6 rule has none: its colons belong to the address.
fn split_port(rule: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(inner) = rule.strip_prefix('[') {
        let Some((net, rest)) = inner.split_once(']') else {
            return Err("has `[` without `]`".to_owned());
        };
        return match rest.strip_prefix(':') {
            Some(port) => Ok((net, Some(port))),
            None if rest.is_empty() => Ok((net, None)),
            None => Err("after `]` only `:port` may follow".to_owned()),
        };
    }
    let is_v6 = rule.matches(':').count() > 1;
    match rule.rsplit_once(':') {
        Some((net, port)) if !is_v6 => Ok((net, Some(port))),
        Some((net, _)) if net.contains('/') => {
            Err("an IPv6 network with a port is written [net/len]:port".to_owned())
        }
        _ => Ok((rule, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::AllowRule;

    #[test]
    fn every_documented_spelling_is_read_and_shown_in_one_form() {
        let text = "10.1.0.0/16, 10.1.2.3 10.1.2.3:8443,10.1.0.0/16:8443\nfd00::/8 ::1 [fd00::/8]:8443,[::1]:8443,[::1]";
        let shown: Vec<String> = AllowRule::parse_list(text)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "10.1.0.0/16",
                "10.1.2.3/32",
                "10.1.2.3/32:8443",
                "10.1.0.0/16:8443",
                "fd00::/8",
                "::1/128",
                "[fd00::/8]:8443",
                "[::1/128]:8443",
                "::1/128"
            ]
        );
        assert_eq!(AllowRule::parse_list(" , ").unwrap(), []);
    }

    #[test]
    fn every_bad_rule_is_named_with_its_problem() {
        let errors = AllowRule::parse_list(
            "10.1.2.3/8,localhost:80 10.0.0.1:0 10.0.0.1:65536 [::1 fd00::/8:443 [::1]x 10.0.0.0/8",
        )
        .unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "`10.1.2.3/8`: has bits set outside its prefix; write 10.0.0.0/8",
                "`localhost:80`: not an address or network (names are not accepted)",
                "`10.0.0.1:0`: the port must be a number from 1 to 65535",
                "`10.0.0.1:65536`: the port must be a number from 1 to 65535",
                "`[::1`: has `[` without `]`",
                "`fd00::/8:443`: an IPv6 network with a port is written [net/len]:port",
                "`[::1]x`: after `]` only `:port` may follow",
            ]
        );
    }
}
