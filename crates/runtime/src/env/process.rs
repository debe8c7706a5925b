//! Settings that every process has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Reader;

/// `APP_ENV`: what kind of installation this is. Production refuses weak settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppEnv {
    /// The default: a person tries things out.
    Development,
    /// Strangers' data: weak settings stop the start.
    Production,
    /// Our own tests.
    Test,
}

impl AppEnv {
    /// Reads `APP_ENV`.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.choice(
            "APP_ENV",
            Self::Development,
            &[
                ("development", Self::Development),
                ("production", Self::Production),
                ("test", Self::Test),
            ],
        )
    }

    /// Whether `APP_ENV` is production, for who only wants to know that; a wrong word is [`Self::read`]'s to tell.
    pub(super) fn says_production(reader: &Reader<'_>) -> bool {
        let text = reader.text("APP_ENV");
        text.is_some_and(|text| text.eq_ignore_ascii_case("production"))
    }

    /// Whether weak settings must be refused.
    pub fn is_production(self) -> bool {
        self == Self::Production
    }
}

/// Where the ops port listens: `OPS_PORT` (9090; 0 picks a free one) and `OPS_BIND` (all
/// addresses; it must not be reachable by the public).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpsConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
}

impl OpsConfig {
    /// The port where `OPS_PORT` is unset.
    pub const DEFAULT_PORT: u16 = 9090;

    /// Reads `OPS_PORT` and `OPS_BIND`.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let port = reader.or("OPS_PORT", Self::DEFAULT_PORT);
        let bind = reader.or("OPS_BIND", IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Some(Self {
            listen: SocketAddr::new(bind?, port?),
        })
    }

    /// A free loopback port, for tests that run several processes side by side.
    pub fn any_free_port() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        }
    }
}
