//! What every `main.rs` calls:
//!
//! ```text
//! fn main() -> std::process::ExitCode {
//!     runtime::process::main("pulsemon-scheduler", Config::from_env, scheduler::run)
//! }
//! ```
//!
//! With the argument `healthcheck` the program asks the `/readyz` of the process beside it and
//! ends with 0 or 1. Without arguments it reads its configuration (a wrong one ends with 2 and
//! names every mistake), runs until SIGTERM or SIGINT, and ends with 0, or with 1 when `run`
//! failed.

use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::env::{EnvErrors, OpsConfig, ProcessEnv, Reader, Vars};
use crate::{Clock, Shutdown, telemetry};

/// The process is ready, or has ended as asked.
const OK: u8 = 0;
/// `run` failed, or the process beside a health check is not ready.
const FAILED: u8 = 1;
/// Wrong environment or arguments: starting again will not help.
const MISCONFIGURED: u8 = 2;
/// An orchestrator's health check gives up soon after.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Blocking work (bcrypt, file reads) that outlives the drain deadline is left behind.
const LEAVE_BEHIND_AFTER: Duration = Duration::from_secs(2);

/// Runs a process from its arguments and environment to its exit code.
pub fn main<C, R, F>(
    name: &'static str,
    from_env: impl FnOnce(&ProcessEnv) -> Result<C, EnvErrors>,
    run: R,
) -> ExitCode
where
    R: FnOnce(C, Clock, Shutdown) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let code = match std::env::args().nth(1).as_deref() {
        None => start(name, from_env, run),
        Some("healthcheck") => check(&ProcessEnv),
        Some("--version") => {
            say(&format!("{name} {}", env!("CARGO_PKG_VERSION")));
            OK
        }
        Some(_) => {
            say(&format!("usage: {name} [healthcheck | --version]"));
            MISCONFIGURED
        }
    };
    ExitCode::from(code)
}

fn start<C, R, F>(
    name: &'static str,
    from_env: impl FnOnce(&ProcessEnv) -> Result<C, EnvErrors>,
    run: R,
) -> u8
where
    R: FnOnce(C, Clock, Shutdown) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let config = match from_env(&ProcessEnv) {
        Ok(config) => config,
        Err(errors) => {
            say(&format!("{name} cannot start: {errors}"));
            return MISCONFIGURED;
        }
    };
    telemetry::init_logs(&ProcessEnv);
    telemetry::metrics_registry();
    match block_on(name, config, run) {
        Ok(()) => OK,
        Err(error) => {
            tracing::error!("{name} failed: {error:#}");
            FAILED
        }
    }
}

fn block_on<C, R, F>(name: &'static str, config: C, run: R) -> anyhow::Result<()>
where
    R: FnOnce(C, Clock, Shutdown) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(name)
        .build()
        .context("start the async runtime")?;
    let result = runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("listen for signals")?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "{name} starts");
        // On the heap: a process' whole future is large, and this stack is the main thread's.
        Box::pin(run(config, Clock::system(), shutdown)).await
    });
    runtime.shutdown_timeout(LEAVE_BEHIND_AFTER);
    if result.is_ok() {
        tracing::info!("{name} has stopped");
    }
    result
}

fn check(vars: &dyn Vars) -> u8 {
    let reader = Reader::new(vars);
    let ops = OpsConfig::read(&reader);
    let config = match reader.finish(|| ops) {
        Ok(config) => config,
        Err(errors) => {
            say(&errors.to_string());
            return MISCONFIGURED;
        }
    };
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the async runtime")
        .and_then(|runtime| runtime.block_on(ready(config)));
    match answer {
        Ok(()) => OK,
        Err(error) => {
            say(&format!("not ready: {error:#}"));
            FAILED
        }
    }
}

/// Asks `/readyz` of the process whose ops port `config` describes, on this machine.
///
/// # Errors
/// When it does not answer within 3 s, or answers anything but 200; the text says which.
pub async fn ready(config: OpsConfig) -> anyhow::Result<()> {
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(local(config.listen)).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(HEALTHCHECK_TIMEOUT, ask)
        .await
        .context("no answer in time")?
        .context("no answer")?;
    let text = String::from_utf8_lossy(&answer);
    if text.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    anyhow::bail!(
        "{}",
        if body.is_empty() {
            "garbled answer"
        } else {
            body.trim()
        }
    )
}

/// Listening on all addresses includes the loopback one.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The command line's arguments, the program's name left out.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// To a person at a terminal: logging is not up yet, or not wanted.
pub fn say(text: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(std::io::stderr(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpsServer, Readiness};

    #[tokio::test]
    async fn a_health_check_tells_ready_from_not_ready_and_not_there() {
        let (shutdown, _trigger) = Shutdown::manual();
        let readiness = Readiness::new(&["postgres"], shutdown);
        let server = OpsServer::start(OpsConfig::any_free_port(), readiness.clone())
            .await
            .unwrap();
        let config = OpsConfig {
            listen: server.address(),
        };
        let not_ready = ready(config).await.unwrap_err().to_string();
        assert!(not_ready.contains("postgres"), "{not_ready}");
        readiness.set_ready("postgres");
        ready(config).await.unwrap();
        server.stop().await;
        assert!(ready(config).await.is_err());
    }

    #[test]
    fn a_check_of_a_wildcard_address_goes_to_loopback() {
        let at = |text: &str| local(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(at("[::]:9090"), "[::1]:9090");
        assert_eq!(at("10.1.2.3:9090"), "10.1.2.3:9090");
    }
}
