//! One URL, rule by rule: what can be said about a destination before any name is looked up.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use crate::names::{self, NameKind};
use crate::policy::Policy;

/// The longest URL, in bytes, before and after it is normalised.
pub const MAX_URL_BYTES: usize = 2048;

/// Why a URL will not be probed. Each sentence says which rule; it is shown to whoever wrote the URL, so it never
/// carries what a lookup found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`MAX_URL_BYTES`].
    #[error("must be at most {MAX_URL_BYTES} bytes long")]
    TooLong,
    /// A character that parsers disagree on.
    #[error("must not contain spaces, control characters or backslashes")]
    BadCharacter,
    /// The URL standard can't read it.
    #[error("is not a valid URL: {0}")]
    Unparsable(String),
    /// Neither http nor https.
    #[error("must begin with http:// or https://, not {0}:")]
    Scheme(String),
    /// A user name or password.
    #[error("must not contain a user name or password")]
    UserInfo,
    /// A host that DNS can't carry.
    #[error(
        "has a host that is not a valid name (1 to 63 characters between dots, no hyphen at either end, 253 in all)"
    )]
    BadName,
    /// A name of a local network, of a metadata service, or of the deployment itself.
    #[error("names a host that is not on the public internet ({name})")]
    Name {
        /// The name, normalised.
        name: String,
    },
    /// An address that is not public.
    #[error("leads to {ip}, which is not a public address: {range}")]
    Address {
        /// The address that was judged.
        ip: IpAddr,
        /// What the address is, in words.
        range: String,
    },
    /// A port on the list.
    #[error("uses port {port}, which is not probed")]
    Port {
        /// The port.
        port: u16,
    },
}

impl Refusal {
    /// Whether the URL is well formed and its destination is what is refused (`url-not-allowed`), as against a text
    /// that is no probeable URL at all.
    pub fn is_about_destination(&self) -> bool {
        matches!(
            self,
            Self::Name { .. } | Self::Address { .. } | Self::Port { .. }
        )
    }
}

/// The protocol of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// A destination that passed every rule which needs no lookup. Only [`judge_url`] and [`judge_text`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: TargetHost,
    port: u16,
}

/// Where a target's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetHost {
    /// The address stood in the URL and was judged.
    Literal(IpAddr),
    /// A name, normalised.
    Name { name: String, is_local: bool },
}

impl Target {
    /// The protocol.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The port, the scheme's own when the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host for TLS and for people: a name without its root dot, or an address without brackets.
    pub fn host(&self) -> String {
        match &self.host {
            TargetHost::Literal(ip) => ip.to_string(),
            TargetHost::Name { name, .. } => name.clone(),
        }
    }

    /// Whether the address stood in the URL, so that no lookup is needed.
    pub fn is_literal(&self) -> bool {
        matches!(self.host, TargetHost::Literal(_))
    }

    /// Whether the host is a name of the local network, which only an operator's rule opens: such a name is looked up
    /// before it is accepted.
    pub fn is_local_name(&self) -> bool {
        matches!(self.host, TargetHost::Name { is_local: true, .. })
    }

    pub(crate) fn target_host(&self) -> &TargetHost {
        &self.host
    }
}

/// Judges a URL as a person typed it and gives it back in its normalised form, without its fragment.
///
/// # Errors
/// The first rule that it breaks.
pub fn judge_text(text: &str, policy: &Policy) -> Result<(Url, Target), Refusal> {
    if text.len() > MAX_URL_BYTES {
        return Err(Refusal::TooLong);
    }
    if text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return Err(Refusal::BadCharacter);
    }
    let mut url = Url::parse(text).map_err(|error| Refusal::Unparsable(error.to_string()))?;
    url.set_fragment(None);
    let target = judge_url(&url, policy)?;
    Ok((url, target))
}

/// Judges a parsed URL: shape, scheme, host spelling, port, and the address when it is written out.
///
/// # Errors
/// The first rule that it breaks.
pub fn judge_url(url: &Url, policy: &Policy) -> Result<Target, Refusal> {
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => return Err(Refusal::Scheme(other.to_owned())),
    };
    if url.as_str().len() > MAX_URL_BYTES {
        return Err(Refusal::TooLong);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    let port = url.port_or_known_default().unwrap_or(0);
    let host = match url.host() {
        Some(Host::Ipv4(ip)) => judge_literal(IpAddr::V4(ip), port, policy)?,
        Some(Host::Ipv6(ip)) => judge_literal(IpAddr::V6(ip), port, policy)?,
        Some(Host::Domain(name)) => judge_name(name, port, policy)?,
        None => return Err(Refusal::BadName),
    };
    Ok(Target { scheme, host, port })
}

fn judge_literal(ip: IpAddr, port: u16, policy: &Policy) -> Result<TargetHost, Refusal> {
    policy.judge(SocketAddr::new(ip, port))?;
    Ok(TargetHost::Literal(ip))
}

fn judge_name(name: &str, port: u16, policy: &Policy) -> Result<TargetHost, Refusal> {
    let name = names::normalise(name);
    let is_local = match names::classify(&name) {
        NameKind::Invalid => return Err(Refusal::BadName),
        NameKind::Metadata => return Err(Refusal::Name { name }),
        NameKind::Local if !policy.opens_local_names() => return Err(Refusal::Name { name }),
        NameKind::Local => true,
        NameKind::Public => false,
    };
    if policy.is_own_name(&name) {
        return Err(Refusal::Name { name });
    }
    if !policy.may_use_port(port) {
        return Err(Refusal::Port { port });
    }
    Ok(TargetHost::Name { name, is_local })
}
