//! `cargo xtask`: the launcher, and what CI runs.
//!
//! It starts private servers and the product's processes on one machine, runs the tests against
//! real servers, and checks the code. It is no part of the product: nothing may depend on it, and
//! it depends on few crates, for it is compiled before anything can be shown.
//!
//! Start reading at `up`; then `servers`, then `process/supervisor`.

mod bench;
mod cargo;
mod check;
mod environment;
mod folder;
mod fuzz;
mod http;
mod interrupt;
mod openapi;
mod packages;
mod ports;
mod process;
mod say;
mod secrets;
mod servers;
mod test;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use interrupt::{Interrupt, Interrupted};
use packages::Install;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start the whole product on this machine, until Ctrl-C
    Up {
        #[command(flatten)]
        options: up::Options,
        #[command(flatten)]
        installing: Installing,
    },
    /// Check format, lints, documentation, sizes and links
    Check {
        /// Only these steps
        steps: Vec<check::Step>,
    },
    /// Run all tests against private servers
    Test {
        /// Also run the tests that take minutes
        #[arg(long)]
        long: bool,
        /// Instead test the api against its OpenAPI document, with schemathesis
        #[arg(long, conflicts_with_all = ["long", "args"])]
        api: bool,
        #[command(flatten)]
        installing: Installing,
        /// Passed on to `cargo test`; all crates are tested unless `-p` names some
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Write docs/openapi.json from the code
    Openapi,
    /// Measure the product on this machine
    Bench {
        /// What to measure
        #[arg(value_enum, default_value_t = bench::Bench::Pipeline)]
        bench: bench::Bench,
        #[command(flatten)]
        installing: Installing,
    },
    /// Send what strangers could: every target of fuzz/, with cargo-fuzz
    Fuzz(fuzz::Options),
    /// Start the test servers, print how to reach them, and keep them until Ctrl-C
    Servers {
        #[command(flatten)]
        installing: Installing,
    },
}

#[derive(Debug, Args)]
struct Installing {
    /// Refuse to install PostgreSQL or RabbitMQ when one is missing
    #[arg(long)]
    no_install: bool,
}

impl Installing {
    fn decision(&self) -> Install {
        if self.no_install {
            Install::Refused
        } else {
            Install::Allowed
        }
    }
}

fn main() -> ExitCode {
    match run(&Command::parse().task) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            say::progress("interrupted; everything is stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            say::progress(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::install()?;
    match task {
        Task::Up {
            options,
            installing,
        } => up::up(options, installing.decision(), &interrupt),
        Task::Openapi => openapi::openapi(&interrupt),
        Task::Check { steps } => check::check(steps, &interrupt),
        Task::Test {
            api: true,
            installing,
            ..
        } => test::api::test(installing.decision(), &interrupt),
        Task::Test {
            long,
            installing,
            args,
            ..
        } => test::test(*long, args, installing.decision(), &interrupt),
        Task::Bench { bench, installing } => {
            bench::bench(*bench, installing.decision(), &interrupt)
        }
        Task::Fuzz(options) => fuzz::fuzz(options, &interrupt),
        Task::Servers { installing } => test::servers(installing.decision(), &interrupt),
    }
}
