//! Where a request comes from: the address of the client, not of the load balancer before us.

use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest, web};
use guard::IpNet;

use crate::app::Api;
use crate::error::Problem;

/// How many hops are read, from the nearest on: nobody has as many load balancers in a row.
const MAX_HOPS: usize = 16;
const FORWARDED_FOR: &str = "x-forwarded-for";
/// What one customer of a provider has of IPv6: addresses within it are one client.
const IPV6_CLIENT_BITS: u32 = 64;

/// One of `TRUSTED_PROXIES`: an address, or a CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

impl TrustedProxy {
    fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for TrustedProxy {
    type Err = NotAProxy;

    fn from_str(text: &str) -> Result<Self, NotAProxy> {
        let network = text.parse::<IpNet>().ok();
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        network.or_else(address).map(Self).ok_or(NotAProxy)
    }
}

/// What is neither an address nor a CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAProxy;

impl fmt::Display for NotAProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or a CIDR, such as 10.0.0.0/8, is needed")
    }
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// Reads the connection's other end and, as far as hops are trusted, `X-Forwarded-For`.
    pub(crate) fn of(
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
        trusted: &[TrustedProxy],
    ) -> Self {
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
        let hops: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            // Hop by hop: what a stranger wrote that is no text hides nothing of what was added behind it.
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|hop| str::from_utf8(hop).unwrap_or_default())
            .collect();
        Self(nearest_stranger(peer, &hops, trusted))
    }

    /// The address, for a log that a person reads.
    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }

    /// What counts as one client: an IPv4 address, or 64 bits of an IPv6 one.
    pub(crate) fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let kept = u128::MAX << (u128::BITS - IPV6_CLIENT_BITS);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & kept))
            }
        }
    }
}

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let Some(api) = request.app_data::<web::Data<Api>>() else {
            return ready(Err(Problem::internal("the app has no state")));
        };
        ready(Ok(Self::of(
            request.peer_addr(),
            request.headers(),
            &api.config.trusted_proxies,
        )))
    }
}

/// Walks back from the connection over hops that are trusted to tell the truth about the one before them, to the
/// first that is not. What can't be read ends the walk: the one who wrote it is the client.
fn nearest_stranger(peer: IpAddr, hops: &[&str], trusted: &[TrustedProxy]) -> IpAddr {
    let mut nearest = peer.to_canonical();
    for hop in hops.iter().rev().take(MAX_HOPS) {
        if !trusted.iter().any(|proxy| proxy.contains(nearest)) {
            break;
        }
        match address(hop.trim()) {
            Some(address) => nearest = address,
            None => break,
        }
    }
    nearest
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let plain = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    plain
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn found(peer: &str, hops: &[&str]) -> String {
        let trusted: Vec<TrustedProxy> = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        nearest_stranger(peer.parse().unwrap(), hops, &trusted).to_string()
    }

    #[test]
    fn only_trusted_hops_are_believed() {
        assert_eq!(found("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(found("10.1.1.1", &["198.51.100.1"]), "198.51.100.1");
        // what stands left of a stranger is his own invention
        assert_eq!(
            found("10.1.1.1", &["1.1.1.1", "198.51.100.1", " 192.0.2.7"]),
            "198.51.100.1"
        );
        assert_eq!(found("10.1.1.1", &["1.1.1.1", "10.2.2.2"]), "1.1.1.1");
        assert_eq!(found("10.1.1.1", &[]), "10.1.1.1");
    }

    #[test]
    fn what_is_no_text_hides_nobody() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"\xff\xfe, 198.51.100.1").unwrap();
        headers.insert(HeaderName::from_static(FORWARDED_FOR), value);
        let peer = "10.1.1.1:4000".parse().unwrap();
        let client = Client::of(Some(peer), &headers, &trusted);
        assert_eq!(client.address().to_string(), "198.51.100.1");
    }

    #[test]
    fn every_spelling_of_an_address_is_read_and_nonsense_is_not() {
        for spelling in [
            "198.51.100.1",
            "198.51.100.1:80",
            "::ffff:198.51.100.1",
            "[::ffff:198.51.100.1]:80",
        ] {
            assert_eq!(found("::ffff:10.1.1.1", &[spelling]), "198.51.100.1");
        }
        assert_eq!(found("10.1.1.1", &["[2001:db8::1]"]), "2001:db8::1");
        for nonsense in ["", "unknown", "_hidden", "1.2.3", "a.example"] {
            assert_eq!(found("10.1.1.1", &["1.1.1.1", nonsense]), "10.1.1.1");
        }
        assert!("10.0.0.0/33".parse::<TrustedProxy>().is_err());
    }
    #[test]
    fn sixty_four_bits_of_ipv6_are_one_client() {
        let network = |text: &str| Client(text.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("198.51.100.1"), "198.51.100.1");
    }
}
