//! Connecting to judged addresses.

use guard::{CheckedAddr, DialError, Resolver, connect, connect_any, judge_text};
use tokio::net::TcpListener;

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
    let stream = connect(addr, soon()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), addr.socket_addr());
    assert!(stream.nodelay().unwrap());
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    assert!(matches!(
        connect(closed("127.0.0.1").await, soon()).await,
        Err(DialError::Refused)
    ));
}

#[tokio::test]
async fn the_next_address_is_tried_at_once_when_one_refuses() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alive = checked(&server.local_addr().unwrap().to_string()).await;
    let (_, used) = connect_any(&[closed("127.0.0.2").await, alive], soon())
        .await
        .unwrap();
    assert_eq!(used, alive);
    let none = connect_any(
        &[closed("127.0.0.2").await, closed("127.0.0.3").await],
        soon(),
    )
    .await;
    assert!(matches!(none, Err(DialError::Refused)), "{none:?}");
}

#[tokio::test]
async fn a_deadline_that_has_passed_dials_nobody() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = checked(&server.local_addr().unwrap().to_string()).await;
    let late = connect_any(&[], soon()).await;
    assert!(matches!(late, Err(DialError::Unreachable)));
    drop(server);
    assert!(connect(addr, tokio::time::Instant::now()).await.is_err());
}
