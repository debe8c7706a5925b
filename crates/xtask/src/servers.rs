//! Private servers: found or installed, started on loopback, stopped with the launcher.
//!
//! A server that already runs on this machine is never touched: own ports, own folder, own epmd.

pub(crate) mod find;
pub(crate) mod postgres;
pub(crate) mod rabbitmq;
pub(crate) mod version;

use std::time::Duration;

use crate::folder::Folder;
use crate::interrupt::Interrupt;
use crate::packages::{self, Install};
use crate::process::{Account, Supervisor};
use crate::secrets::Secrets;
use find::{PostgresPrograms, RabbitPrograms};

/// From the start of a server to its first answer. `RabbitMQ` takes 6 s on an idle machine, and
/// many times that while something else compiles.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// Which of the two to start; the other one is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Start a `PostgreSQL`.
    pub(crate) postgres: bool,
    /// Start a `RabbitMQ`.
    pub(crate) rabbitmq: bool,
}

/// What `PostgreSQL` is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tuning {
    /// Data that must survive.
    Durable,
    /// Data that nobody misses, many small databases at once.
    Throwaway,
}

/// Addresses of the servers that were started.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// `PostgreSQL`, if it was started.
    pub(crate) postgres: Option<postgres::Postgres>,
    /// `RabbitMQ`, if it was started.
    pub(crate) rabbitmq: Option<rabbitmq::Rabbit>,
}

/// Programs of the servers that are to be started.
#[derive(Debug)]
pub(crate) struct Programs {
    postgres: Option<PostgresPrograms>,
    rabbitmq: Option<RabbitPrograms>,
}

/// Starts both servers and waits until they answer.
pub(crate) fn start(
    folder: &Folder,
    programs: Programs,
    tuning: Tuning,
    supervisor: &mut Supervisor,
    interrupt: &Interrupt,
) -> anyhow::Result<Servers> {
    let mut secrets = Secrets::load(&folder.secrets())?;
    let mut servers = Servers::default();
    // RabbitMQ takes seconds and PostgreSQL tenths: the slow one first, and waited for last.
    if let Some(programs) = programs.rabbitmq {
        let rabbit = rabbitmq::Rabbit::plan(folder, programs, &mut secrets)?;
        rabbit.start(supervisor)?;
        servers.rabbitmq = Some(rabbit);
    }
    if let Some(programs) = programs.postgres {
        let postgres = postgres::Postgres::plan(folder, programs, tuning, &mut secrets)?;
        crate::say::stage("start PostgreSQL", || postgres.start(supervisor, interrupt))?;
        servers.postgres = Some(postgres);
    }
    if let Some(rabbit) = &servers.rabbitmq {
        crate::say::stage("start RabbitMQ", || {
            supervisor.wait_ready("RabbitMQ", START_DEADLINE, || rabbit.is_ready())
        })?;
    }
    Ok(servers)
}

/// Finds the programs of the wanted servers, and installs what is missing.
pub(crate) fn programs(
    folder: &Folder,
    wanted: Wanted,
    install: Install,
) -> anyhow::Result<Programs> {
    let data_major = postgres::data_major(folder);
    let look = || {
        let postgres = wanted.postgres.then(|| find::postgres(data_major));
        let rabbit = wanted.rabbitmq.then(find::rabbitmq);
        (postgres, rabbit)
    };
    let (postgres, rabbit) = look();
    let missing: Vec<_> = postgres
        .iter()
        .filter_map(|found| found.as_ref().err())
        .chain(rabbit.iter().filter_map(|found| found.as_ref().err()))
        .cloned()
        .collect();
    let (postgres, rabbit) = if missing.is_empty() {
        (postgres, rabbit)
    } else {
        packages::install(&missing, install)?;
        look()
    };
    let postgres = postgres.transpose().map_err(find::Missing::into_error)?;
    let rabbit = rabbit.transpose().map_err(find::Missing::into_error)?;
    if let Some(found) = &postgres {
        crate::say::progress(format_args!(
            "    PostgreSQL {} in {}",
            found.version,
            found.bin.display()
        ));
    }
    if let Some(found) = &rabbit {
        crate::say::progress(format_args!(
            "    RabbitMQ {} in {}",
            found.version,
            found.sbin.display()
        ));
    }
    Ok(Programs {
        postgres,
        rabbitmq: rabbit,
    })
}

/// The user that a server runs as when we are root, and `PostgreSQL` refuses to be.
fn other_account() -> anyhow::Result<Option<Account>> {
    crate::environment::is_root()
        .then(|| Account::find("postgres"))
        .transpose()
}
