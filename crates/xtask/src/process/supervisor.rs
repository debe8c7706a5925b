//! Keeps programs running, and stops all of them, the youngest layer first.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::log::{Tail, follow, tail_of_file};
use super::signal::{ask_to_stop, kill_group};
use super::{Output, Spec, orphans, record};
use crate::interrupt::{Interrupt, pause};
use crate::say;

/// What a program gets to stop in order before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The first and the longest wait before a program that died is started again.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// A program that ran this long starts its waits anew.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// Everything that one launcher started.
#[derive(Debug)]
pub(crate) struct Supervisor {
    records: PathBuf,
    interrupt: Interrupt,
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    spec: Spec,
    tail: Tail,
    state: State,
    backoff: Duration,
}

#[derive(Debug)]
enum State {
    Runs {
        child: Child,
        since: Instant,
        readers: Vec<JoinHandle<()>>,
    },
    Died {
        at: Instant,
    },
}

impl Supervisor {
    /// `records` is the folder of pid files.
    pub(crate) fn new(records: &Path, interrupt: &Interrupt) -> Self {
        Self {
            records: records.to_owned(),
            interrupt: interrupt.clone(),
            programs: Vec::new(),
        }
    }

    /// Starts a program. Its log file begins anew.
    pub(crate) fn start(&mut self, spec: Spec) -> anyhow::Result<()> {
        if let Output::File(path) = &spec.output {
            std::fs::write(path, "").with_context(|| format!("empty {}", path.display()))?;
        }
        let mut program = Program {
            spec,
            tail: Tail::default(),
            state: State::Died { at: Instant::now() },
            backoff: FIRST_BACKOFF,
        };
        program.start(&self.records)?;
        self.programs.push(program);
        Ok(())
    }

    /// Waits until `is_ready`. A program that dies meanwhile, a timeout and an interrupt are errors.
    pub(crate) fn wait_ready(
        &mut self,
        what: &str,
        deadline: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let interrupt = self.interrupt.clone();
        let ready = interrupt.wait_until(deadline, || {
            self.check_alive()?;
            Ok(is_ready())
        })?;
        if !ready {
            bail!("{what} did not answer within {}", say::seconds(deadline));
        }
        Ok(())
    }

    /// An error that shows the last lines of a program that has died.
    fn check_alive(&mut self) -> anyhow::Result<()> {
        for program in &mut self.programs {
            if let Some(report) = program.notice_death(&self.records)? {
                bail!(report);
            }
        }
        Ok(())
    }

    /// Reports what died since the last call and starts again what has waited long enough.
    pub(crate) fn tend(&mut self) -> anyhow::Result<()> {
        for program in &mut self.programs {
            if let Some(report) = program.notice_death(&self.records)? {
                let wait = say::seconds(program.backoff);
                say::progress(format_args!("{report}\n    starting it again in {wait}"));
            }
            if let State::Died { at } = program.state
                && at.elapsed() >= program.backoff
            {
                program.backoff = (program.backoff * 2).min(LONGEST_BACKOFF);
                program.start(&self.records)?;
            }
        }
        Ok(())
    }

    /// Stops everything: each layer is asked, then killed at its deadline. A further interrupt
    /// kills at once. No process is left behind.
    pub(crate) fn stop(&mut self) {
        self.interrupt.take();
        while let Some(layer) = self.programs.iter().map(|p| p.spec.layer).max() {
            let (stopping, rest) = std::mem::take(&mut self.programs)
                .into_iter()
                .partition(|program| program.spec.layer == layer);
            self.programs = rest;
            self.stop_layer(stopping);
        }
    }

    fn stop_layer(&self, mut programs: Vec<Program>) {
        for program in &programs {
            program.ask_to_stop();
        }
        let begun = Instant::now();
        while programs.iter_mut().any(Program::is_alive) {
            if begun.elapsed() > STOP_DEADLINE || self.interrupt.is_requested() {
                break;
            }
            pause();
        }
        for program in programs {
            program.end(&self.records);
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Program {
    fn start(&mut self, records: &Path) -> anyhow::Result<()> {
        let name = &self.spec.name;
        let (mark, value) = orphans::mark(records);
        let mut child = self
            .spec
            .command()?
            .env(mark, value)
            .spawn()
            .with_context(|| format!("start {name} ({})", self.spec.program.display()))?;
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(follow(name, pipe, &self.tail)?);
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(follow(name, pipe, &self.tail)?);
        }
        record::write(records, &self.spec, child.id())?;
        self.state = State::Runs {
            child,
            since: Instant::now(),
            readers,
        };
        Ok(())
    }

    /// If the program has died since the last look: a report with its last lines.
    fn notice_death(&mut self, records: &Path) -> anyhow::Result<Option<String>> {
        let State::Runs {
            child,
            since,
            readers,
        } = &mut self.state
        else {
            return Ok(None);
        };
        let Some(status) = child.try_wait()? else {
            return Ok(None);
        };
        kill_group(child.id());
        join(std::mem::take(readers));
        if since.elapsed() >= STEADY_AFTER {
            self.backoff = FIRST_BACKOFF;
        }
        record::remove(records, &self.spec.name);
        self.state = State::Died { at: Instant::now() };
        let lines = match &self.spec.output {
            Output::Console => self.tail.lines(),
            Output::File(path) => tail_of_file(path),
        };
        Ok(Some(report(&self.spec.name, &status.to_string(), &lines)))
    }

    fn ask_to_stop(&self) {
        if let State::Runs { child, .. } = &self.state {
            ask_to_stop(child.id(), self.spec.stop);
        }
    }

    fn is_alive(&mut self) -> bool {
        match &mut self.state {
            State::Runs { child, .. } => matches!(child.try_wait(), Ok(None)),
            State::Died { .. } => false,
        }
    }

    /// Kills what is left and forgets the program.
    fn end(self, records: &Path) {
        if let State::Runs {
            mut child, readers, ..
        } = self.state
        {
            kill_group(child.id());
            if let Err(e) = child.wait() {
                say::progress(format_args!("    cannot wait for {}: {e}", self.spec.name));
            }
            join(readers);
        }
        record::remove(records, &self.spec.name);
    }
}

fn join(readers: Vec<JoinHandle<()>>) {
    for reader in readers {
        if reader.join().is_err() {
            // A reader that panicked has said so on stderr.
        }
    }
}

fn report(name: &str, status: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("{name} died ({status}) and said nothing");
    }
    format!(
        "{name} died ({status}). Its last lines:\n    {}",
        lines.join("\n    ")
    )
}
