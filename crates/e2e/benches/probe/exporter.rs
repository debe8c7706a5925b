//! `blackbox_exporter` on the same target, where it is installed.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::MEASURED;
use crate::bare::Scheme;
use crate::proc;
use crate::target::{Answers, Target};

/// Debian's name for it.
const PROGRAM: &str = "prometheus-blackbox-exporter";
/// It needs ten times the CPU of the loop.
const PROBES: u32 = 1_000;
/// Probes at one time.
const IN_FLIGHT: u32 = 16;

type Client = Pool<HttpConnector, Empty<Bytes>>;

#[derive(Debug)]
pub(crate) struct Exporter {
    child: Child,
    port: u16,
    config: PathBuf,
}

impl Exporter {
    /// `None` where it is not installed.
    pub(crate) async fn start(target: &Target) -> Option<Self> {
        let config =
            std::env::temp_dir().join(format!("pulsemon-bench-{}.yml", std::process::id()));
        let text = format!(
            "modules:\n  probe:\n    prober: http\n    timeout: 30s\n    http:\n      preferred_ip_protocol: ip4\n      \
             tls_config:\n        ca_file: {}\n",
            target.authority()
        );
        let mut file = std::fs::File::create(&config).expect("a file");
        file.write_all(text.as_bytes()).expect("a file");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("    {PROGRAM} is not installed: no comparison with it");
            return None;
        };
        let exporter = Self {
            child,
            port,
            config,
        };
        testkit::eventually(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        proc::pin_all(exporter.child.id(), MEASURED);
        Some(exporter)
    }

    /// CPU per probe in µs.
    pub(crate) async fn round(&self, target: &Target, scheme: Scheme) -> f64 {
        let before = proc::cpu(self.child.id());
        let (next, port) = (Arc::new(AtomicU32::new(0)), self.port);
        let client: Client = Pool::builder(TokioExecutor::new()).build_http();
        let mut workers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let next = next.clone();
            let base = target.url(Answers::AtOnce(scheme), 0);
            let client = client.clone();
            workers.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < PROBES {
                    ask(&client, port, &base).await;
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.expect("no worker panics");
        }
        let used = proc::cpu(self.child.id()).saturating_sub(before);
        used.as_secs_f64() * 1e6 / f64::from(PROBES)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.config));
    }
}

/// One probe over a connection that stays open, as Prometheus does it.
async fn ask(client: &Client, port: u16, url: &str) {
    let uri = format!("http://127.0.0.1:{port}/probe?module=probe&target={url}");
    let answer = client.get(uri.parse().expect("a URI")).await;
    let body = answer.expect("it answers").into_body().collect().await;
    let body = body.expect("a whole answer").to_bytes();
    let said = String::from_utf8_lossy(&body);
    assert!(said.contains("\nprobe_success 1\n"), "{said}");
}
