//! TLS that fails before there is a certificate, or ends without a goodbye.

use models::probe::ErrorKind;
use tokio::io::AsyncWriteExt as _;

use crate::many_faults::showing;
use crate::support::authority::{Authority, Leaf, probe};
use crate::support::target::{Target, read_head};
use crate::support::{assert_down, assert_up, engine, job, probe_hastily, run};

#[tokio::test]
async fn d25_plain_http_on_the_https_port_is_not_tls() {
    let authority = Authority::new();
    let target = Target::start("https", |mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        read_head(&mut stream).await;
    })
    .await;
    assert_down(&probe(&authority, &target).await, ErrorKind::TlsNotTls);
}

#[tokio::test]
async fn tls_failures_without_a_certificate_are_told_apart() {
    let authority = Authority::new();
    let closing = Target::start("https", |stream| async move { drop(stream) }).await;
    assert_down(&probe(&authority, &closing).await, ErrorKind::TlsHandshake);
    let silent = Target::start("https", |stream| async move {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let hasty = probe_hastily(&engine(&[silent.addr], &[]), &silent.url("/")).await;
    assert_down(&hasty, ErrorKind::TimeoutTls);
    let alert = |description: u8| async move {
        Target::start("https", move |mut stream| async move {
            drop(stream.write_all(&[21, 3, 3, 0, 2, 2, description]).await);
            read_head(&mut stream).await;
        })
        .await
    };
    let handshake_failure = alert(40).await;
    let message = assert_down(
        &probe(&authority, &handshake_failure).await,
        ErrorKind::TlsAlert,
    );
    assert!(message.contains("HandshakeFailure"), "{message}");
    assert_down(
        &probe(&authority, &alert(70).await).await,
        ErrorKind::TlsProtocol,
    );
}

/// Ends the TLS handshake, writes `answer`, and cuts the connection without a goodbye (`close_notify`).
async fn cut_off(authority: &Authority, answer: &'static [u8]) -> Target {
    let acceptor =
        tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(authority.server(&Leaf::default())));
    Target::start("https", move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            drop(stream);
        }
    })
    .await
}

#[tokio::test]
async fn only_a_body_that_ends_with_its_connection_may_end_without_a_tls_goodbye() {
    let authority = Authority::new();
    let target = cut_off(&authority, b"HTTP/1.1 200 OK\r\n\r\nall of it").await;
    assert_up(&probe(&authority, &target).await);
    let lengths: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for answer in lengths {
        let target = cut_off(&authority, answer).await;
        let result = probe(&authority, &target).await;
        assert_down(&result, ErrorKind::BodyIncomplete);
    }
}

#[tokio::test]
async fn more_certificates_than_a_handshake_may_hold_are_told_so() {
    let authority = Authority::new();
    let of = |bytes: usize| {
        let each = authority.root.len() + 5; // its length, and that it has no extensions
        vec![authority.root.clone(); bytes / each]
    };
    let target = Target::tls(showing(of(64 * 1024 + 1000))).await;
    let message = assert_down(&probe(&authority, &target).await, ErrorKind::TlsHandshake);
    assert!(message.contains("larger than 64 KiB"), "{message}");
    let target = Target::tls(showing(of(60 * 1024))).await;
    let result = probe(&authority, &target).await;
    let facts = result.certificate.expect("what fits is looked at");
    assert!(facts.chain_length > 100, "{}", facts.chain_length);
}

#[tokio::test]
async fn tls_that_breaks_behind_its_handshake_is_told_as_that() {
    let authority = Authority::new();
    let config = std::sync::Arc::new(authority.server(&Leaf::default()));
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let target = Target::start("https", move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_head(&mut stream).await;
            let (mut bare, _) = stream.into_inner();
            drop(bare.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
            read_head(&mut bare).await;
        }
    })
    .await;
    let message = assert_down(&probe(&authority, &target).await, ErrorKind::TlsHandshake);
    assert_eq!(message, "the server broke the TLS protocol");
}

/// All hops of a probe share what is read.
#[tokio::test]
async fn a_handshake_that_begins_near_the_byte_cap_is_not_told_as_broken() {
    const NEARLY_ALL: usize = 224 * 1024 - 100;
    let authority = Authority::new();
    let long = vec![authority.root.clone(); 20 * 1024 / authority.root.len()];
    let last = Target::tls(showing(long)).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", last.url("/"));
    let interim = |bytes: usize| {
        let (begin, end) = ("HTTP/1.1 103 Early Hints\r\nX: ", "\r\n\r\n");
        let fill = "x".repeat(bytes - begin.len() - end.len());
        format!("{begin}{fill}{end}")
    };
    let rest = NEARLY_ALL - redirect.len();
    let whole = interim(16 * 1024).repeat(rest / (16 * 1024) - 1);
    let answer = [whole.clone(), interim(rest - whole.len()), redirect].concat();
    assert_eq!(answer.len(), NEARLY_ALL);
    let first = Target::answering(answer).await;
    let engine = engine(&[first.addr, last.addr], &[]);
    let result = run(&engine, &job(&first.url("/"))).await;
    let message = assert_down(&result, ErrorKind::TlsHandshake);
    let said =
        "the server sent more than 256 KiB before the TLS handshake ended (after 1 redirect)";
    assert_eq!(message, said);
}
