//! CPU time of processes, as the kernel counts it.

use std::time::Duration;

use testkit::TestDb;

/// A tick of `/proc/<pid>/stat`: Linux shows 100 a second to programs, whatever it counts in.
const TICK: Duration = Duration::from_millis(10);

/// Fields of `/proc/<pid>/stat` behind the name, counted from 0.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
const ENDED_CHILDREN: [usize; 2] = [13, 14];

/// PostgreSQL's first process; `None` where the server is on another machine.
pub(crate) async fn postgres(db: &TestDb) -> Option<u32> {
    let backend: i32 = db.value("SELECT pg_backend_pid()").await;
    let parent = stat(u32::try_from(backend).ok()?)?.get(PARENT)?.parse();
    parent.ok()
}

/// CPU time that a process has used so far, without its children.
pub(crate) fn of(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |fields| sum(&fields, &[USER, SYSTEM]))
}

/// The same with its children, those that ended among them.
pub(crate) fn of_family(pid: u32) -> Duration {
    let ended = stat(pid).map_or(Duration::ZERO, |fields| sum(&fields, &ENDED_CHILDREN));
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = pids.filter_map(stat).filter(|fields| {
        let parent = fields.get(PARENT).and_then(|field| field.parse().ok());
        parent == Some(pid)
    });
    let theirs: Duration = children.map(|fields| sum(&fields, &[USER, SYSTEM])).sum();
    of(pid) + ended + theirs
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold some of its own.
    let (_head, tail) = text.rsplit_once(')')?;
    Some(tail.split_whitespace().map(str::to_owned).collect())
}

fn sum(fields: &[String], which: &[usize]) -> Duration {
    let ticks = which.iter().filter_map(|field| fields.get(*field));
    ticks
        .filter_map(|text| text.parse().ok())
        .map(|ticks: u32| TICK * ticks)
        .sum()
}
