//! A private `PostgreSQL`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::find::PostgresPrograms;
use super::{START_DEADLINE, Tuning, other_account};
use crate::environment::names_with_prefix;
use crate::folder::Folder;
use crate::interrupt::Interrupt;
use crate::ports::Ports;
use crate::process::once;
use crate::process::signal::Stop;
use crate::process::{Account, Output, Spec, Supervisor};
use crate::secrets::{Secrets, write_private};

/// The one role: it owns the private instance.
const ROLE: &str = "pulsemon";

/// Servers are stopped after everything that uses them.
const LAYER: u8 = 1;

/// For tests: losing the machine loses nothing of worth, and every test has its own pools.
const THROWAWAY: [&str; 6] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=500",
    "shared_buffers=256MB",
    "autovacuum=on",
];

/// For `up`: five processes with several copies of each.
const DURABLE: [&str; 2] = ["max_connections=300", "shared_buffers=256MB"];

/// For both: a failed statement's text and the row that it met hold what tenants typed.
const DISCREET: [&str; 3] = [
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length_on_error=0",
];

/// A planned private instance: where it is, and how to reach it.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PostgresPrograms,
    data: PathBuf,
    logs: PathBuf,
    port: u16,
    password: String,
    tuning: Tuning,
    account: Option<Account>,
}

/// The major version whose data is in the folder, if there is any.
pub(crate) fn data_major(folder: &Folder) -> Option<u32> {
    let text = std::fs::read_to_string(data_of(folder).join("PG_VERSION")).ok()?;
    text.trim().parse().ok()
}

fn data_of(folder: &Folder) -> PathBuf {
    folder.root().join("postgres").join("data")
}

impl Postgres {
    /// Chooses the port and the password.
    pub(crate) fn plan(
        folder: &Folder,
        programs: PostgresPrograms,
        tuning: Tuning,
        secrets: &mut Secrets,
    ) -> anyhow::Result<Self> {
        let [port] = Ports::load(&folder.ports()).settle(["postgres"])?;
        Ok(Self {
            programs,
            data: data_of(folder),
            logs: folder.logs(),
            port,
            password: secrets.secret("POSTGRES_PASSWORD")?,
            tuning,
            account: other_account()?,
        })
    }

    /// The address of one of its databases, with the password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://{ROLE}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// Makes the cluster if there is none, starts it, and waits until it takes connections.
    pub(crate) fn start(
        &self,
        supervisor: &mut Supervisor,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        if !self.data.join("PG_VERSION").exists() {
            self.initialise(interrupt)?;
        }
        supervisor.start(self.spec())?;
        supervisor.wait_ready("PostgreSQL", START_DEADLINE, || is_ready(&self.data))
    }

    /// Makes a database unless it is there.
    pub(crate) fn ensure_database(&self, name: &str) -> anyhow::Result<()> {
        let known = self.psql(&format!(
            "SELECT 1 FROM pg_database WHERE datname = '{name}'"
        ))?;
        if known.trim().is_empty() {
            self.psql(&format!("CREATE DATABASE {name}"))?;
        }
        Ok(())
    }

    fn psql(&self, statement: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.programs.bin.join("psql"));
        for name in names_with_prefix("PG") {
            command.env_remove(name);
        }
        // The password goes through the environment: arguments are open to every user.
        command
            .env("PGPASSWORD", &self.password)
            .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-U", ROLE, "-d", "postgres"])
            .args(["-p", &self.port.to_string(), "-c", statement]);
        once::output(&mut command)
    }

    fn initialise(&self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let home = self.data.parent().context("the data folder has a parent")?;
        if home.exists() {
            // An initdb that was interrupted: there is no PG_VERSION, so there is no data.
            std::fs::remove_dir_all(home)?;
        }
        std::fs::create_dir_all(home)?;
        let password_file = home.join("password");
        write_private(&password_file, &self.password)?;
        if let Some(account) = self.account {
            account.check_reach(home)?;
            account.take(home)?;
            account.take(&password_file)?;
        }
        let mut command = Command::new(self.programs.bin.join("initdb"));
        command
            .arg("-D")
            .arg(&self.data)
            .arg(format!("--pwfile={}", password_file.display()))
            .args(["-U", ROLE, "--auth=scram-sha-256", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "--no-instructions"]);
        if self.tuning == Tuning::Throwaway {
            command.arg("--no-sync");
        }
        let log = std::fs::File::create(self.logs.join("initdb.log"))?;
        command.stdout(log.try_clone()?).stderr(log);
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid).current_dir("/");
        }
        let made = once::succeed(&mut command, interrupt);
        std::fs::remove_file(&password_file)?;
        made.with_context(|| {
            let lines = crate::process::log::tail_of_file(&self.logs.join("initdb.log"));
            format!("make the database cluster:\n    {}", lines.join("\n    "))
        })
    }

    fn spec(&self) -> Spec {
        let mut args: Vec<OsString> = vec!["-D".into(), self.data.clone().into()];
        args.extend(["-p".into(), self.port.to_string().into()]);
        let settings: &[&str] = match self.tuning {
            Tuning::Durable => &DURABLE,
            Tuning::Throwaway => &THROWAWAY,
        };
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories="]
            .iter()
            .chain(&DISCREET)
            .chain(settings)
        {
            args.extend(["-c".into(), setting.into()]);
        }
        Spec {
            name: "postgres".to_owned(),
            program: self.programs.bin.join("postgres"),
            args,
            env: Vec::new(),
            without: names_with_prefix("PG"),
            account: self.account,
            output: Output::File(self.logs.join("postgres.log")),
            stop: Stop::Interrupt,
            layer: LAYER,
        }
    }
}

/// As `pg_ctl -w` tells it: the server writes its state into the eighth line of its pid file.
fn is_ready(data: &Path) -> bool {
    std::fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| says_ready(&text))
}

fn says_ready(pid_file: &str) -> bool {
    pid_file.lines().nth(7).map(str::trim) == Some("ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_says_so_is_ready() {
        let file = |state: &str| format!("1\n/d\n1700000000\n5432\n\n127.0.0.1\n  1 2\n{state}\n");
        assert!(says_ready(&file("ready   ")));
        assert!(!says_ready(&file("starting")));
        assert!(!says_ready("1\n/d\n"));
    }
}
