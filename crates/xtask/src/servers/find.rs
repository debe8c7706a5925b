//! Where the programs of the two servers are: Debian's layout, Homebrew's (never run by us, see
//! the README), and whatever is on the PATH.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

use super::version::Version;
use crate::environment::variable;
use crate::process::once;

/// The oldest versions that the product runs on.
pub(crate) const OLDEST_POSTGRES: Version = Version {
    major: 15,
    minor: 0,
};
pub(crate) const OLDEST_RABBITMQ: Version = Version {
    major: 3,
    minor: 10,
};

/// `PostgreSQL`'s programs.
#[derive(Debug, Clone)]
pub(crate) struct PostgresPrograms {
    /// The folder with `postgres`, `initdb` and `psql`.
    pub(crate) bin: PathBuf,
    /// Their version.
    pub(crate) version: Version,
}

/// `RabbitMQ`'s programs.
#[derive(Debug, Clone)]
pub(crate) struct RabbitPrograms {
    /// The folder with `rabbitmq-server`, the script that does not switch users.
    pub(crate) sbin: PathBuf,
    /// Erlang's port mapper.
    pub(crate) epmd: PathBuf,
    /// Its version.
    pub(crate) version: Version,
}

/// A server that is not there, or only too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What, and from which version on.
    pub(crate) what: String,
    /// What was found instead.
    pub(crate) instead: Option<String>,
    /// Debian's package.
    pub(crate) apt: &'static str,
    /// Homebrew's formula.
    pub(crate) brew: &'static str,
}

impl Missing {
    /// The text for somebody who has just seen an installation that did not help.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self.instead {
            Some(instead) => anyhow!("{} is needed, but there is only {instead}", self.what),
            None => anyhow!("{} is needed and was not found", self.what),
        }
    }
}

/// The newest `PostgreSQL`; where there is data already, the one that wrote it.
pub(crate) fn postgres(data_major: Option<u32>) -> Result<PostgresPrograms, Missing> {
    let mut bins = children("/usr/lib/postgresql", "bin");
    for prefix in BREW_PREFIXES {
        bins.extend(
            children(&format!("{prefix}/opt"), "bin")
                .into_iter()
                .filter(|bin| bin.to_string_lossy().contains("/postgresql")),
        );
    }
    bins.extend(on_path("initdb").and_then(|p| Some(p.parent()?.to_owned())));
    let mut found: Vec<_> = bins
        .into_iter()
        .filter(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
        .filter_map(|bin| {
            // Links on the PATH lead to programs that find their files by their own place.
            let bin = bin
                .join("postgres")
                .canonicalize()
                .ok()?
                .parent()?
                .to_owned();
            let text = once::output(Command::new(bin.join("postgres")).arg("--version")).ok()?;
            let version = Version::first_in(&text)?;
            Some(PostgresPrograms { bin, version })
        })
        .collect();
    found.sort_by_key(|programs| programs.version);
    let newest = found.last().map(|p| format!("version {}", p.version));
    let fits = |p: &PostgresPrograms| match data_major {
        Some(major) => p.version.major == major,
        None => p.version >= OLDEST_POSTGRES,
    };
    found.into_iter().rfind(fits).ok_or_else(|| Missing {
        what: match data_major {
            Some(major) => {
                format!("PostgreSQL {major} (whose data is in the data folder; --fresh forgets it)")
            }
            None => format!("PostgreSQL {} or newer", OLDEST_POSTGRES.major),
        },
        instead: newest,
        apt: "postgresql",
        brew: "postgresql@17",
    })
}

/// `RabbitMQ` and the Erlang port mapper beside it.
pub(crate) fn rabbitmq() -> Result<RabbitPrograms, Missing> {
    let mut sbins = vec![PathBuf::from("/usr/lib/rabbitmq/bin")];
    sbins.extend(BREW_PREFIXES.map(|prefix| Path::new(prefix).join("opt/rabbitmq/sbin")));
    sbins.extend(
        on_path("rabbitmq-server")
            // Debian's wrapper in /usr/sbin switches users.
            .filter(|path| !path.starts_with("/usr/sbin"))
            .and_then(|p| Some(p.parent()?.to_owned())),
    );
    let found = sbins
        .into_iter()
        .filter(|sbin| sbin.join("rabbitmq-server").exists())
        .find_map(|sbin| {
            let version = rabbit_version(&sbin)?;
            Some(RabbitPrograms {
                sbin,
                epmd: epmd()?,
                version,
            })
        });
    match found {
        Some(found) if found.version >= OLDEST_RABBITMQ => Ok(found),
        other => Err(Missing {
            what: format!("RabbitMQ {OLDEST_RABBITMQ} or newer"),
            instead: other.map(|found| format!("version {}", found.version)),
            apt: "rabbitmq-server",
            brew: "rabbitmq",
        }),
    }
}

/// Where Homebrew lives on Apple silicon, on Intel, and on Linux.
const BREW_PREFIXES: [&str; 3] = ["/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"];

/// From the name of the folder that the scripts stand in, for asking it takes a second of Erlang.
fn rabbit_version(sbin: &Path) -> Option<Version> {
    let debian = std::fs::read_dir("/usr/lib/rabbitmq/lib")
        .ok()
        .filter(|_| sbin.starts_with("/usr/lib/rabbitmq"));
    let from_debian = debian.and_then(|entries| {
        entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("rabbitmq_server-"))
            .filter_map(|name| Version::first_in(&name))
            .max()
    });
    // Homebrew: …/Cellar/rabbitmq/4.0.5/sbin, behind a link.
    let from_cellar = || {
        let real = sbin.canonicalize().ok()?;
        let parent = real.parent()?.file_name()?.to_string_lossy().into_owned();
        Version::first_in(&parent)
    };
    let from_itself = || {
        let text = once::output(Command::new(sbin.join("rabbitmqctl")).arg("version")).ok()?;
        Version::first_in(&text)
    };
    from_debian.or_else(from_cellar).or_else(from_itself)
}

fn epmd() -> Option<PathBuf> {
    let mut places = Vec::from_iter(on_path("epmd"));
    for lib in [
        "/usr/lib/erlang",
        "/opt/homebrew/lib/erlang",
        "/usr/local/lib/erlang",
    ] {
        places.push(Path::new(lib).join("bin/epmd"));
        places.extend(
            children(lib, "bin/epmd")
                .into_iter()
                .filter(|path| path.to_string_lossy().contains("/erts-")),
        );
    }
    places.into_iter().find(|path| path.exists())
}

/// `parent/*/below`, as far as it exists.
fn children(parent: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path().join(below))
        .filter(|path| path.exists())
        .collect()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.exists())
}
