//! Answers that try to cost the prober more than a probe is worth.

use std::sync::{Arc, OnceLock};

use models::probe::ErrorKind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::target::{OK, Target, flood, read_head};
use crate::support::{assert_down, assert_up, engine, job, probe, run};

/// What the sockets of both sides may hold on top of what the probe read.
const IN_KERNEL_BUFFERS: usize = 16 * 1024 * 1024;

/// A target that sends `opening` and then `bytes` without end, and tells how many were taken.
pub(crate) async fn flooding(opening: &'static [u8], bytes: Vec<u8>) -> (Target, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    flooding_on(listener, opening, bytes)
}

/// Set when the first prober has hung up.
pub(crate) type Taken = Arc<OnceLock<usize>>;

/// The same where the test says.
pub(crate) fn flooding_on(
    listener: TcpListener,
    opening: &'static [u8],
    bytes: Vec<u8>,
) -> (Target, Taken) {
    let taken = Taken::default();
    let (known, bytes): (_, Arc<[u8]>) = (taken.clone(), bytes.into());
    let target = Target::on("http", listener, move |mut stream| {
        let (known, bytes) = (known.clone(), bytes.clone());
        async move {
            read_head(&mut stream).await;
            drop(stream.write_all(opening).await);
            let sent = flood(&mut stream, &bytes).await;
            known.get_or_init(|| sent);
        }
    });
    (target, taken)
}

#[tokio::test]
async fn d14_endless_headers_are_too_large() {
    let (target, _) = flooding(
        b"HTTP/1.1 200 OK\r\n",
        b"X-Flood: 0123456789012345678901234567890123456789\r\n".to_vec(),
    )
    .await;
    assert_down(&probe(&target, "/").await, ErrorKind::HeadersTooLarge);
    let (one_line, _) = flooding(b"HTTP/1.1 200 OK\r\nX-Flood: ", vec![b'x'; 4096]).await;
    assert_down(&probe(&one_line, "/").await, ErrorKind::HeadersTooLarge);
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let counted = Target::answering(format!("HTTP/1.1 200 OK\r\n{many}\r\n")).await;
    assert_down(&probe(&counted, "/").await, ErrorKind::HeadersTooLarge);
}

#[tokio::test]
async fn blank_lines_without_end_are_refused_after_a_few() {
    let (target, _) = flooding(b"", b"\r\n".to_vec()).await;
    let message = assert_down(&probe(&target, "/").await, ErrorKind::HttpProtocol);
    assert_eq!(message, "the answer begins with blank lines");
}

#[tokio::test]
async fn d15_an_endless_body_is_up_and_read_only_at_its_beginning() {
    let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let (target, taken) = flooding(huge, vec![b'x'; 64 * 1024]).await;
    assert_up(&probe(&target, "/").await);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (endless, also_taken) = flooding(chunked, b"4\r\nabcd\r\n".repeat(2000)).await;
    assert_up(&probe(&endless, "/").await);
    // So little of it is body that the cap on all bytes comes first: as much as is ever read.
    let (padded, taken_too) = flooding(chunked, b"1\r\na\r\n".repeat(2000)).await;
    assert_up(&probe(&padded, "/").await);
    for taken in [taken, also_taken, taken_too] {
        let taken = testkit::eventually(|| async { taken.get().copied() }).await;
        assert!(taken < IN_KERNEL_BUFFERS, "the probe hung up");
    }
}

#[tokio::test]
async fn d15_chunk_extensions_can_not_smuggle_more_than_the_limit() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (target, _) = flooding(
        chunked,
        format!("1;{}\r\na\r\n", "x".repeat(8000)).into_bytes(),
    )
    .await;
    let result = probe(&target, "/").await;
    // Either bound may be met first: hyper's on extensions or ours on bytes.
    assert!(
        result
            .error
            .is_none_or(|error| error.kind == ErrorKind::HttpProtocol)
    );
}

#[tokio::test]
async fn d16_a_compressed_bomb_is_not_unpacked() {
    let bomb = [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 30\r\n\r\n".as_slice(),
        &[0x1f; 30],
    ]
    .concat();
    let target = Target::answering(bomb).await;
    assert_up(&probe(&target, "/").await);
}

#[tokio::test]
async fn d17_a_flood_of_interim_answers_ends_at_the_byte_cap_and_harms_no_neighbour() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    ] {
        let (target, _) = flooding(b"", interim.repeat(500).into_bytes()).await;
        let healthy = Target::answering(OK).await;
        let engine = engine(&[target.addr, healthy.addr], &[]);
        let message = assert_down(
            &run(&engine, &job(&target.url("/"))).await,
            ErrorKind::HeadersTooLarge,
        );
        assert_eq!(
            message,
            "the server sent more than 256 KiB before its answer"
        );
        assert_up(&run(&engine, &job(&healthy.url("/"))).await);
    }
}

#[tokio::test]
async fn one_interim_answer_is_skipped() {
    let target = Target::answering(
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".as_slice(),
            OK,
        ]
        .concat(),
    )
    .await;
    assert_up(&probe(&target, "/").await);
}
