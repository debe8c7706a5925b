//! `cargo xtask test` and `cargo xtask servers`: the same private servers, with and without cargo.

pub(crate) mod api;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::cargo::cargo;
use crate::environment::variable;
use crate::folder::Folder;
use crate::interrupt::Interrupt;
use crate::packages::Install;
use crate::process::{Supervisor, once, record};
use crate::say;
use crate::servers::{self, Tuning, Wanted};

/// The tests' view of the servers. One that is set already points at a server of the user's own.
const DATABASE: &str = "PULSEMON_TEST_DATABASE_URL";
const AMQP: &str = "PULSEMON_TEST_AMQP_URL";
const MANAGEMENT: &str = "PULSEMON_TEST_RABBITMQ_API";

/// Turns on tests that take minutes.
const LONG: &str = "PULSEMON_TEST_LONG";

/// Turns on the one that kills the servers, which has to run alone.
const KILLS: &str = "PULSEMON_TEST_KILLS";

/// The cheapest cost that bcrypt has: tests register hundreds of users.
const BCRYPT_COST: (&str, &str) = ("BCRYPT_COST", "4");

/// Builds the tests, starts the servers, runs the tests; ends as cargo ended.
pub(crate) fn test(
    long: bool,
    args: &[OsString],
    install: Install,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    say::stage("build the tests", || {
        let mut build = cargo_test(args);
        build.arg("--no-run").args(before_dashes(args));
        once::succeed(&mut build, interrupt)
    })?;
    let mut running = TestServers::start(Tuning::Throwaway, install, interrupt)?;
    let mut tests = cargo_test(args);
    if !before_dashes(args).any(|arg| arg == "--no-fail-fast") {
        // One failure must not hide another.
        tests.arg("--no-fail-fast");
    }
    tests.args(args);
    tests.envs(running.environment());
    if long {
        tests.env(LONG, "1");
    }
    let mut code = ExitCode::FAILURE;
    let ran = say::stage("run the tests", || {
        let status = once::run(&mut tests, interrupt)?;
        code = status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from);
        if status.success() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("cargo test ended with {status}"))
        }
    });
    if long && ran.is_ok() {
        code = running.run_long(interrupt)?;
    }
    running.stop()?;
    match ran {
        Err(e) if e.is::<crate::interrupt::Interrupted>() => Err(e),
        _ => Ok(code),
    }
}

/// Starts the servers, prints how to reach them, and keeps them until Ctrl-C.
pub(crate) fn servers(install: Install, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let mut running = TestServers::start(Tuning::Throwaway, install, interrupt)?;
    say::result("# Test servers are up until Ctrl-C. In another terminal:");
    for (name, value) in running.environment() {
        say::result(format_args!("export {name}={value}"));
    }
    while !interrupt.is_requested() {
        running.supervisor.tend()?;
        crate::interrupt::pause();
    }
    running.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Servers for tests, in a folder of their own that begins empty.
#[derive(Debug)]
pub(crate) struct TestServers {
    supervisor: Supervisor,
    environment: Vec<(&'static str, String)>,
    /// Unlocked when everything in it has stopped: fields are dropped in this order.
    _folder: Folder,
}

impl TestServers {
    /// Starts those that the environment does not point at.
    pub(crate) fn start(
        tuning: Tuning,
        install: Install,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let folder = Folder::open_for_tests()?;
        record::stop_leftovers(&folder.records(), interrupt)?;
        folder.forget().context("empty the test folder")?;
        let mut supervisor = Supervisor::new(&folder.records(), interrupt);
        let wanted = Wanted {
            postgres: variable(DATABASE).is_none(),
            rabbitmq: variable(AMQP).is_none() || variable(MANAGEMENT).is_none(),
        };
        let programs = servers::programs(&folder, wanted, install)?;
        let started = servers::start(&folder, programs, tuning, &mut supervisor, interrupt)?;
        let mut environment = Vec::new();
        if let Some(postgres) = &started.postgres {
            environment.push((DATABASE, postgres.url("postgres")));
        }
        if let Some(rabbit) = &started.rabbitmq {
            environment.push((AMQP, rabbit.amqp_url()));
            environment.push((MANAGEMENT, rabbit.management_url()));
        }
        let (name, value) = BCRYPT_COST;
        environment.push((name, value.to_owned()));
        Ok(Self {
            supervisor,
            environment,
            _folder: folder,
        })
    }

    /// How to reach them, for a child.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Runs the tests that kill the servers, which are started again meanwhile.
    fn run_long(&mut self, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
        let names: Vec<&str> = self.environment().map(|(name, _)| name).collect();
        if ![DATABASE, AMQP, MANAGEMENT]
            .iter()
            .all(|name| names.contains(name))
        {
            anyhow::bail!("the long tests kill servers: they need {DATABASE} and {AMQP} unset");
        }
        let mut tests = cargo("test");
        tests.args(["-p", "e2e", "--test", "it", "soak::", "--", "--nocapture"]);
        tests.envs(self.environment()).env(KILLS, "1");
        let mut code = ExitCode::FAILURE;
        say::stage("run the long tests", || {
            let status = once::run_beside(&mut tests, interrupt, || self.supervisor.tend())?;
            if status.success() {
                code = ExitCode::SUCCESS;
            }
            Ok(())
        })?;
        Ok(code)
    }

    /// Stops them; dropping does the same without a word.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        say::stage("stop the servers", || {
            self.supervisor.stop();
            Ok(())
        })
    }
}

/// All crates, unless the arguments name some.
fn cargo_test(args: &[OsString]) -> Command {
    let mut command = cargo("test");
    let names_packages = before_dashes(args).any(|arg| {
        let arg = arg.to_string_lossy();
        arg.starts_with("-p") || arg.starts_with("--package")
    });
    if !names_packages {
        command.arg("--workspace");
    }
    command
}

/// The arguments for cargo, without those for the test programs.
fn before_dashes(args: &[OsString]) -> impl Iterator<Item = &OsString> {
    args.iter().take_while(|arg| *arg != "--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_does_not_get_the_arguments_of_the_test_programs() {
        let args: Vec<OsString> = ["-p", "db", "--", "--nocapture"].map(Into::into).into();
        let kept: Vec<_> = before_dashes(&args).collect();
        assert_eq!(kept, ["-p", "db"]);
    }
}
