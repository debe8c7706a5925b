//! `cargo xtask test --api`: schemathesis against the api, a real process on a real database.
//!
//! It reads the OpenAPI document that the process serves and sends what the document allows and what it forbids. The
//! program comes from `PyPI`, pinned, into a virtual environment of its own under the target folder. Where there is no
//! Python the run is skipped, loudly.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context;

use crate::cargo::{cargo, debug_binary, target, workspace};
use crate::environment::variable;
use crate::folder::Folder;
use crate::http;
use crate::interrupt::{Interrupt, Interrupted};
use crate::packages::Install;
use crate::ports::Ports;
use crate::process::signal::Stop;
use crate::process::{Output, Spec, Supervisor, once, record};
use crate::say;
use crate::secrets::random_hex;
use crate::servers::{self, Tuning, Wanted};

/// What is run: settings, the login, and the pinned version, beside this file.
const FILES: &str = "crates/xtask/src/test/schemathesis";
const DATABASE: &str = "pulsemon_api";
/// Who runs every request: an admin, so that no route is closed.
const ADMIN: &str = "tester@example.com";
/// From the start of the process to its first answer.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Stopped before the database.
const LAYER: u8 = 3;
/// Room for every request of a run: what is tested here is the contract, not its limits.
const LIMITS: [&str; 5] = [
    "RATE_LIMIT_AUTH_PER_MINUTE",
    "RATE_LIMIT_REFRESH_PER_MINUTE",
    "RATE_LIMIT_READS_PER_MINUTE",
    "RATE_LIMIT_WRITES_PER_MINUTE",
    "LOGIN_FAILURES_PER_15_MINUTES",
];

/// Runs schemathesis; ends as it ended.
pub(crate) fn test(install: Install, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let program = match say::stage("install schemathesis", || installed(interrupt)) {
        Ok(program) => program,
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => {
            say::progress(format_args!(
                "\n    SKIPPED: the api was not tested against its OpenAPI document.\n    \
                 This needs python3 with venv and pip, and PyPI: {error:#}\n"
            ));
            return Ok(ExitCode::SUCCESS);
        }
    };
    say::stage("build the tests and the api", || {
        // As the tests build it, with the same features: after them nothing is left to compile.
        let mut build = cargo("test");
        build.args(["--workspace", "--no-run"]);
        once::succeed(&mut build, interrupt)
    })?;
    let folder = Folder::open_for_tests()?;
    record::stop_leftovers(&folder.records(), interrupt)?;
    folder.forget().context("empty the test folder")?;
    let mut supervisor = Supervisor::new(&folder.records(), interrupt);
    let password = random_hex(16)?;
    let port = start(&folder, &password, install, &mut supervisor, interrupt)?;
    let ran = say::stage("test the api against its document", || {
        let mut run = schemathesis(&program, port, folder.root())?;
        run.env("ADMIN_EMAIL", ADMIN)
            .env("ADMIN_PASSWORD", &password);
        once::succeed(&mut run, interrupt)
    });
    supervisor.stop();
    match ran {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            say::progress(format_args!("error: {error:#}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The program in its virtual environment, which is made anew when the pinned version changes.
fn installed(interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let requirements = workspace().join(FILES).join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).context("read the pinned version")?;
    let home = target().join("schemathesis");
    let stamp = home.join("installed.txt");
    let program = home.join("bin").join("schemathesis");
    if std::fs::read_to_string(&stamp).is_ok_and(|known| known == wanted) && program.exists() {
        return Ok(program);
    }
    if home.exists() {
        std::fs::remove_dir_all(&home).context("remove another version")?;
    }
    once::succeed(
        Command::new("python3").args(["-m", "venv"]).arg(&home),
        interrupt,
    )?;
    let mut pip = Command::new(home.join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
    once::succeed(pip.arg(&requirements), interrupt)?;
    std::fs::write(&stamp, wanted)?;
    Ok(program)
}

/// Starts a database and the api on it; returns the api's port. The broker stays away: the api only nudges over it.
fn start(
    folder: &Folder,
    password: &str,
    install: Install,
    supervisor: &mut Supervisor,
    interrupt: &Interrupt,
) -> anyhow::Result<u16> {
    let wanted = Wanted {
        postgres: true,
        rabbitmq: false,
    };
    let programs = servers::programs(folder, wanted, install)?;
    let started = servers::start(folder, programs, Tuning::Throwaway, supervisor, interrupt)?;
    let postgres = started.postgres.context("PostgreSQL was started")?;
    postgres.ensure_database(DATABASE)?;
    let mut ports = Ports::load(&folder.ports());
    let [port, ops_port] = ports.settle(["api", "ops-api"])?;
    let mut env = environment(&postgres.url(DATABASE), port, ops_port)?;
    env.push(("ADMIN_EMAIL".to_owned(), ADMIN.to_owned()));
    env.push(("ADMIN_PASSWORD".to_owned(), password.to_owned()));
    let mut migrate = Command::new(debug_binary("pulsemon-migrate"));
    migrate.envs(env.iter().map(|(name, value)| (name, value)));
    once::succeed(&mut migrate, interrupt)?;
    supervisor.start(Spec {
        name: "api".to_owned(),
        program: debug_binary("pulsemon-api"),
        args: Vec::new(),
        env,
        without: Vec::new(),
        account: None,
        output: Output::File(folder.logs().join("api.log")),
        stop: Stop::Terminate,
        layer: LAYER,
    })?;
    supervisor.wait_ready("the api", READY_DEADLINE, || {
        http::get(port, "/readyz").is_some_and(|(status, _)| status == 200)
    })?;
    Ok(port)
}

fn environment(database: &str, port: u16, ops_port: u16) -> anyhow::Result<Vec<(String, String)>> {
    let mut env: Vec<(String, String)> = [
        ("APP_ENV", "development"),
        ("APP_BIND", "127.0.0.1"),
        ("OPS_BIND", "127.0.0.1"),
        ("DATABASE_URL", database),
        // Nobody listens there.
        ("AMQP_URL", "amqp://nobody:nothing@127.0.0.1:9"),
        ("BCRYPT_COST", "4"),
        ("EMAIL_VERIFICATION", "off"),
        // Every interval of the document is allowed, and no create meets the quota soon.
        ("MIN_INTERVAL_SECONDS", "1"),
        ("SERVICE_QUOTA", "100000"),
        ("RUST_LOG", "warn"),
    ]
    .into_iter()
    .chain(LIMITS.into_iter().map(|name| (name, "1000000")))
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.push(("APP_PORT".to_owned(), port.to_string()));
    env.push(("OPS_PORT".to_owned(), ops_port.to_string()));
    for secret in ["JWT_SECRET", "SECRETS_KEY", "JOB_SIGNING_KEY"] {
        env.push((secret.to_owned(), random_hex(32)?));
    }
    Ok(env)
}

/// Run in the data folder, where it may write; it looks for its settings and hooks in the folder that it runs in.
fn schemathesis(program: &Path, port: u16, data: &Path) -> anyhow::Result<Command> {
    let files = workspace().join(FILES);
    for file in ["schemathesis.toml", "hooks.py"] {
        std::fs::copy(files.join(file), data.join(file))
            .with_context(|| format!("copy {file} into {}", data.display()))?;
    }
    let address = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(program);
    if variable("CI").is_some() {
        command.arg("--no-color");
    }
    command
        .current_dir(data)
        .arg("run")
        .arg(format!("{address}/api/v1/openapi.json"))
        .env("PULSEMON_API", address)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
