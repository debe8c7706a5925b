//! The yardstick: fresh connections through hyper and nothing else.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{cpu, target};

/// Probes of one round: a second or two, and few enough closed connections to remember.
const PROBES: u32 = 20_000;
/// Probes at one time.
const IN_FLIGHT: u32 = 64;
/// A round that takes longer has met a stalled connection.
const DEADLINE: Duration = Duration::from_secs(30);

/// What one round found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// Probes per second of wall-clock time.
    pub(crate) per_second: f64,
    /// CPU of the loop's process per probe, in microseconds.
    pub(crate) cpu_us: f64,
}

/// Runs one round in a process of its own.
pub(crate) fn round(port: u16) -> Round {
    let output = Command::new(std::env::current_exe().expect("a program"))
        .args(["bare", &port.to_string(), &PROBES.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the loop starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let [per_second, cpu_us] = numbers.as_slice() else {
        panic!("the loop ended with {} and said: {text}", output.status)
    };
    Round {
        per_second: *per_second,
        cpu_us: *cpu_us,
    }
}

/// The loop itself; prints its two numbers.
pub(crate) async fn run(port: u16, probes: u32) {
    let me = std::process::id();
    let (begun, before) = (Instant::now(), cpu::of(me).unwrap_or_default());
    let done = tokio::time::timeout(DEADLINE, all(port, probes)).await;
    assert!(
        done.is_ok(),
        "{probes} probes took longer than {DEADLINE:?}"
    );
    let wall = begun.elapsed().as_secs_f64();
    let cpu = cpu::of(me).unwrap_or_default().saturating_sub(before);
    let probes = f64::from(probes);
    println!("{} {}", probes / wall, cpu.as_secs_f64() * 1e6 / probes);
}

async fn all(port: u16, probes: u32) {
    let next = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= probes {
                    return;
                }
                probe(n, port).await.expect("the target answers");
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("no worker panics");
    }
}

async fn probe(n: u32, port: u16) -> anyhow::Result<()> {
    let address = target::address(n, port);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::get("/")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.status());
    answer.into_body().collect().await?;
    drop(sender);
    driver.await??;
    Ok(())
}
