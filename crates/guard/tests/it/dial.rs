//! Connecting to judged addresses.

use std::time::Duration;

use guard::{
    Alarm, CONNECTION_STAGGER, CheckedAddr, DialError, Resolver, connect, connect_any, judge_text,
};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::{policy, soon};

/// A judged address of this machine, as an operator's rule opens it.
async fn checked(addr: &str) -> CheckedAddr {
    let policy = policy(addr);
    let (_, target) = judge_text(&format!("http://{addr}/"), &policy).unwrap();
    let resolver = Resolver::with_name_server("127.0.0.1:1".parse().unwrap()).unwrap();
    resolver
        .resolve(&target, &policy, soon())
        .await
        .unwrap()
        .pop()
        .unwrap()
}

/// Goes off soon, but late enough.
fn alarm() -> Alarm {
    Alarm::at(soon())
}

/// An address of this machine where nobody listens.
async fn closed(ip: &str) -> CheckedAddr {
    let addr = TcpListener::bind((ip, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    checked(&addr.to_string()).await
}

#[tokio::test]
async fn a_judged_address_is_reached_and_is_the_peer() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = checked(&server.local_addr().unwrap().to_string()).await;
    let stream = connect(addr, &mut alarm()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), addr.socket_addr());
    assert!(stream.nodelay().unwrap());
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    assert!(matches!(
        connect(closed("127.0.0.1").await, &mut alarm()).await,
        Err(DialError::Refused)
    ));
}

#[tokio::test]
async fn the_next_address_is_tried_at_once_when_one_refuses() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alive = checked(&server.local_addr().unwrap().to_string()).await;
    let addrs = [closed("127.0.0.2").await, alive];
    // Before its time has come by itself.
    let early = Instant::now() + CONNECTION_STAGGER - Duration::from_millis(20);
    let (_, used, ()) = connect_any(&addrs, &mut Alarm::at(early), anywhere)
        .await
        .unwrap();
    assert_eq!(used, alive);
    let addrs = [closed("127.0.0.2").await, closed("127.0.0.3").await];
    let none = connect_any(&addrs, &mut alarm(), anywhere)
        .await
        .unwrap_err();
    assert!(matches!(none.error, DialError::Refused), "{none:?}");
    assert_eq!(none.without_place, []);
}

/// A place wherever one is asked for.
fn anywhere(_addr: CheckedAddr) -> Option<()> {
    Some(())
}

#[tokio::test]
async fn an_address_without_a_place_is_passed_over_and_told() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alive = checked(&server.local_addr().unwrap().to_string()).await;
    let (full, refusing) = (closed("127.0.0.2").await, closed("127.0.0.3").await);
    let mut asked = Vec::new();
    let mut place = |addr| {
        asked.push(addr);
        (addr != full).then_some(addr)
    };
    let (_, used, place_of) = connect_any(&[full, refusing, alive], &mut alarm(), &mut place)
        .await
        .unwrap();
    assert_eq!((used, place_of), (alive, alive));
    let nobody = connect_any(&[refusing, full], &mut alarm(), &mut place).await;
    assert_eq!(nobody.unwrap_err().without_place, [full]);
    let alone = connect_any(&[full], &mut alarm(), &mut place).await;
    assert_eq!(alone.unwrap_err().without_place, [full]);
    assert_eq!(asked, [full, refusing, alive, refusing, full, full]);
}

#[tokio::test]
async fn a_place_is_held_while_its_address_is_tried_and_as_long_as_its_connection() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alive = checked(&server.local_addr().unwrap().to_string()).await;
    let refusing = closed("127.0.0.2").await;
    let held = std::sync::Arc::new(());
    let mut seen = Vec::new();
    let place = |_addr| {
        seen.push(std::sync::Arc::strong_count(&held) - 1);
        Some(held.clone())
    };
    let addrs = [refusing, alive];
    let (_, _, place) = connect_any(&addrs, &mut alarm(), place).await.unwrap();
    assert_eq!(seen, [0, 0], "a place is given back with its failure");
    assert_eq!(std::sync::Arc::strong_count(&place) - 1, 1);
}

#[tokio::test]
async fn a_socket_whose_peer_is_another_than_the_judged_address_is_not_used() {
    // Linux takes the unspecified address for the local machine: the socket's peer is one that nobody judged.
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let unspecified = checked(&format!("0.0.0.0:{port}")).await;
    let connected = connect(unspecified, &mut alarm()).await;
    assert!(
        matches!(connected, Err(DialError::WrongPeer)),
        "{connected:?}"
    );
}

#[tokio::test]
async fn a_deadline_that_has_passed_dials_nobody() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = checked(&server.local_addr().unwrap().to_string()).await;
    let none = connect_any(&[], &mut alarm(), anywhere).await.unwrap_err();
    assert!(matches!(none.error, DialError::Unreachable));
    drop(server);
    assert!(connect(addr, &mut Alarm::at(Instant::now())).await.is_err());
}
