//! The product's release programs, as children.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use testkit::eventually::within;
use testkit::{TestDb, TestVhost};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a check passes through; the api has no part in it.
const NAMES: [&str; 4] = ["scheduler", "prober", "processor", "alerter"];

/// Probes in flight, and of one tenant and to one address as many: there is one tenant, and the
/// target has few addresses.
const POOL: u32 = 1000;

/// From the start to the last `/readyz`; back-off adds up on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// For the time of a bench.
const SIGNING_KEY: &str = "a key for a bench only of thirty-two bytes or more";

/// The broker's client calls it an error that a queue is not yet declared.
const LOG: &str = "error,lapin=off";

/// The running programs. Killed when dropped: what they hold is not worth a goodbye.
#[derive(Debug)]
pub(crate) struct Programs {
    children: Vec<(&'static str, Child)>,
    outbox: PathBuf,
}

impl Programs {
    /// One of each, ready to work.
    pub(crate) async fn start(db: &TestDb, vhost: &TestVhost) -> Self {
        let outbox = std::env::temp_dir().join(format!("pulsemon-bench-{}", std::process::id()));
        std::fs::create_dir_all(&outbox).expect("a folder for mail");
        let settings = settings(db, vhost, &outbox);
        let mut programs = Self {
            children: Vec::new(),
            outbox,
        };
        let mut ports = Vec::new();
        for name in NAMES {
            let port = free_port();
            let mut command = command(name);
            command
                .envs(&settings)
                .env("OPS_PORT", port.to_string())
                .stdin(Stdio::null());
            // stdout is for the table.
            let log = std::io::stderr().as_fd().try_clone_to_owned();
            command.stdout(log.expect("stderr is open"));
            let child = command.spawn().expect("the program starts");
            programs.children.push((name, child));
            ports.push(port);
        }
        for port in ports {
            within(READY_WITHIN, async || ask_ready(port).await).await;
        }
        programs
    }

    /// Their names and ids.
    pub(crate) fn pids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.children
            .iter()
            .map(|(name, child)| (*name, child.id()))
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            // One that has ended already is none the worse.
            drop(child.kill());
            drop(child.wait());
        }
        drop(std::fs::remove_dir_all(&self.outbox));
    }
}

/// Runs the migration to its end.
pub(crate) fn migrate(db: &TestDb) {
    let status = command("migrate")
        .env("DATABASE_URL", db.url().expose_secret())
        .stdin(Stdio::null())
        .status()
        .expect("the migration starts");
    assert!(status.success(), "the migration ended with {status}");
}

/// `pulsemon-<name>` beside this bench, with an empty environment.
fn command(name: &str) -> Command {
    let bench = std::env::current_exe().expect("a program");
    let folder = bench
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<bench>");
    let program = folder.join(format!("pulsemon-{name}"));
    assert!(
        program.exists(),
        "{} is missing: `cargo xtask bench` builds it",
        program.display()
    );
    let mut command = Command::new(program);
    command.env_clear().env("RUST_LOG", LOG);
    command
}

fn settings(db: &TestDb, vhost: &TestVhost, outbox: &Path) -> HashMap<&'static str, String> {
    let pool = POOL.to_string();
    HashMap::from([
        ("DATABASE_URL", db.url().expose_secret().to_owned()),
        ("AMQP_URL", vhost.amqp_url().expose_secret().to_owned()),
        ("OPS_BIND", "127.0.0.1".to_owned()),
        ("JOB_SIGNING_KEY", SIGNING_KEY.to_owned()),
        ("PROBE_ALLOW_CIDRS", "127.0.0.0/8".to_owned()),
        ("WORKER_POOL_SIZE", pool.clone()),
        ("PROBES_PER_TENANT", pool.clone()),
        ("PROBES_PER_ADDRESS", pool),
        ("OUTBOX_DIR", outbox.to_string_lossy().into_owned()),
    ])
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

async fn ask_ready(port: u16) -> anyhow::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(true)
}
