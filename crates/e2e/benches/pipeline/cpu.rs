//! CPU time of processes, as the kernel counts it.

use std::time::Duration;

use testkit::{TestDb, TestVhost, eventually};

use crate::programs::Programs;
use crate::target::Target;

/// A tick of `/proc/<pid>/stat`: Linux shows 100 a second to programs, whatever it counts in.
const TICK: Duration = Duration::from_millis(10);

/// Fields of `/proc/<pid>/stat` behind the name, counted from 0.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
const ENDED_CHILDREN_USER: usize = 13;
const ENDED_CHILDREN_SYSTEM: usize = 14;

/// CPU time that a process has used so far, without its children.
pub(crate) fn of(pid: u32) -> Option<Duration> {
    Stat::of(pid).map(|stat| stat.sum(&[USER, SYSTEM]))
}

/// Whose CPU is counted, by the name under which it is shown.
#[derive(Debug)]
pub(crate) struct Meters(Vec<(&'static str, Meter)>);

#[derive(Debug, Clone, Copy)]
enum Meter {
    /// One process.
    Process(u32),
    /// A process with its children, also those that ended.
    Family(u32),
}

/// CPU used between two readings, by name.
#[derive(Debug)]
pub(crate) struct Used {
    /// By process.
    pub(crate) by: Vec<(&'static str, Duration)>,
    /// By the whole machine, that is, also by what has nothing to do with the bench.
    pub(crate) machine: Duration,
}

/// What stood on the meters at one moment.
#[derive(Debug)]
pub(crate) struct Reading(Used);

impl Meters {
    /// Servers on another machine have no meter.
    pub(crate) async fn of(
        programs: &Programs,
        target: &Target,
        db: &TestDb,
        vhost: &TestVhost,
    ) -> Self {
        let mut meters: Vec<_> = programs
            .pids()
            .map(|(name, pid)| (name, Meter::Process(pid)))
            .collect();
        // A broker that has just started knows its own id only after some seconds.
        let broker = eventually(async || vhost.broker_pid().await).await;
        if Stat::of(broker).is_some_and(|stat| stat.name.starts_with("beam")) {
            meters.push(("RabbitMQ", Meter::Process(broker)));
        }
        let backend: i32 = db.value("SELECT pg_backend_pid()").await;
        let parent = u32::try_from(backend).ok().and_then(Stat::of);
        if let Some(pid) = parent.and_then(|stat| stat.parent())
            && Stat::of(pid).is_some_and(|stat| stat.name.starts_with("postgres"))
        {
            meters.push(("PostgreSQL", Meter::Family(pid)));
        }
        meters.push(("target", Meter::Process(target.pid())));
        Self(meters)
    }

    pub(crate) fn read(&self) -> Reading {
        let by = self.0.iter().map(|(name, meter)| (*name, meter.read()));
        Reading(Used {
            by: by.collect(),
            machine: machine(),
        })
    }
}

impl Reading {
    /// What was used since `earlier`, on the same meters.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let pairs = self.0.by.iter().zip(&earlier.0.by);
        let by = pairs.map(|((name, now), (_, then))| (*name, now.saturating_sub(*then)));
        Used {
            by: by.collect(),
            machine: self.0.machine.saturating_sub(earlier.0.machine),
        }
    }
}

impl Meter {
    fn read(self) -> Duration {
        match self {
            Self::Process(pid) => of(pid).unwrap_or_default(),
            Self::Family(pid) => {
                let ended = [ENDED_CHILDREN_USER, ENDED_CHILDREN_SYSTEM];
                let own = Stat::of(pid).map(|stat| stat.sum(&[USER, SYSTEM]) + stat.sum(&ended));
                let children = pids().filter_map(Stat::of);
                let children = children.filter(|stat| stat.parent() == Some(pid));
                let theirs: Duration = children.map(|stat| stat.sum(&[USER, SYSTEM])).sum();
                own.unwrap_or_default() + theirs
            }
        }
    }
}

/// Closed connections that the kernel remembers (`TIME_WAIT`).
pub(crate) fn closed_connections() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let mut words = text.split_whitespace().skip_while(|word| *word != "tw");
    words
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_default()
}

/// CPU that everything together has used: user, nice, system, interrupts; neither idle nor waiting.
fn machine() -> Duration {
    const IDLE: [usize; 2] = [3, 4];
    const FIELDS: usize = 7;
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let fields = first.split_whitespace().skip(1).take(FIELDS).enumerate();
    let busy = fields.filter(|(field, _)| !IDLE.contains(field));
    busy.filter_map(|(_, text)| text.parse().ok())
        .map(|ticks: u32| TICK * ticks)
        .sum()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// `/proc/<pid>/stat`.
#[derive(Debug)]
struct Stat {
    name: String,
    fields: Vec<String>,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold some of its own.
        let (head, tail) = text.rsplit_once(')')?;
        let (_pid, name) = head.split_once('(')?;
        Some(Self {
            name: name.to_owned(),
            fields: tail.split_whitespace().map(str::to_owned).collect(),
        })
    }

    fn parent(&self) -> Option<u32> {
        self.fields.get(PARENT)?.parse().ok()
    }

    fn sum(&self, fields: &[usize]) -> Duration {
        let ticks = fields.iter().filter_map(|field| self.fields.get(*field));
        ticks
            .filter_map(|text| text.parse().ok())
            .map(|ticks: u32| TICK * ticks)
            .sum()
    }
}
