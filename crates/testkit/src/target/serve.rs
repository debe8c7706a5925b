//! The wire: HTTP/1.1 by hand, so that every byte can be wrong; HTTP/2 through hyper.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use super::step::{Act, Step};
use super::{Script, Seen};

/// A head that is longer is not one of ours.
const MAX_HEAD: usize = 64 * 1024;

/// Serves until it is aborted; its connections end with it.
pub(super) async fn run(listener: TcpListener, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&script)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, script: Arc<Script>) {
    let Some(tls) = script.connected() else {
        return plain(stream, script, reset_tcp).await;
    };
    let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else {
        return; // the client did not like the certificate
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2(TokioIo::new(stream), script).await;
    }
    plain(stream, script, |stream| reset_tcp(stream.into_inner().0)).await;
}

/// One request a connection, like a server that knows no keep-alive.
async fn plain<S>(mut stream: S, script: Arc<Script>, reset: impl FnOnce(S))
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    let mut words = head.split_ascii_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let step = script.asked(Seen {
        at: Instant::now(),
        method: method.to_owned(),
        path: path.to_owned(),
        head: head.to_ascii_lowercase(),
    });
    sleep(step.delay).await;
    // Whoever hung up meanwhile does not want the rest.
    match step.act {
        Act::Answer {
            status,
            headers,
            body,
        } => {
            drop(stream.write_all(&answer(status, &headers, &body)).await);
        }
        Act::Raw(bytes) => drop(stream.write_all(&bytes).await),
        Act::Drip { bytes, every } => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
                sleep(every).await;
            }
        }
        Act::Silence => return until_gone(&mut stream).await,
        Act::Reset => return reset(stream),
        Act::Close => {}
    }
    drop(stream.shutdown().await);
}

fn answer(status: u16, headers: &[(String, String)], body: &Bytes) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Told\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    // Neither has a body, and a length would be a lie.
    if !matches!(status, 204 | 304) {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if !matches!(status, 204 | 304) {
        bytes.extend_from_slice(body);
    }
    bytes
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.ok()?;
        head.push(byte);
        if head.len() > MAX_HEAD {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn until_gone(stream: &mut (impl AsyncRead + Unpin)) {
    let mut sink = [0; 1024];
    while matches!(stream.read(&mut sink).await, Ok(read) if read > 0) {}
}

/// A socket closed with a zero linger time sends RST instead of FIN.
fn reset_tcp(stream: TcpStream) {
    stream
        .set_zero_linger()
        .expect("a TCP socket lingers as told");
}

async fn http2(stream: TokioIo<tokio_rustls::server::TlsStream<TcpStream>>, script: Arc<Script>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let step = script.asked(Seen {
            at: Instant::now(),
            method: request.method().to_string(),
            path: request
                .uri()
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            head: String::new(),
        });
        reply(step)
    });
    // An error is a client that hung up.
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    drop(server.serve_connection(stream, service).await);
}

/// What is no HTTP answer ends the stream with an error here, and the connection stays.
async fn reply(step: Step) -> Result<Response<Full<Bytes>>, Refused> {
    sleep(step.delay).await;
    match step.act {
        Act::Answer {
            status,
            headers,
            body,
        } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response
                .body(Full::new(body))
                .expect("headers of the test's own"))
        }
        Act::Silence => std::future::pending().await,
        _ => Err(Refused),
    }
}

/// Ends one HTTP/2 stream without an answer.
#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused as told")
    }
}

impl std::error::Error for Refused {}
