//! Installing a server that is missing, from the system's packages and never silently.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::environment::is_root;
use crate::say;
use crate::servers::find::Missing;

/// What may be done about a server that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    /// Say so and install it.
    Allowed,
    /// Say so and stop.
    Refused,
}

/// Keeps the packages from starting servers of their own, and puts everything back.
const APT_SCRIPT: &str = include_str!("packages/apt-install.sh");

/// Says what is missing and installs it.
pub(crate) fn install(missing: &[Missing], install: Install) -> anyhow::Result<()> {
    let packages: Vec<_> = missing.iter().map(|m| m.apt).collect();
    say::progress(describe(missing));
    if install == Install::Refused {
        bail!(
            "--no-install: nothing was installed. Install it yourself, for example with `apt-get install {}` or `brew install {}`, \
             or set DATABASE_URL and AMQP_URL to servers of your own",
            packages.join(" "),
            missing.iter().map(|m| m.brew).collect::<Vec<_>>().join(" ")
        );
    }
    say::progress(
        "    installing from the system's packages; no server of the system's is started",
    );
    say::stage(&format!("install {}", packages.join(" and ")), || {
        if exists("apt-get") {
            return run_apt(&packages);
        }
        if exists("brew") {
            return run_brew(missing);
        }
        bail!(
            "there is neither apt-get nor brew here: install the servers yourself, or set DATABASE_URL and AMQP_URL"
        )
    })
}

/// One line for every server that is missing.
fn describe(missing: &[Missing]) -> String {
    missing
        .iter()
        .map(|m| match &m.instead {
            Some(instead) => format!("    {} is missing (there is only {instead})", m.what),
            None => format!("    {} is missing", m.what),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn run_apt(packages: &[&str]) -> anyhow::Result<()> {
    let mut command = if is_root() {
        Command::new("sh")
    } else {
        if !exists("sudo") {
            bail!(
                "installing needs root, and there is no sudo here: run `apt-get install {}` as root",
                packages.join(" ")
            );
        }
        let mut sudo = Command::new("sudo");
        sudo.arg("sh");
        sudo
    };
    command
        .arg("-c")
        .arg(APT_SCRIPT)
        .arg("apt-install")
        .args(packages);
    run(command)
}

fn run_brew(missing: &[Missing]) -> anyhow::Result<()> {
    let mut command = Command::new("brew");
    command.arg("install").args(missing.iter().map(|m| m.brew));
    run(command)
}

/// In our own process group: sudo must be able to ask for a password.
fn run(mut command: Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::inherit())
        .status()
        .with_context(|| format!("start {program}"))?;
    if !status.success() {
        bail!("the installation ended with {status}");
    }
    Ok(())
}

fn exists(program: &str) -> bool {
    let path = crate::environment::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusing_names_what_is_missing_and_what_to_do() {
        let missing = [Missing {
            what: "RabbitMQ 3.10 or newer".to_owned(),
            instead: Some("version 3.8".to_owned()),
            apt: "rabbitmq-server",
            brew: "rabbitmq",
        }];
        let text = describe(&missing);
        assert!(text.contains("RabbitMQ 3.10 or newer is missing (there is only version 3.8)"));
        let refusal = install(&missing, Install::Refused).unwrap_err().to_string();
        assert!(refusal.contains("apt-get install rabbitmq-server"));
        assert!(refusal.contains("AMQP_URL"));
    }
}
