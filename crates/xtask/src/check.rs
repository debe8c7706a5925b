//! `cargo xtask check`: everything that can be said about the code without running it.
//!
//! Every step runs, whatever the others found, and all failures are named at the end.

mod links;
mod sizes;
mod tree;

use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum as _;

use crate::cargo::{cargo, workspace};
use crate::interrupt::{Interrupt, Interrupted};
use crate::process::once;
use crate::say;

/// One step, in the order in which they run: the cheap ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Step {
    /// Files and functions are short
    Sizes,
    /// Links between documents lead somewhere
    Links,
    /// rustfmt has nothing to change
    Fmt,
    /// clippy has nothing to say
    Clippy,
    /// The documentation builds, with all its links
    Doc,
}

/// Runs the steps that were asked for; all of them when none was.
pub(crate) fn check(steps: &[Step], interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let mut failures = Vec::new();
    for step in Step::value_variants() {
        if !steps.is_empty() && !steps.contains(step) {
            continue;
        }
        let name = format!("{step:?}").to_lowercase();
        match say::stage(&name, || run(*step, interrupt)) {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => failures.push(format!("    {name}: {error:#}")),
            Ok(()) => {}
        }
    }
    if failures.is_empty() {
        say::progress("check: all is well");
        return Ok(ExitCode::SUCCESS);
    }
    say::progress(format_args!(
        "check: {} step(s) failed\n{}",
        failures.len(),
        failures.join("\n")
    ));
    Ok(ExitCode::FAILURE)
}

/// Warnings are made fatal behind `--`, and so for our own crates only: setting RUSTFLAGS would
/// compile every dependency anew.
fn run(step: Step, interrupt: &Interrupt) -> anyhow::Result<()> {
    match step {
        Step::Sizes => report(&sizes::findings(workspace())?),
        Step::Links => report(&links::findings(workspace())?),
        Step::Fmt => {
            once::succeed(cargo("fmt").args(["--all", "--check"]), interrupt)?;
            let fuzz = ["--manifest-path", "fuzz/Cargo.toml", "--check"];
            once::succeed(cargo("fmt").args(fuzz), interrupt)
        }
        Step::Clippy => once::succeed(
            cargo("clippy").args(["--workspace", "--all-targets", "--", "-D", "warnings"]),
            interrupt,
        ),
        Step::Doc => once::succeed(
            cargo("doc")
                .args(["--workspace", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", "-D warnings"),
            interrupt,
        ),
    }
}

fn report(findings: &[String]) -> anyhow::Result<()> {
    if !findings.is_empty() {
        bail!("\n        {}", findings.join("\n        "));
    }
    Ok(())
}
