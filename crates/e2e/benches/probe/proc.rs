//! What the kernel counts of a process.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Between two measurements, at most, for closed connections to leave the kernel's table.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Keeps this process, and the threads that it will have, on one core; where there is no such core, on those that there
/// are. A child begins on its parent's, which says nothing of how many there are.
pub(crate) fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    if let Err(error) = sched_setaffinity(None, &only) {
        eprintln!("    not on core {core}, but wherever there is room: {error}");
    }
}

/// The same for the threads that another process has by now; those that it makes later begin where these are.
pub(crate) fn pin_all(pid: u32, core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let id = |name: &str| Pid::from_raw(name.parse().ok()?);
    let ids = threads
        .flatten()
        .filter_map(|thread| id(&thread.file_name().to_string_lossy()));
    for id in ids {
        // One that has ended meanwhile needs no core.
        let _ended = sched_setaffinity(Some(id), &only);
    }
}

/// CPU time that the threads of a process have used so far, without its children: to the nanosecond, where
/// `/proc/<pid>/stat` counts ticks of 10 ms.
pub(crate) fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let used = |thread: std::fs::DirEntry| {
        // One that has ended meanwhile counts no more.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    };
    threads.flatten().filter_map(used).sum()
}

/// Memory of a process in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) most: u64,
}

pub(crate) fn memory(pid: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let mut words = line.unwrap_or_default().split_whitespace();
        words.next().and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    Memory {
        now: line("VmRSS:"),
        most: line("VmHWM:"),
    }
}

/// Ten thousand connections need more files than a shell allows at first.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, wanted).expect("the hard limit is allowed");
}

/// Waits until the closed connections that the kernel remembers are few enough: beyond its limit single connections
/// stall for seconds.
pub(crate) async fn drain() {
    const ENOUGH: u64 = 80_000;
    let deadline = tokio::time::Instant::now() + DRAIN_DEADLINE;
    while closed_connections() > ENOUGH && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// `TIME_WAIT`.
fn closed_connections() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let mut words = text.split_whitespace().skip_while(|word| *word != "tw");
    words
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_default()
}
