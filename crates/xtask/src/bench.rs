//! `cargo xtask bench`: what the product costs, measured on this machine.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::packages::Install;
use crate::process::once;
use crate::say;
use crate::servers::Tuning;
use crate::test::TestServers;
use crate::up;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bench {
    /// The whole pipeline at rising rates, beside a bare hyper loop
    Pipeline,
    /// What requests to the api cost, beside bare actix with one lookup
    Api,
    /// One prober beside a bare hyper loop: CPU and memory
    Probe,
}

/// Builds the release programs and the bench, and runs it; where it needs servers, against private ones that are tuned as
/// those of `up`, for what is not kept durably costs less.
pub(crate) fn bench(
    bench: Bench,
    install: Install,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    say::stage("build (the first time takes minutes)", || {
        // As `up` does by default, so that neither builds anew what the other built.
        if matches!(bench, Bench::Pipeline) {
            up::build(true, interrupt)?;
        }
        once::succeed(cargo_bench(bench).arg("--no-run"), interrupt)
    })?;
    let mut command = cargo_bench(bench);
    // The probe's bench hands out its jobs itself.
    let running = match bench {
        Bench::Probe => None,
        Bench::Pipeline | Bench::Api => {
            Some(TestServers::start(Tuning::Durable, install, interrupt)?)
        }
    };
    if let Some(running) = &running {
        command.envs(running.environment());
    }
    let ran = say::stage("measure (it takes minutes)", || {
        once::succeed(&mut command, interrupt)
    });
    if let Some(mut running) = running {
        running.stop()?;
    }
    ran.map(|()| ExitCode::SUCCESS)
}

fn cargo_bench(bench: Bench) -> std::process::Command {
    let mut command = cargo("bench");
    command.args(match bench {
        Bench::Pipeline => ["--package", "e2e", "--bench", "pipeline"],
        Bench::Api => ["--package", "api", "--bench", "cost"],
        Bench::Probe => ["--package", "e2e", "--bench", "probe"],
    });
    command
}
