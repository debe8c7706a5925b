//! The five processes: started together, ready together.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;

use super::settings::Settings;
use crate::cargo::release_binary;
use crate::http;
use crate::ports::Ports;
use crate::process::signal::Stop;
use crate::process::{Output, Spec, Supervisor};
use crate::say;

/// Stopped before everything that they use.
const LAYER: u8 = 3;

/// One of the programs that run all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Api,
    Scheduler,
    Prober,
    Processor,
    Alerter,
}

impl Process {
    pub(super) const ALL: [Self; 5] = [
        Self::Api,
        Self::Scheduler,
        Self::Prober,
        Self::Processor,
        Self::Alerter,
    ];

    /// The crate's name; the binary's is `pulsemon-` and this.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Prober => "prober",
            Self::Processor => "processor",
            Self::Alerter => "alerter",
        }
    }

    /// The names of its copies, as logs and files have them.
    fn copies(self, probers: u16) -> Vec<String> {
        match self {
            Self::Prober if probers > 1 => (1..=probers).map(|n| format!("prober-{n}")).collect(),
            _ => vec![self.name().to_owned()],
        }
    }
}

/// Starts all of them and waits until every one says that it is ready.
pub(super) fn start(
    probers: u16,
    settings: &Settings,
    ports: &mut Ports,
    supervisor: &mut Supervisor,
    deadline: Duration,
) -> anyhow::Result<()> {
    let mut waiting = Vec::new();
    for process in Process::ALL {
        for name in process.copies(probers) {
            let [ops_port] = ports.settle([format!("ops-{name}").as_str()])?;
            supervisor.start(spec(process, &name, ops_port, settings))?;
            waiting.push((name, ops_port));
        }
    }
    let mut unready = Unready::default();
    let ready = supervisor.wait_ready("every process", deadline, || unready.look(&waiting));
    ready.with_context(|| unready.text())
}

fn spec(process: Process, name: &str, ops_port: u16, settings: &Settings) -> Spec {
    let mut env: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.push(("OPS_PORT".to_owned(), ops_port.to_string()));
    Spec {
        name: name.to_owned(),
        program: release_binary(&format!("pulsemon-{}", process.name())),
        args: Vec::new(),
        env,
        without: Vec::new(),
        account: None,
        output: Output::Console,
        // As Ctrl-C at its own terminal: no load balancer has to notice first.
        stop: Stop::Interrupt,
        layer: LAYER,
    }
}

/// Who is not ready yet, said once per change.
#[derive(Debug, Default)]
struct Unready {
    names: BTreeSet<String>,
    reasons: Vec<String>,
}

impl Unready {
    fn look(&mut self, all: &[(String, u16)]) -> bool {
        let mut names = BTreeSet::new();
        self.reasons.clear();
        for (name, port) in all {
            match http::get(*port, "/readyz") {
                Some((200, _)) => continue,
                Some((status, body)) => self.reasons.push(format!("{name}: {status} {body}")),
                None => self.reasons.push(format!("{name}: no answer")),
            }
            names.insert(name.clone());
        }
        if names != self.names {
            self.names = names;
            if !self.names.is_empty() {
                let names: Vec<_> = self.names.iter().map(String::as_str).collect();
                say::progress(format_args!("    waiting for {}", names.join(", ")));
            }
        }
        self.names.is_empty()
    }

    fn text(&self) -> String {
        format!("not ready: {}", self.reasons.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probers_come_in_numbers() {
        assert_eq!(Process::Prober.copies(1), ["prober"]);
        assert_eq!(Process::Prober.copies(2), ["prober-1", "prober-2"]);
        assert_eq!(Process::Api.copies(2), ["api"]);
    }
}
