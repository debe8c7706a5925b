//! Programs that run to their end: cargo, initdb, psql, the migration.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, bail};

use super::signal::{Stop, ask_group_to_stop, kill_group};
use crate::interrupt::{Interrupt, Interrupted, pause};

/// Pauses that an interrupted program gets to end by itself: 10 s.
const GRACE_PAUSES: u32 = 200;

/// Runs a command with our output and no input, and passes its end on. Interrupting us stops it.
pub(crate) fn run(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<ExitStatus> {
    run_beside(command, interrupt, || Ok(()))
}

/// As [`run`], and `tend` is called again and again until it ends.
pub(crate) fn run_beside(
    command: &mut Command,
    interrupt: &Interrupt,
    mut tend: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {program}"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt.is_requested() {
            break;
        }
        tend()?;
        pause();
    }
    ask_group_to_stop(child.id(), Stop::Terminate);
    for _ in 0..GRACE_PAUSES {
        if child.try_wait()?.is_some() {
            break;
        }
        pause();
    }
    kill_group(child.id());
    child.wait()?;
    Err(Interrupted.into())
}

/// As [`run`], and anything but success is an error.
pub(crate) fn succeed(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<()> {
    let line = line_of(command);
    let status = run(command, interrupt)?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs a short command for its output. What it printed is in the error when it fails.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line_of(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{line}`"))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let err = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` ended with {}\n{out}{err}", output.status);
    }
    Ok(out)
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
