//! The programs that are measured, as children.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use secrecy::ExposeSecret as _;
use testkit::{TestDb, eventually};
use tokio::net::TcpStream;

/// A child on a port. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    port: u16,
}

impl Program {
    /// The api, with limits that nobody meets here.
    pub(crate) async fn api(db: &TestDb) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pulsemon-api"));
        command.env_clear().envs([
            ("RUST_LOG", "error,lapin=off"),
            ("DATABASE_URL", db.url().expose_secret()),
            // Nobody listens there: no broker has a part in what is measured.
            ("AMQP_URL", "amqp://u:p@127.0.0.1:9"),
            ("OPS_BIND", "127.0.0.1"),
            ("OPS_PORT", "0"),
            ("APP_BIND", "127.0.0.1"),
            (
                "JWT_SECRET",
                "a-signing-key-of-the-bench-and-of-nobody-else",
            ),
            ("SECRETS_KEY", "a-key-for-links-in-mails-of-the-bench-alone"),
            ("SERVICE_QUOTA", "1000"),
            ("RATE_LIMIT_AUTH_PER_MINUTE", "1000000"),
            ("LOGIN_FAILURES_PER_15_MINUTES", "1000000"),
            ("RATE_LIMIT_READS_PER_MINUTE", "1000000"),
            ("RATE_LIMIT_WRITES_PER_MINUTE", "1000000"),
        ]);
        Self::start(command, |command, port| {
            command.env("APP_PORT", port);
        })
        .await
    }

    /// actix-web, and one lookup of this user by his key.
    pub(crate) async fn bare(user: &str, db: &TestDb) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a program"));
        command.env(crate::bare::URL, db.url().expose_secret());
        Self::start(command, |command, port| {
            command.args(["bare", port, user]);
        })
        .await
    }

    async fn start(mut command: Command, on: impl FnOnce(&mut Command, &str)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        on(&mut command, &port.to_string());
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let program = Self { child, port };
        eventually(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        program
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already is none the worse.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
