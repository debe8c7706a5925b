//! What is probed: a plain HTTP server that answers 200 and 1 KiB to everything.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// So many addresses of 127.0.0.0/8: one address has too few ports for thousands of fresh
/// connections a second, each remembered for a minute.
const ADDRESSES: u8 = 16;

/// The answer's body.
static BODY: [u8; 1024] = [b'.'; 1024];

/// Ports tried until one is free on every address.
const TRIES: usize = 50;

/// The server as a child, so that its CPU is not counted as anybody else's.
#[derive(Debug)]
pub(crate) struct Target {
    child: Child,
    port: u16,
}

impl Target {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a program"))
            .arg("target")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the target starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("the target says its port");
        let port = line.trim().parse().expect("a port");
        Self { child, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // One that has ended already is none the worse.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The `n`th address of a target, round and round.
pub(crate) fn address(n: u32, port: u16) -> SocketAddr {
    let last = u8::try_from(n % u32::from(ADDRESSES)).unwrap_or(0) + 1;
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port))
}

/// Serves until stdin ends, that is, until the bench does.
pub(crate) async fn serve() {
    let listeners = listen().await;
    let port = listeners
        .first()
        .and_then(|listener| listener.local_addr().ok())
        .expect("a listener")
        .port();
    println!("{port}");
    std::io::stdout().flush().expect("the bench listens");
    for listener in listeners {
        tokio::spawn(accept(listener));
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    // Read or not: there is nothing more to serve.
    drop(ended);
}

async fn listen() -> Vec<TcpListener> {
    for _ in 0..TRIES {
        let first = TcpListener::bind(address(0, 0)).await.expect("a free port");
        let port = first.local_addr().expect("an address").port();
        let mut listeners = vec![first];
        for n in 1..u32::from(ADDRESSES) {
            if let Ok(listener) = TcpListener::bind(address(n, port)).await {
                listeners.push(listener);
            }
        }
        if listeners.len() == usize::from(ADDRESSES) {
            return listeners;
        }
    }
    panic!("no port is free on {ADDRESSES} addresses of 127.0.0.0/8")
}

async fn accept(listener: TcpListener) {
    loop {
        let Ok((stream, _peer)) = listener.accept().await else {
            continue;
        };
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
            // A client that closed early has noticed it by itself.
            drop(served);
        });
    }
}

async fn answer(
    _request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(&BODY))))
}
