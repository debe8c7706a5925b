//! What is probed: 200 and 1 KiB, over HTTP and HTTPS, at once, after a while, or never.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::bare::Scheme;

/// So many addresses of 127.0.0.0/8: one address has too few ports for thousands of fresh connections a second, each
/// remembered for a minute.
const ADDRESSES: u8 = 16;
/// How long the late port takes, so that ten thousand connections can be made meanwhile.
const LATE: Duration = Duration::from_secs(12);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

static BODY: [u8; 1024] = [b'.'; 1024];

/// Which of the target's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    AtOnce(Scheme),
    Late,
    Never,
}

/// The server as a child, so that its CPU is not counted as anybody else's.
#[derive(Debug)]
pub(crate) struct Target {
    child: Child,
    ports: Vec<u16>,
    authority: PathBuf,
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
            .expect("the target says its ports");
        let ports = line
            .split_whitespace()
            .map(|port| port.parse().expect("a port"))
            .collect();
        let authority = authority_file(child.id());
        Self {
            child,
            ports,
            authority,
        }
    }

    pub(crate) fn port(&self, answers: Answers) -> u16 {
        let index = match answers {
            Answers::AtOnce(Scheme::Http) => 0,
            Answers::AtOnce(Scheme::Https) => 1,
            Answers::Late => 2,
            Answers::Never => 3,
        };
        *self.ports.get(index).expect("four ports")
    }

    /// The URL of the `n`th probe.
    pub(crate) fn url(&self, answers: Answers, n: u32) -> String {
        let scheme = match answers {
            Answers::AtOnce(Scheme::Https) => "https",
            _ => "http",
        };
        format!("{scheme}://{}/{n}", address(n, self.port(answers)))
    }

    /// Its authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        self.authority.to_str().expect("a plain path")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // One that has ended already is none the worse.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.authority));
    }
}

fn authority_file(pid: u32) -> PathBuf {
    std::env::temp_dir().join(format!("pulsemon-bench-ca-{pid}.pem"))
}

/// The `n`th address of a target, round and round.
pub(crate) fn address(n: u32, port: u16) -> SocketAddr {
    let last = u8::try_from(n % u32::from(ADDRESSES)).unwrap_or(0) + 1;
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port))
}

/// Serves until stdin ends, that is, until the bench does.
pub(crate) async fn serve() {
    let acceptor = TlsAcceptor::from(Arc::new(tls()));
    let mut ports = Vec::new();
    for answers in [
        Answers::AtOnce(Scheme::Http),
        Answers::AtOnce(Scheme::Https),
        Answers::Late,
        Answers::Never,
    ] {
        let listener = listen();
        ports.push(
            listener
                .local_addr()
                .expect("an address")
                .port()
                .to_string(),
        );
        tokio::spawn(accept(listener, answers, acceptor.clone()));
    }
    tokio::spawn(stay_awake());
    println!("{}", ports.join(" "));
    std::io::stdout().flush().expect("the bench listens");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    // Read or not: there is nothing more to serve.
    drop(ended);
}

/// Never sleeps. On a loopback whoever sends has the work of waking who receives, and more of it the longer that one slept:
/// the slower of the two that are compared would pay for being slower.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Every address of the machine, so of all of 127.0.0.0/8.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    socket.bind(any).expect("a free port");
    socket.listen(BACKLOG).expect("a listener")
}

/// A P-256 leaf of an authority of its own, for all addresses; HTTP/1.1 alone.
fn tls() -> ServerConfig {
    let own = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&own).expect("a root");
    std::fs::write(authority_file(std::process::id()), root.pem()).expect("a file");
    let names: Vec<String> = (1..=ADDRESSES).map(|n| format!("127.0.0.{n}")).collect();
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(names)
        .expect("addresses")
        .signed_by(&key, &Issuer::new(params, own))
        .expect("a leaf");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .expect("a pair");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

async fn accept(listener: TcpListener, answers: Answers, acceptor: TlsAcceptor) {
    loop {
        let Ok((stream, _peer)) = listener.accept().await else {
            continue;
        };
        match answers {
            Answers::AtOnce(Scheme::Http) => drop(tokio::spawn(answer(stream, Duration::ZERO))),
            Answers::Late => drop(tokio::spawn(answer(stream, LATE))),
            Answers::Never => drop(tokio::spawn(hang(stream))),
            Answers::AtOnce(Scheme::Https) => {
                let acceptor = acceptor.clone();
                drop(tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, Duration::ZERO).await;
                    }
                }));
            }
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, after: Duration) {
    let service = service_fn(|_request| async move {
        tokio::time::sleep(after).await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(&BODY))))
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A client that closed early has noticed it by itself.
    drop(served);
}

async fn hang(stream: TcpStream) {
    let mut byte = [0];
    while matches!(stream.peek(&mut byte).await, Ok(1..)) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
