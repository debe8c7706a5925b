//! `cargo xtask up`: the whole product on this machine, until Ctrl-C.

mod banner;
mod demo;
mod processes;
mod settings;
mod shell;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::cargo::{cargo, release_binary};
use crate::environment::variable;
use crate::folder::Folder;
use crate::interrupt::{Interrupt, pause};
use crate::packages::Install;
use crate::ports::Ports;
use crate::process::{Supervisor, once, record};
use crate::say;
use crate::secrets::{Secrets, write_private};
use crate::servers::{self, Servers, Tuning, Wanted};
use demo::Demo;
use processes::Process;
use settings::Settings;

/// The database of the private `PostgreSQL`.
const DATABASE: &str = "pulsemon";

/// The api's port on a machine where it is free.
const USUAL_API_PORT: u16 = 8080;

/// From the start of the processes until the last says that it is ready. Each waits for its
/// dependencies with back-off; on a busy machine that adds up.
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many probers to run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    probers: u16,
    /// Forget all data of earlier runs first
    #[arg(long)]
    fresh: bool,
    /// Leave out the demo HTTPS target
    #[arg(long)]
    no_demo: bool,
}

/// Starts everything, prints the banner, and keeps everything running until Ctrl-C.
pub(crate) fn up(
    options: &Options,
    install: Install,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    let folder = Folder::open()?;
    record::stop_leftovers(&folder.records(), interrupt)?;
    if options.fresh {
        say::progress(format_args!("    forgetting {}", folder.root().display()));
        folder.forget()?;
    }
    let wanted = wanted();
    let programs = servers::programs(&folder, wanted, install)?;
    say::stage("build (the first time takes minutes)", || {
        build(!options.no_demo, interrupt)
    })?;

    // Declared after the folder, so that on every way out it stops before the folder is unlocked.
    let mut supervisor = Supervisor::new(&folder.records(), interrupt);
    let servers = servers::start(
        &folder,
        programs,
        Tuning::Durable,
        &mut supervisor,
        interrupt,
    )?;
    let running = start(options, &folder, &servers, &mut supervisor, interrupt)?;
    say::result(banner::text(&running));

    while !interrupt.is_requested() {
        supervisor.tend()?;
        pause();
    }
    say::stage("stop everything", || {
        supervisor.stop();
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Servers that the environment points at are the user's own.
fn wanted() -> Wanted {
    let set = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
    Wanted {
        postgres: !set(&["DATABASE_URL", "DATABASE_URL_FILE", "DB_HOST"]),
        rabbitmq: !set(&["AMQP_URL", "AMQP_URL_FILE"]),
    }
}

/// Builds the programs that people run, and the demo target if wanted.
pub(crate) fn build(with_demo: bool, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut build = cargo("build");
    build.args(["--release", "--bins", "--package", "migrate"]);
    for process in Process::ALL {
        build.args(["--package", process.name()]);
    }
    if with_demo {
        build.args(["--package", "testkit"]);
    }
    once::succeed(&mut build, interrupt)
}

fn start(
    options: &Options,
    folder: &Folder,
    servers: &Servers,
    supervisor: &mut Supervisor,
    interrupt: &Interrupt,
) -> anyhow::Result<banner::Facts> {
    let mut ports = Ports::load(&folder.ports());
    let demo = match options.no_demo {
        true => None,
        false => Some(Demo::plan(folder, &mut ports)?),
    };
    let mut settings = configure(folder, servers, &mut ports)?;
    say::stage("migrate the database", || {
        let mut migrate = std::process::Command::new(release_binary("pulsemon-migrate"));
        once::succeed(migrate.envs(settings.iter()), interrupt)
    })?;
    if let Some(demo) = &demo {
        say::stage("start the demo target", || demo.start(supervisor))?;
        demo.open_to_probes(&mut settings)?;
    }
    write_private(&folder.settings(), &shell::text(&settings))?;
    say::stage("start the processes", || {
        processes::start(
            options.probers,
            &settings,
            &mut ports,
            supervisor,
            READY_DEADLINE,
        )
    })?;
    Ok(banner::Facts {
        address: settings.address(),
        mail: settings.mail(),
        data: PathBuf::from(folder.root()),
        settings: folder.settings(),
        demo: demo.map(|demo| demo.url()),
        // A new address each time: the first run's user is still there in the second.
        user: format!("you-{}@example.com", crate::secrets::random_hex(3)?),
        must_confirm: must_confirm(&settings),
    })
}

/// As the api reads it: required where the user says so, or says production and nothing else.
fn must_confirm(settings: &Settings) -> bool {
    let is = |name: &str, word: &str| {
        let text = settings.users(name);
        text.map(|text| text.trim().eq_ignore_ascii_case(word))
    };
    is("EMAIL_VERIFICATION", "required")
        .or_else(|| is("APP_ENV", "production"))
        .unwrap_or(false)
}

/// The environment of every process, but for what differs among them.
fn configure(folder: &Folder, servers: &Servers, ports: &mut Ports) -> anyhow::Result<Settings> {
    let mut settings = Settings::new(variable);
    if let Some(postgres) = &servers.postgres {
        postgres.ensure_database(DATABASE)?;
        settings.set("DATABASE_URL", postgres.url(DATABASE));
    }
    if let Some(rabbit) = &servers.rabbitmq {
        settings.set("AMQP_URL", format!("{}/%2f", rabbit.amqp_url()));
    }
    if settings.users("APP_PORT").is_none() {
        ports.prefer("api", USUAL_API_PORT);
        let [port] = ports.settle(["api"])?;
        settings.set("APP_PORT", port.to_string());
    }
    // A first try is for this machine alone; who wants more says so.
    settings.default("APP_BIND", "127.0.0.1");
    let address = settings.address();
    settings.default("APP_BASE_URL", &address);
    let outbox = folder.root().join("outbox");
    std::fs::create_dir_all(&outbox)?;
    // Mail is private, even on a machine that others use.
    std::fs::set_permissions(&outbox, std::fs::Permissions::from_mode(0o700))?;
    settings.default("OUTBOX_DIR", &outbox.to_string_lossy());
    settings.default("OPS_BIND", "127.0.0.1");
    settings.secrets(&mut Secrets::load(&folder.secrets())?)?;
    Ok(settings)
}
