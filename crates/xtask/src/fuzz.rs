//! `cargo xtask fuzz`: what strangers can send, made up by libFuzzer and held against the promises of `guard` and
//! `prober`.
//!
//! A run begins with the inputs in `fuzz/corpus` and with what earlier runs left in `fuzz/found`, where it puts what
//! reaches new code. `--keep` moves the best of that into `fuzz/corpus`, which is committed, and which the tests replay.
//! Our code is without `unsafe`, so no sanitizer is used, and any toolchain can do it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::cargo::workspace;
use crate::environment::variable;
use crate::interrupt::{Interrupt, Interrupted};
use crate::process::once;
use crate::say;

/// One input may take so many seconds by the clock on the wall, on which a busy machine keeps a fuzzer waiting for more
/// than a minute.
const INPUT_SECONDS: u32 = 120;
/// What a fuzzer may grow to. A probe is bounded; what grows is the fuzzer's own memory of inputs.
const MEMORY_MIB: u32 = 2048;
/// Longer inputs are not kept: the corpus is committed.
const KEPT_BYTES: u32 = 2560;

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this target; without one all of them, one after the other
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Afterwards keep in fuzz/corpus what reaches code that nothing there reaches
    #[arg(long)]
    keep: bool,
}

/// Builds the targets and runs them. A target that finds something fails; the others still run.
pub(crate) fn fuzz(options: &Options, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let targets = chosen(options.target.as_deref(), &known_targets()?)?;
    say::stage("build (the first time takes minutes)", || {
        let mut build = cargo_fuzz("build");
        // One target alone is not linked with the others.
        build.args(options.target.as_ref());
        once::succeed(&mut build, interrupt)
    })?;
    let mut failures = Vec::new();
    for target in &targets {
        let run = || once::succeed(&mut run(target, options.minutes)?, interrupt);
        match say::stage(&format!("fuzz {target} for {} min", options.minutes), run) {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(_told_by_the_fuzzer) => failures.push(target.as_str()),
            Ok(()) if options.keep => say::stage(&format!("keep what {target} found"), || {
                once::succeed(&mut merge(target)?, interrupt)
            })?,
            Ok(()) => {}
        }
    }
    if failures.is_empty() {
        say::progress("fuzz: nothing was found");
        return Ok(ExitCode::SUCCESS);
    }
    say::progress(format_args!(
        "fuzz: {} found something; the inputs are in fuzz/artifacts, and CONTRIBUTING.md tells what to do with them",
        failures.join(", ")
    ));
    Ok(ExitCode::FAILURE)
}

/// The targets of `fuzz/Cargo.toml`; an error when there is nothing to run them with.
fn known_targets() -> anyhow::Result<Vec<String>> {
    let listed = once::output(bare("list").args(["--fuzz-dir", "fuzz"]));
    let listed = listed.context(
        "cargo-fuzz is missing, or can't read fuzz/Cargo.toml. \
         `cargo install --locked cargo-fuzz` installs it; the targets also need a C++ compiler",
    )?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn chosen(wanted: Option<&str>, known: &[String]) -> anyhow::Result<Vec<String>> {
    let Some(wanted) = wanted else {
        return Ok(known.to_vec());
    };
    if !known.iter().any(|target| target == wanted) {
        bail!("there is no target {wanted}, only {}", known.join(", "));
    }
    Ok(vec![wanted.to_owned()])
}

fn run(target: &str, minutes: u32) -> anyhow::Result<Command> {
    let mut command = cargo_fuzz("run");
    // What is new goes into the first folder.
    command.arg(target).args([found(target)?, kept(target)]);
    command.arg("--");
    command.arg(format!("-max_total_time={}", u64::from(minutes) * 60));
    command.arg(format!("-timeout={INPUT_SECONDS}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}"));
    command.arg("-print_final_stats=1");
    let words = folder().join("dictionaries").join(format!("{target}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    Ok(command)
}

/// libFuzzer takes few and small inputs that reach what is not reached yet, however often each reaches it.
fn merge(target: &str) -> anyhow::Result<Command> {
    let mut command = cargo_fuzz("run");
    command.arg(target).args([kept(target), found(target)?]);
    command.args(["--", "-set_cover_merge=1", "-use_counters=0"]);
    command.arg(format!("-max_len={KEPT_BYTES}"));
    Ok(command)
}

fn cargo_fuzz(subcommand: &str) -> Command {
    let mut command = bare(subcommand);
    command.args(["--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    command
}

fn bare(subcommand: &str) -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.args(["fuzz", subcommand]).current_dir(workspace());
    command
}

fn folder() -> PathBuf {
    workspace().join("fuzz")
}

fn kept(target: &str) -> PathBuf {
    folder().join("corpus").join(target)
}

fn found(target: &str) -> anyhow::Result<PathBuf> {
    let found = folder().join("found").join(target);
    make(&found)?;
    Ok(found)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_or_all_of_them_are_run_and_no_other() {
        let known = ["answer".to_owned(), "judge".to_owned()];
        assert_eq!(chosen(None, &known).unwrap(), known);
        assert_eq!(chosen(Some("judge"), &known).unwrap(), ["judge"]);
        let error = chosen(Some("jury"), &known).unwrap_err().to_string();
        assert_eq!(error, "there is no target jury, only answer, judge");
    }

    #[test]
    fn every_target_has_a_corpus_that_the_tests_replay() {
        let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        let targets: Vec<_> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
            .filter_map(|line| line.strip_suffix(".rs\""))
            .collect();
        assert!(targets.len() >= 5, "{targets:?}");
        let guard = workspace().join("crates/guard/src/fuzzing.rs");
        let prober = workspace().join("crates/prober/src/fuzzing/tests.rs");
        let tests = [guard, prober].map(|path| std::fs::read_to_string(path).unwrap());
        for target in targets {
            assert!(kept(target).is_dir(), "fuzz/corpus/{target} is missing");
            let replayed = [format!("replay(\"{target}\""), format!("corpus/{target}\"")];
            let is_replayed = |text: &String| replayed.iter().any(|how| text.contains(how));
            assert!(tests.iter().any(is_replayed), "no test replays {target}");
        }
    }
}
