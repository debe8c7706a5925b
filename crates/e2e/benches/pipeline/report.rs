//! What is printed at the end.

use std::fmt;
use std::time::Duration;

use crate::bare::Round;
use crate::step::Step;

/// A rate is kept up when fewer of its slots are missed.
const MISSED_AT_MOST: f64 = 0.01;

/// Processes of ours; what else is on the meters are the servers, and the target.
const OURS: [&str; 4] = ["scheduler", "prober", "processor", "alerter"];
const SERVERS: [&str; 2] = ["RabbitMQ", "PostgreSQL"];

/// All rounds and steps.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rounds: Vec<Round>,
    steps: Vec<Step>,
}

impl Report {
    pub(crate) fn bare(&mut self, round: Round) {
        self.rounds.push(round);
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare_us = Spread::of(self.rounds.iter().map(|round| round.cpu_us));
        let bare_rate = Spread::of(self.rounds.iter().map(|round| round.per_second));
        writeln!(
            f,
            "\nBare hyper loop, {} rounds between the steps:",
            self.rounds.len()
        )?;
        writeln!(f, "  {} probes/s", bare_rate.shown(0))?;
        writeln!(f, "  {} µs CPU per probe", bare_us.shown(1))?;
        writeln!(f, "\nPipeline, CPU in µs per stored check:")?;
        header(f)?;
        for step in &self.steps {
            line(f, step)?;
        }
        let kept_up = |step: &&Step| step.missed() < MISSED_AT_MOST && step.stored.not_up == 0.0;
        let Some(best) = self.steps.iter().rfind(kept_up) else {
            return writeln!(f, "\nNo rate was kept up.");
        };
        let ratio = |names: &[&str]| best.us_per_check(sum(best, names)) / bare_us.median;
        writeln!(
            f,
            "\nHighest rate kept up (under {:.0} % missed, none failed): {} checks/s. There, as a \
             multiple of the bare loop's CPU:",
            MISSED_AT_MOST * 100.0,
            best.rate
        )?;
        writeln!(f, "  prober                      {:.2}", ratio(&["prober"]))?;
        writeln!(f, "  all four processes          {:.2}", ratio(&OURS))?;
        let all = [&OURS[..], &SERVERS[..]].concat();
        writeln!(f, "  with RabbitMQ, PostgreSQL   {:.2}", ratio(&all))
    }
}

fn header(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "  slots/s checks/s missed failed late p50   p99 ms |")?;
    for name in OURS.iter().chain(&SERVERS) {
        write!(f, " {name:>10}")?;
    }
    writeln!(f, " |  ours   all | cores: all target others")
}

fn line(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    write!(
        f,
        "  {:>7} {:>8.0} {:>5.1}% {:>6} {:>8.1} {:>8.1} |",
        step.rate,
        step.per_second(),
        step.missed() * 100.0,
        step.stored.not_up,
        step.stored.late_p50,
        step.stored.late_p99
    )?;
    for name in OURS.iter().chain(&SERVERS) {
        if step.used.by.iter().any(|(metered, _)| metered == name) {
            write!(f, " {:>10.0}", step.us_per_check(sum(step, &[name])))?;
        } else {
            write!(f, " {:>10}", "?")?;
        }
    }
    let (ours, servers, target) = (
        sum(step, &OURS),
        sum(step, &SERVERS),
        sum(step, &["target"]),
    );
    let others = step.used.machine.saturating_sub(ours + servers + target);
    writeln!(
        f,
        " | {:>5.0} {:>5.0} | {:>10.2} {:>6.2} {:>6.2}",
        step.us_per_check(ours),
        step.us_per_check(ours + servers),
        step.cores(ours + servers),
        step.cores(target),
        step.cores(others)
    )
}

/// CPU of these processes in a step's window.
fn sum(step: &Step, names: &[&str]) -> Duration {
    let used = step.used.by.iter();
    used.filter(|(name, _)| names.contains(name))
        .map(|(_, cpu)| *cpu)
        .sum()
}

/// Median, least and most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(values.len() / 2),
            least: at(0),
            most: at(values.len().saturating_sub(1)),
        }
    }

    fn shown(&self, digits: usize) -> String {
        format!(
            "{:.digits$} [{:.digits$}-{:.digits$}]",
            self.median, self.least, self.most
        )
    }
}
