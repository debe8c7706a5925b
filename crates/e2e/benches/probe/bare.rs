//! The yardstick: fresh connections through hyper, and rustls where it is HTTPS, with nothing kept.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::target::{Answers, Target};
use crate::{IN_FLIGHT, proc, target};

/// A round that takes longer has met a stalled connection.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The loop as a child.
#[derive(Debug)]
pub(crate) struct Bare;

impl Bare {
    /// CPU per probe in µs, of a process of its own.
    pub(crate) async fn round(target: &Target, scheme: Scheme, probes: u32) -> f64 {
        let port = target.port(Answers::AtOnce(scheme));
        let authority = match scheme {
            Scheme::Http => "",
            Scheme::Https => target.authority(),
        };
        ask(&[
            "bare",
            &port.to_string(),
            &probes.to_string(),
            &IN_FLIGHT.to_string(),
            authority,
        ])
        .await
        .first()
        .copied()
        .expect("a number")
    }

    /// KiB per probe in flight, all at one time.
    pub(crate) async fn held(target: &Target, probes: u32) -> f64 {
        let port = target.port(Answers::Late);
        let probes = probes.to_string();
        ask(&["bare", &port.to_string(), &probes, &probes, ""])
            .await
            .get(1)
            .copied()
            .expect("two numbers")
    }
}

/// Runs this program with these words; the numbers that it prints. Meanwhile the connection to the broker stays alive.
pub(crate) async fn ask(words: &[&str]) -> Vec<f64> {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("the loop starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words:?}: {text}");
    text.split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The loop itself; prints CPU per probe in µs and KiB per probe in flight.
pub(crate) async fn run(words: &[&str]) {
    let [port, probes, in_flight, authority] = words else {
        panic!("a port, probes, how many at one time, an authority")
    };
    let port = port.parse().expect("a port");
    let probes: u32 = probes.parse().expect("a number");
    let in_flight: u32 = in_flight.parse().expect("a number");
    let tls = (!authority.is_empty()).then(|| TlsConnector::from(Arc::new(tls(authority))));
    if probes > in_flight {
        // As the prober, which ran before: the first ones of a process cost more.
        all(port, in_flight, in_flight, tls.clone()).await;
    }
    let me = std::process::id();
    let (cpu, memory) = (proc::cpu(me), proc::memory(me).now);
    let done = tokio::time::timeout(DEADLINE, all(port, probes, in_flight, tls)).await;
    assert!(
        done.is_ok(),
        "{probes} probes took longer than {DEADLINE:?}"
    );
    let cpu = proc::cpu(me).saturating_sub(cpu).as_secs_f64() * 1e6;
    let grown = proc::memory(me).most.saturating_sub(memory);
    println!(
        "{} {}",
        cpu / f64::from(probes),
        grown as f64 / f64::from(in_flight)
    );
}

async fn all(port: u16, probes: u32, in_flight: u32, tls: Option<TlsConnector>) {
    let next = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        let (next, tls) = (Arc::clone(&next), tls.clone());
        workers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= probes {
                    return;
                }
                probe(n, port, tls.as_ref())
                    .await
                    .expect("the target answers");
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("no worker panics");
    }
}

pub(crate) async fn probe(n: u32, port: u16, tls: Option<&TlsConnector>) -> anyhow::Result<()> {
    let address = target::address(n, port);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    match tls {
        None => exchange(stream, &address.to_string()).await,
        Some(tls) => {
            let name = ServerName::from(address.ip());
            let stream = tls.connect(name, stream).await?;
            exchange(stream, &address.to_string()).await
        }
    }
}

async fn exchange<S>(stream: S, host: &str) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    // As a prober asks: who closes first, and so whose work that is, is a part of what is compared.
    let request = Request::get("/")
        .header(HOST, host)
        .header(CONNECTION, "close")
        .header(USER_AGENT, "Pulsemon/bench")
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.status());
    answer.into_body().collect().await?;
    drop(sender);
    driver.await??;
    Ok(())
}

/// The prober's provider, ciphers, key exchange and roots, without its look at the certificate.
fn tls(authority: &str) -> ClientConfig {
    let mut cipher_suites = default_provider().cipher_suites;
    cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(CryptoProvider {
        cipher_suites,
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..default_provider()
    });
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(authority).expect("a certificate");
    roots.add(root).expect("a root");
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
