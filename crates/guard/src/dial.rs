//! The only place that opens a socket to an address which a tenant chose.

use std::cmp::Reverse;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::alarm::Alarm;

/// How long one address is tried alone before the next joins in (RFC 8305, section 5).
pub const CONNECTION_STAGGER: Duration = Duration::from_millis(250);

/// Linux and macOS: too many open files, in this process and in the system.
const OUT_OF_FILES: [i32; 2] = [24, 23];

/// An address that was judged. It has no public constructor:
///
/// ```compile_fail
/// let addr = guard::CheckedAddr("127.0.0.1:80".parse().unwrap());
/// ```
///
/// and nothing else can be dialled:
///
/// ```compile_fail
/// # async fn dial() {
/// let addr: std::net::SocketAddr = "127.0.0.1:80".parse().unwrap();
/// guard::connect(addr, tokio::time::Instant::now()).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckedAddr(SocketAddr);

impl CheckedAddr {
    /// Called by the resolver, after the policy said yes.
    pub(crate) fn judged(addr: SocketAddr) -> Self {
        Self(addr)
    }

    /// The address, for the operator's eyes and for counting; never for tenants.
    pub fn socket_addr(self) -> SocketAddr {
        self.0
    }
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The caller's deadline passed.
    #[error("the connection was not answered before the deadline")]
    Deadline,
    /// The system gave up waiting, before the caller's deadline.
    #[error("the connection was not answered")]
    TimedOut,
    /// Nobody listens.
    #[error("the connection was refused")]
    Refused,
    /// The peer cut the connection while it was being made.
    #[error("the connection was reset")]
    Reset,
    /// No route.
    #[error("the address can't be reached")]
    Unreachable,
    /// The connected socket's peer is not the address that was judged.
    #[error("connected to another address than the one that was checked")]
    WrongPeer,
    /// This machine is out of sockets or ports: our failure, not the target's.
    #[error("this machine could not open a socket")]
    Local(#[source] io::Error),
}

/// Connects to one judged address.
///
/// # Errors
/// See [`DialError`]; `alarm` turns into [`DialError::Deadline`].
pub async fn connect(addr: CheckedAddr, alarm: &mut Alarm) -> Result<TcpStream, DialError> {
    let socket = if addr.0.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let socket = socket.map_err(|error| classify(error, addr))?;
    socket.set_nodelay(true).map_err(DialError::Local)?;
    let stream = match alarm.limit(socket.connect(addr.0)).await {
        None => return Err(DialError::Deadline),
        Some(connected) => connected.map_err(|error| classify(error, addr))?,
    };
    match stream.peer_addr() {
        Ok(peer) if peer == addr.0 => Ok(stream),
        Ok(_other) => Err(DialError::WrongPeer),
        Err(error) => Err(classify(error, addr)),
    }
}

/// Nobody answered.
#[derive(Debug)]
pub struct NotConnected {
    /// The most telling failure: what a peer did outweighs what this machine could not do, and among equals the first
    /// address in the order tried counts. [`DialError::Unreachable`] for no address.
    pub error: DialError,
    /// Addresses that had no place. While there are any, nothing is proven.
    pub without_place: Vec<CheckedAddr>,
}

/// Connects to the first of several judged addresses that answers: families alternate, and each next address joins
/// when the one before has failed or [`CONNECTION_STAGGER`] has passed. `place` is asked for every address when its turn
/// has come, the first of `addrs` first: one that gets `None` is passed over, and a place is held while its address is
/// being tried and as long as its connection.
///
/// # Errors
/// See [`NotConnected`].
pub async fn connect_any<P: Send + 'static>(
    addrs: &[CheckedAddr],
    alarm: &mut Alarm,
    mut place: impl FnMut(CheckedAddr) -> Option<P>,
) -> Result<(TcpStream, CheckedAddr, P), NotConnected> {
    if let [only] = addrs {
        return connect_only(*only, alarm, place(*only)).await; // nothing to race
    }
    let mut without_place = Vec::new();
    let mut waiting = alternate_families(addrs).into_iter().enumerate();
    let mut running: FuturesUnordered<Pin<Box<dyn Future<Output = Attempt<P>> + Send>>> =
        FuturesUnordered::new();
    let mut worst: Option<(Telling, DialError)> = None;
    loop {
        // Not through a timer: the first address, and the one behind a failure, would lose up to a millisecond.
        for (order, addr) in waiting.by_ref() {
            if let Some(place) = place(addr) {
                running.push(Box::pin(attempt(order, addr, place, alarm.deadline())));
                break;
            }
            without_place.push(addr);
        }
        let next_start = Instant::now() + CONNECTION_STAGGER;
        let others_wait = waiting.len() > 0;
        tokio::select! {
            biased;
            Some(attempt) = running.next(), if !running.is_empty() => match attempt.outcome {
                Ok((stream, place)) => return Ok((stream, attempt.addr, place)),
                Err(error) => {
                    let telling = (rank(&error), Reverse(attempt.order));
                    if worst.as_ref().is_none_or(|(known, _)| telling > *known) {
                        worst = Some((telling, error));
                    }
                }
            },
            () = tokio::time::sleep_until(next_start), if others_wait => {}
            else => return Err(NotConnected {
                error: worst.map_or(DialError::Unreachable, |(_, error)| error),
                without_place,
            }),
        }
    }
}

async fn connect_only<P>(
    addr: CheckedAddr,
    alarm: &mut Alarm,
    place: Option<P>,
) -> Result<(TcpStream, CheckedAddr, P), NotConnected> {
    let Some(place) = place else {
        return Err(NotConnected {
            error: DialError::Unreachable,
            without_place: vec![addr],
        });
    };
    match connect(addr, alarm).await {
        Ok(stream) => Ok((stream, addr, place)),
        Err(error) => Err(NotConnected {
            error,
            without_place: Vec::new(),
        }),
    }
}

/// How much a failure says, and where its address stood.
type Telling = (u8, Reverse<usize>);

/// A host without IPv6 fails its IPv6 addresses at once; that must not hide what the IPv4 address answered.
fn rank(error: &DialError) -> u8 {
    match error {
        DialError::Unreachable => 0,
        DialError::Local(_) => 1,
        DialError::Deadline
        | DialError::TimedOut
        | DialError::Refused
        | DialError::Reset
        | DialError::WrongPeer => 2,
    }
}

/// What became of one address.
struct Attempt<P> {
    order: usize,
    addr: CheckedAddr,
    outcome: Result<(TcpStream, P), DialError>,
}

/// A place is given back with the failure of its address.
async fn attempt<P>(order: usize, addr: CheckedAddr, place: P, deadline: Instant) -> Attempt<P> {
    let connected = connect(addr, &mut Alarm::at(deadline)).await;
    Attempt {
        order,
        addr,
        outcome: connected.map(|stream| (stream, place)),
    }
}

/// IPv6 and IPv4 in turn, beginning with the family of the first address, each in the order given.
fn alternate_families(addrs: &[CheckedAddr]) -> Vec<CheckedAddr> {
    let first_is_v4 = addrs.first().is_some_and(|addr| addr.0.is_ipv4());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for addr in addrs {
        if addr.0.is_ipv4() == first_is_v4 {
            one.push(*addr)
        } else {
            other.push(*addr)
        }
    }
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::with_capacity(addrs.len());
    loop {
        let before = mixed.len();
        mixed.extend(one.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

fn classify(error: io::Error, addr: CheckedAddr) -> DialError {
    use io::ErrorKind as Kind;
    if error
        .raw_os_error()
        .is_some_and(|code| OUT_OF_FILES.contains(&code))
    {
        return DialError::Local(error);
    }
    match error.kind() {
        Kind::ConnectionRefused => DialError::Refused,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::NotConnected => DialError::Reset,
        Kind::TimedOut => DialError::TimedOut,
        // IPv6 that is switched off has no source address either: no route, not a lack of ports.
        Kind::AddrNotAvailable if addr.0.is_ipv6() => DialError::Unreachable,
        Kind::AddrNotAvailable | Kind::AddrInUse | Kind::OutOfMemory => DialError::Local(error),
        _ => DialError::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_first_address_stays_the_first() {
        let order = |addrs: &[&str]| {
            let addrs: Vec<_> = addrs
                .iter()
                .map(|ip| CheckedAddr(SocketAddr::new(ip.parse().unwrap(), 80)))
                .collect();
            let mixed = alternate_families(&addrs);
            let ips = mixed.iter().map(|addr| addr.0.ip().to_string());
            ips.collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["2000::1", "2000::2", "2000::3", "1.1.1.1", "1.1.1.2"]),
            ["2000::1", "1.1.1.1", "2000::2", "1.1.1.2", "2000::3"]
        );
        assert_eq!(
            order(&["1.1.1.1", "1.1.1.2", "2000::1"]),
            ["1.1.1.1", "2000::1", "1.1.1.2"]
        );
        assert_eq!(order(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_a_peer_did_says_more_than_what_has_no_way() {
        let ranks = [
            DialError::Unreachable,
            DialError::Local(io::Error::other("no port")),
            DialError::Refused,
        ]
        .map(|error| rank(&error));
        assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
        for equal in [
            DialError::Deadline,
            DialError::TimedOut,
            DialError::Reset,
            DialError::WrongPeer,
        ] {
            assert_eq!(rank(&equal), rank(&DialError::Refused), "{equal:?}");
        }
    }

    #[test]
    fn each_failure_of_the_system_has_its_name() {
        let of = |code: i32, ip: &str| {
            let addr = CheckedAddr(SocketAddr::new(ip.parse().unwrap(), 80));
            format!("{:?}", classify(io::Error::from_raw_os_error(code), addr))
        };
        // By number, as Linux has them: EMFILE, ENFILE, ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH.
        for code in OUT_OF_FILES {
            assert!(of(code, "1.1.1.1").starts_with("Local"));
        }
        assert_eq!(of(111, "1.1.1.1"), "Refused");
        assert_eq!(of(104, "1.1.1.1"), "Reset");
        assert_eq!(of(110, "1.1.1.1"), "TimedOut");
        assert_eq!(of(113, "1.1.1.1"), "Unreachable");
        assert_eq!(of(101, "2000::1"), "Unreachable");
        // EADDRNOTAVAIL: out of ports, or a machine without IPv6.
        assert!(of(99, "1.1.1.1").starts_with("Local"));
        assert_eq!(of(99, "2000::1"), "Unreachable");
    }
}
