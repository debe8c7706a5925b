//! HTTP/2 servers that refuse, take leave, flood or break off: each is told by the frames that came.

use std::sync::Arc;
use std::time::Duration;

use models::probe::{ErrorKind, ProbeResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::authority::{Authority, Leaf, probe};
use crate::support::target::Target;
use crate::support::{assert_down, assert_up};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// Before its first frame, a client says 24 bytes.
const PREFACE_BYTES: usize = 24;
/// Status 200 in HPACK's static table.
const STATUS_200: u8 = 0x88;

/// One frame on the stream of the request or, where it belongs there, on none.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = u8::from(matches!(kind, 0 | HEADERS | RST_STREAM | CONTINUATION));
    let head = [
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    [&head, payload].concat()
}

/// Takes leave; streams up to `last` were looked at.
fn go_away(last: u8, code: u8) -> Vec<u8> {
    frame(GOAWAY, 0, &[0, 0, 0, last, 0, 0, 0, code])
}

fn reset(code: u8) -> Vec<u8> {
    frame(RST_STREAM, 0, &[0, 0, 0, code])
}

/// What a server does once it has its settings sent and the request read.
#[derive(Clone)]
struct Script {
    says: Vec<u8>,
    /// Says it without end.
    floods: bool,
    /// Says it before any settings.
    is_rude: bool,
    /// Says it so much later.
    thinks: Duration,
}

impl Script {
    fn once(says: &[Vec<u8>]) -> Self {
        Self {
            says: says.concat(),
            floods: false,
            is_rude: false,
            thinks: Duration::ZERO,
        }
    }

    fn flood(says: &[Vec<u8>]) -> Self {
        Self {
            floods: true,
            ..Self::once(says)
        }
    }

    async fn probe(self) -> ProbeResult {
        let authority = Authority::new();
        let mut config = authority.server(&Leaf::default());
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let script = Arc::new(self);
        let target = Target::start("https", move |stream| {
            let (acceptor, script) = (acceptor.clone(), script.clone());
            async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let (mut from, mut to) = tokio::io::split(stream);
                if !script.is_rude {
                    to.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
                }
                from.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
                while read_frame(&mut from).await != HEADERS {}
                // What the probe still says is read, so that the end is no reset.
                let reading =
                    async { drop(tokio::io::copy(&mut from, &mut tokio::io::sink()).await) };
                let saying = async {
                    tokio::time::sleep(script.thinks).await;
                    while to.write_all(&script.says).await.is_ok() && script.floods {}
                    drop(to.shutdown().await);
                };
                tokio::join!(reading, saying);
            }
        })
        .await;
        probe(&authority, &target).await
    }
}

/// Reads a whole frame and returns its kind.
async fn read_frame(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> u8 {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await.unwrap();
    head[3]
}

async fn assert_said(script: Script, kind: ErrorKind, sentence: &str) {
    let result = script.probe().await;
    assert_eq!(assert_down(&result, kind), sentence);
}

#[tokio::test]
async fn a_server_that_thinks_is_late_with_its_answer_and_not_the_probe_with_its_request() {
    const THINKS: Duration = Duration::from_millis(300);
    let answer = frame(HEADERS, 5, &[STATUS_200]);
    // Either is answered by the probe before it reads the head.
    for (before, is_rude) in [
        (frame(PING, 0, &[0; 8]), false),
        (frame(SETTINGS, 0, &[]), true),
    ] {
        let script = Script {
            is_rude,
            thinks: THINKS,
            ..Script::once(&[before, answer.clone()])
        };
        let result = script.probe().await;
        assert_up(&result);
        let first_byte = result.phases.first_byte_us.unwrap();
        let request = result.phases.request_us.unwrap();
        let thinks = u32::try_from(THINKS.as_micros()).unwrap();
        assert!(first_byte > thinks / 2, "{:?}", result.phases);
        assert!(request < first_byte, "{:?}", result.phases);
    }
}

#[tokio::test]
async fn a_refusal_or_a_leave_is_named_with_its_code() {
    let cases = [
        (
            go_away(0, 0),
            "closed the connection with GOAWAY (NO_ERROR)",
        ),
        (
            go_away(1, 0),
            "closed the connection with GOAWAY (NO_ERROR)",
        ),
        (
            go_away(1, 2),
            "closed the connection with GOAWAY (INTERNAL_ERROR)",
        ),
        (
            reset(7),
            "refused the request with RST_STREAM (REFUSED_STREAM)",
        ),
        (
            reset(13),
            "refused the request with RST_STREAM (HTTP_1_1_REQUIRED)",
        ),
        (reset(99), "refused the request with RST_STREAM (code 99)"),
    ];
    for (says, what) in cases {
        let sentence = format!("the server {what} before it answered");
        assert_said(Script::once(&[says]), ErrorKind::ConnectReset, &sentence).await;
    }
}

#[tokio::test]
async fn a_leave_behind_a_whole_answer_is_no_failure() {
    let answer = frame(HEADERS, 5, &[STATUS_200]);
    assert_up(&Script::once(&[answer, go_away(1, 0)]).probe().await);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_says_how() {
    let begun = frame(HEADERS, 4, &[STATUS_200]);
    let said = "the server ended the body early with RST_STREAM (INTERNAL_ERROR)";
    let data = frame(0, 0, b"half");
    let script = Script::once(&[begun, data, reset(2)]);
    let result = script.probe().await;
    assert_eq!(assert_down(&result, ErrorKind::BodyIncomplete), said);
    let silent = Script::once(&[frame(PING, 0, &[0; 8])]);
    let said = "the server closed the connection without an answer";
    assert_said(silent, ErrorKind::HttpProtocol, said).await;
    let half = Script::once(&[frame(HEADERS, 0, &[STATUS_200])]);
    let said = "the server closed the connection in the middle of its answer";
    assert_said(half, ErrorKind::HttpProtocol, said).await;
}

#[tokio::test]
async fn a_body_that_ends_in_a_wrong_way_says_which() {
    use ErrorKind::{BodyIncomplete, HttpProtocol};
    // Its length in HPACK: name 28 of the static table.
    let of_ten = frame(HEADERS, 4, &[STATUS_200, 0x0f, 0x0d, 2, b'1', b'0']);
    let half = |flags| frame(0, flags, b"half");
    let short = Script::once(&[of_ten.clone(), half(1)]);
    let said = "the body is not as long as the server had announced";
    assert_said(short, BodyIncomplete, said).await;
    let leaves = Script::once(&[of_ten.clone(), half(0), go_away(0, 2)]);
    let said = "the server ended the body early with GOAWAY (INTERNAL_ERROR)";
    assert_said(leaves, BodyIncomplete, said).await;
    let closes = Script::once(&[of_ten.clone(), half(0)]);
    let said = "the connection ended before the body was complete";
    assert_said(closes, BodyIncomplete, said).await;
    let broken = Script::once(&[of_ten, half(0), frame(PING, 0, &[0; 7])]);
    let said = "the server broke the HTTP/2 protocol in the middle of its answer";
    assert_said(broken, HttpProtocol, said).await;
}

#[tokio::test]
async fn a_flood_without_a_header_is_not_told_as_headers() {
    let said = "the server sent more than 256 KiB of HTTP/2 frames and no answer";
    for flood in [frame(SETTINGS, 0, &[]), frame(PING, 0, &[0; 8])] {
        let flood = Script::flood(&[flood.repeat(500)]);
        assert_said(flood, ErrorKind::HttpProtocol, said).await;
    }
}

#[tokio::test]
async fn headers_without_end_are_too_large_in_frames_of_any_size() {
    // A field whose name and value are literals: 4 bytes before the value.
    let field = |length: u8| [&[0, 1, b'x', length], &vec![b'y'; length.into()][..]].concat();
    let begun = frame(HEADERS, 0, &[STATUS_200]);
    let large = frame(CONTINUATION, 0, &field(100).repeat(150));
    let script = Script::once(&[begun.clone(), large.repeat(20)]);
    let said = "the headers of the answer are larger than 16 KiB (HTTP/2)";
    assert_said(script, ErrorKind::HeadersTooLarge, said).await;
    let small = frame(CONTINUATION, 0, &field(10));
    let script = Script::once(&[begun, small.repeat(20)]);
    let said = "the headers of the answer come in more than 6 frames (HTTP/2)";
    assert_said(script, ErrorKind::HeadersTooLarge, said).await;
}

#[tokio::test]
async fn a_few_bytes_that_stand_for_many_headers_are_too_large_and_not_unpacked() {
    let said = "the headers of the answer are larger than 16 KiB (HTTP/2)";
    // A field of 4000 bytes for the server's table, and what names it again: one byte each time.
    let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    // Refused by us, by the library as a stream, and by the library as a connection.
    for again in [4, 20, 5000] {
        let bomb = [&[STATUS_200][..], &field, &vec![0xbe; again]].concat();
        let script = Script::once(&[frame(HEADERS, 5, &bomb)]);
        assert_said(script, ErrorKind::HeadersTooLarge, said).await;
    }
    let fits = [&[STATUS_200][..], &field, &[0xbe; 3]].concat();
    assert_up(&Script::once(&[frame(HEADERS, 5, &fits)]).probe().await);
}

#[tokio::test]
async fn interim_answers_without_end_are_too_large_before_they_fill_the_memory() {
    let interim = |more: &[u8]| {
        let block = [&[0x08, 3, b'1', b'0', b'3'][..], more].concat();
        Script::flood(&[frame(HEADERS, 4, &block).repeat(20)])
    };
    // The smallest field is the one that takes the most room: one byte each time.
    let field = [0x40, 1, b'x', 0];
    let many = |again: usize| [&field[..], &vec![0xbe; again]].concat();
    let said = "the headers of the answer are larger than 16 KiB (HTTP/2)";
    assert_said(interim(&many(500)), ErrorKind::HeadersTooLarge, said).await;
    let said = "the headers of all answers together are larger than 64 KiB (HTTP/2)";
    for more in [many(400), Vec::new()] {
        assert_said(interim(&more), ErrorKind::HeadersTooLarge, said).await;
    }
}

#[tokio::test]
async fn another_protocol_behind_the_handshake_is_told_as_such() {
    let text = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let script = Script {
        is_rude: true,
        ..Script::once(&[text])
    };
    let said = "what the server sent is not valid HTTP/2";
    assert_said(script, ErrorKind::HttpProtocol, said).await;
    let broken = Script::once(&[frame(PING, 0, &[0; 7])]);
    let said = "the server broke the HTTP/2 protocol";
    assert_said(broken, ErrorKind::HttpProtocol, said).await;
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_says_so_in_its_alert() {
    // In TLS 1.3 it says so only behind the handshake, where HTTP/2 already listens.
    let authority = Authority::new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        provider.clone(),
    );
    let good = authority.server(&Leaf::default());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_cert_resolver(good.cert_resolver.clone());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let target = Target::tls(config).await;
    let message = assert_down(&probe(&authority, &target).await, ErrorKind::TlsAlert);
    assert!(message.ends_with("CertificateRequired"), "{message}");
}

#[tokio::test]
async fn an_alert_is_named_as_its_standard_names_it() {
    let target = Target::start("https", |mut stream| async move {
        const UNRECOGNIZED_NAME: u8 = 112;
        let alert = [21, 3, 3, 0, 2, 2, UNRECOGNIZED_NAME];
        drop(stream.write_all(&alert).await);
        crate::support::target::read_head(&mut stream).await;
    })
    .await;
    let message = assert_down(
        &probe(&Authority::new(), &target).await,
        ErrorKind::TlsAlert,
    );
    assert!(message.ends_with("UnrecognizedName"), "{message}");
    let documented = include_str!("../../../../docs/verdicts.md");
    assert!(documented.contains("`UnrecognizedName`"));
}
