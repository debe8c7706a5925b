//! The demo target of `cargo xtask up`: an HTTPS server that answers 200 to everything.
//!
//! It makes a certificate authority of its own and a certificate for `localhost` and `127.0.0.1`,
//! and keeps both beside the authority's certificate, so that whoever trusts it still does after
//! a restart. It must not be reachable from elsewhere: the launcher gives it a loopback address.
//!
//! ```text
//! demo-target --listen 127.0.0.1:4433 --ca-out demo/ca.pem
//! ```

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Clients served at once; further ones wait for their turn.
const CONNECTIONS: usize = 256;

/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both certificates outlive any data folder.
const VALID_FOR: time::Duration = time::Duration::days(3650);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let identity = Identity::load_or_make(&options.ca_out)?;
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()?
    .with_no_client_auth()
    .with_single_cert(identity.chain, identity.key)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("listen on {}", options.listen))?;
    serve(&listener, &TlsAcceptor::from(Arc::new(tls))).await
}

/// Serves until SIGTERM or SIGINT. What is in flight then is dropped: it is a demo.
async fn serve(listener: &TcpListener, tls: &TlsAcceptor) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let turns = Arc::new(Semaphore::new(CONNECTIONS));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let turn = Arc::clone(&turns).acquire_owned().await?;
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let tls = tls.clone();
                clients.spawn(async move {
                    let _turn = turn;
                    // A client that breaks off is the client's business.
                    let served = tokio::time::timeout(PATIENCE, answer(stream, tls));
                    drop(served.await);
                });
            }
            Some(_) = clients.join_next() => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    clients.shutdown().await;
    Ok(())
}

async fn answer(stream: tokio::net::TcpStream, tls: TlsAcceptor) -> anyhow::Result<()> {
    let stream = TokioIo::new(tls.accept(stream).await?);
    let hello = service_fn(|_: Request<hyper::body::Incoming>| async {
        let body = Full::new(Bytes::from_static(b"Hello from the demo target.\n"));
        Ok::<_, std::convert::Infallible>(Response::new(body))
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(stream, hello)
        .await?;
    Ok(())
}

struct Options {
    listen: SocketAddr,
    ca_out: PathBuf,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let (mut listen, mut ca_out) = (None, None);
        while let Some(name) = args.next() {
            let value = args
                .next()
                .with_context(|| format!("{name} has no value"))?;
            match name.as_str() {
                "--listen" => listen = Some(value.parse().context("--listen")?),
                "--ca-out" => ca_out = Some(value.into()),
                _ => bail!("usage: demo-target --listen ADDRESS:PORT --ca-out FILE"),
            }
        }
        Ok(Self {
            listen: listen.context("--listen is missing")?,
            ca_out: ca_out.context("--ca-out is missing")?,
        })
    }
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The identity of an earlier run, as long as the authority's certificate is still there.
    fn load_or_make(ca_out: &Path) -> anyhow::Result<Self> {
        let leaf = ca_out.with_file_name("demo-leaf.pem");
        if !ca_out.exists() || !leaf.exists() {
            make(ca_out, &leaf)?;
        }
        let pem = std::fs::read(&leaf).with_context(|| format!("read {}", leaf.display()))?;
        Ok(Self {
            chain: CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?,
            key: PrivateKeyDer::from_pem_slice(&pem)?,
        })
    }
}

/// Makes both certificates. The authority's key is forgotten; the authority's certificate is
/// written last, since its presence says that all is done.
fn make(ca_out: &Path, leaf_out: &Path) -> anyhow::Result<()> {
    let begin = OffsetDateTime::now_utc() - time::Duration::days(1);
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, "Pulsemon demo authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.not_before = begin;
    ca.not_after = begin + VALID_FOR;
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?;

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name
        .push(DnType::CommonName, "Pulsemon demo target");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.not_before = begin;
    leaf.not_after = begin + VALID_FOR;
    let leaf_key = KeyPair::generate()?;
    let leaf_certificate = leaf.signed_by(&leaf_key, &Issuer::from_params(&ca, &ca_key))?;

    let leaf_pem = leaf_certificate.pem() + &leaf_key.serialize_pem();
    write(leaf_out, &leaf_pem, 0o600)?;
    write(ca_out, &ca_certificate.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}
