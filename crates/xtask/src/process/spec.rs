//! What to run.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::Account;
use super::signal::Stop;

/// Where a program's output goes.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// To the launcher's stdout, each line with the program's name before it.
    Console,
    /// Into a file, anew at each start of the launcher.
    File(PathBuf),
}

/// One program: everything needed to start it, again if need be, and to stop it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Name in logs and of its pid file; unique in one data folder.
    pub(crate) name: String,
    /// The binary.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Variables set on top of the launcher's own environment.
    pub(crate) env: Vec<(String, String)>,
    /// Variables it must not inherit.
    pub(crate) without: Vec<OsString>,
    /// Another user to run as.
    pub(crate) account: Option<Account>,
    /// Where its output goes.
    pub(crate) output: Output,
    /// How it is asked to stop.
    pub(crate) stop: Stop,
    /// Higher layers are stopped first; one layer is stopped all at once.
    pub(crate) layer: u8,
}

impl Spec {
    /// The command, in a process group of its own, so that Ctrl-C reaches it only through us.
    pub(crate) fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.program);
        for name in &self.without {
            command.env_remove(name);
        }
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(account) = self.account {
            // As root this also drops every supplementary group.
            command.uid(account.uid).gid(account.gid).current_dir("/");
        }
        match &self.output {
            Output::Console => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            Output::File(path) => {
                let file = std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(path)
                    .with_context(|| format!("open {}", path.display()))?;
                command.stdout(file.try_clone()?).stderr(file);
            }
        }
        Ok(command)
    }
}
