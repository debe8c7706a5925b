//! An endpoint to watch: it answers as it is told to, and remembers when it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// A server on 127.0.0.1. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    /// Roots that make its certificate good; for `PROBE_EXTRA_CA_FILE`.
    pub(crate) ca_file: Option<PathBuf>,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    status: AtomicU16,
    asked: Mutex<HashMap<String, Vec<Instant>>>,
}

impl Target {
    /// Plain http, answering 200.
    pub(crate) async fn http() -> Self {
        Self::start(None, None).await
    }

    /// https with a certificate of an authority of its own, valid for 127.0.0.1 for so many days.
    pub(crate) async fn https(valid_days: i64) -> Self {
        let (acceptor, ca_pem) = certificate(valid_days);
        let ca_file =
            std::env::temp_dir().join(format!("pulsemon-ca-{}.pem", uuid::Uuid::new_v4()));
        std::fs::write(&ca_file, ca_pem).expect("write the roots");
        Self::start(Some(acceptor), Some(ca_file)).await
    }

    async fn start(tls: Option<TlsAcceptor>, ca_file: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            status: AtomicU16::new(200),
            asked: Mutex::default(),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = tokio::spawn(serve(listener, tls, Arc::clone(&state)));
        Self {
            address,
            scheme,
            ca_file,
            state,
            server,
        }
    }

    /// Where to find `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::Relaxed);
    }

    /// When `path` was asked for, in order.
    pub(crate) fn asked(&self, path: &str) -> Vec<Instant> {
        let asked = self.state.asked.lock().expect("no panic");
        asked.get(path).cloned().unwrap_or_default()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
        if let Some(file) = &self.ca_file {
            std::fs::remove_file(file).expect("remove the roots");
        }
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => answer(stream, state).await,
                // A prober that refuses the certificate breaks off here.
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => answer(stream, state).await,
                    Err(_refused) => {}
                },
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let respond = service_fn(|request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        let mut asked = state.asked.lock().expect("no panic");
        asked.entry(path).or_default().push(Instant::now());
        drop(asked);
        let status = StatusCode::from_u16(state.status.load(Ordering::Relaxed));
        let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
        *response.status_mut() = status.expect("a status");
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), respond);
    // A prober that hangs up early is no business of the target.
    drop(served.await);
}

fn certificate(valid_days: i64) -> (TlsAcceptor, String) {
    let now = time::OffsetDateTime::now_utc();
    let mut ca = CertificateParams::new(Vec::new()).expect("valid parameters");
    ca.distinguished_name
        .push(rcgen::DnType::CommonName, "Authority of a test");
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("a CA");
    let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid parameters");
    leaf.distinguished_name
        .push(rcgen::DnType::CommonName, "Target of a test");
    leaf.not_before = now - time::Duration::days(10);
    leaf.not_after = now + time::Duration::days(valid_days) + time::Duration::hours(1);
    let key = KeyPair::generate().expect("a key");
    let leaf = leaf.signed_by(&key, &ca).expect("a certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("a certificate and its key");
    (TlsAcceptor::from(Arc::new(config)), ca.pem())
}
