//! Pid files: what lets a launcher find the programs of one that was killed.
//!
//! A process id alone proves nothing, ids are used again; so the file also holds when the process
//! was born, and only a process with that very birth is ever signalled.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use super::signal::{Stop, ask_to_stop, is_alive, kill_group};
use super::{Spec, orphans};
use crate::interrupt::Interrupt;
use crate::say;

/// What a leftover gets to stop in order before it is killed.
const LEFTOVER_DEADLINE: Duration = Duration::from_secs(30);

/// One program that runs, or ran.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    pid: u32,
    stop: Stop,
    /// As in its [`super::Spec`].
    layer: u8,
    birth: String,
}

/// Notes that this program runs.
pub(crate) fn write(dir: &Path, spec: &Spec, pid: u32) -> anyhow::Result<()> {
    let Some(birth) = birth(pid) else {
        return Ok(()); // Dead already: nothing to find later.
    };
    let path = path(dir, &spec.name);
    let (stop, layer) = (spec.stop, spec.layer);
    let record = Record {
        pid,
        stop,
        layer,
        birth,
    };
    std::fs::write(&path, record.to_line()).with_context(|| format!("write {}", path.display()))
}

/// Forgets a program that has ended.
pub(crate) fn remove(dir: &Path, name: &str) {
    if std::fs::remove_file(path(dir, name)).is_err() {
        // Never written, or removed already.
    }
}

/// Stops every program that a killed launcher left behind, the youngest layer first: what a
/// program leans on outlives it.
pub(crate) fn stop_leftovers(dir: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut leftovers = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let record = std::fs::read_to_string(&path)
            .ok()
            .and_then(|line| Record::parse(&line));
        match record {
            Some(record) if record.still_runs() => leftovers.push((path, record)),
            _ => {
                std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?
            }
        }
    }
    leftovers.sort_by_key(|(_, record)| Reverse(record.layer));
    for layer in leftovers.chunk_by(|(_, one), (_, next)| one.layer == next.layer) {
        stop_layer(layer, interrupt)?;
    }
    orphans::kill(dir);
    Ok(())
}

fn stop_layer(leftovers: &[(PathBuf, Record)], interrupt: &Interrupt) -> anyhow::Result<()> {
    for (path, record) in leftovers {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        say::progress(format_args!(
            "    stopping {name} (pid {}), left behind by an earlier run",
            record.pid
        ));
        ask_to_stop(record.pid, record.stop);
    }
    interrupt.wait_until(LEFTOVER_DEADLINE, || {
        Ok(!leftovers.iter().any(|(_, record)| record.still_runs()))
    })?;
    for (path, record) in leftovers {
        // The group outlives its leader where the leader was killed.
        kill_group(record.pid);
        interrupt.wait_until(LEFTOVER_DEADLINE, || Ok(!record.still_runs()))?;
        std::fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.pid"))
}

impl Record {
    fn still_runs(&self) -> bool {
        is_alive(self.pid) && birth(self.pid).as_deref() == Some(&self.birth)
    }

    fn to_line(&self) -> String {
        let stop = match self.stop {
            Stop::Terminate => "TERM",
            Stop::Interrupt => "INT",
        };
        format!("{} {stop} {} {}\n", self.pid, self.layer, self.birth)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.trim_end().splitn(4, ' ');
        let pid = words.next()?.parse().ok()?;
        let stop = match words.next()? {
            "TERM" => Stop::Terminate,
            "INT" => Stop::Interrupt,
            _ => return None,
        };
        let layer = words.next()?.parse().ok()?;
        let birth = words.next()?.to_owned();
        Some(Self {
            pid,
            stop,
            layer,
            birth,
        })
    }
}

/// When a process was born, in words that no other process of that id will ever have; none when
/// there is no such process.
fn birth(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Some(format!("{} {}", boot.trim(), start_ticks(&stat)?))
    } else {
        let output = Command::new("ps")
            .args(["-o", "lstart=", "-p", &pid.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Field 22 of `/proc/<pid>/stat`, for a process that lives: the command's name, in parentheses,
/// may hold spaces and parentheses itself. A zombie counts as dead.
fn start_ticks(stat: &str) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::process::Output;

    #[test]
    fn a_record_survives_its_file() {
        let record = Record {
            pid: 42,
            stop: Stop::Interrupt,
            layer: 3,
            birth: "boot 1234 with spaces".to_owned(),
        };
        assert_eq!(Record::parse(&record.to_line()), Some(record));
        assert_eq!(Record::parse("42 STOP x"), None);
        assert_eq!(Record::parse(""), None);
    }

    #[test]
    fn the_start_time_is_found_behind_any_name_and_zombies_are_dead() {
        let tail = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(start_ticks(&format!("7 (a) b)) S {tail}")), Some("777"));
        assert_eq!(start_ticks(&format!("7 (sh) Z {tail}")), None);
        assert_eq!(start_ticks("7"), None);
    }

    #[test]
    fn a_process_that_took_over_the_id_is_not_ours() {
        let ours = std::process::id();
        let mut record = Record {
            pid: ours,
            stop: Stop::Terminate,
            layer: 0,
            birth: birth(ours).unwrap(),
        };
        assert!(record.still_runs());
        record.birth.push('0');
        assert!(!record.still_runs());
    }

    /// A shell that notes its end in `told` when it is asked to stop.
    fn program(name: &str, layer: u8, told: &Path) -> Spec {
        let script = format!(
            "trap 'sleep 0.2; echo {name} >> {}; exit 0' TERM; echo up; while :; do sleep 0.02; done",
            told.display()
        );
        Spec {
            name: name.to_owned(),
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            without: Vec::new(),
            account: None,
            output: Output::Console,
            stop: Stop::Terminate,
            layer,
        }
    }

    #[test]
    fn leftovers_stop_in_the_reverse_order_of_their_start() {
        let dir = std::env::temp_dir().join(format!("pulsemon-records-{}", std::process::id()));
        let (records, told) = (dir.join("run"), dir.join("told"));
        std::fs::create_dir_all(&records).unwrap();
        // By name the lowest layer would come first, and all at once in any order.
        let mut children = Vec::new();
        for (name, layer) in [("a-epmd", 0), ("b-node", 1), ("c-api", 2)] {
            let spec = program(name, layer, &told);
            let mut child = spec.command().unwrap().spawn().unwrap();
            let mut up = [0; 3];
            child.stdout.take().unwrap().read_exact(&mut up).unwrap();
            write(&records, &spec, child.id()).unwrap();
            children.push(child);
        }
        // Whoever started them has died: somebody has to reap them.
        let reapers: Vec<_> = children
            .into_iter()
            .map(|mut child| std::thread::spawn(move || child.wait()))
            .collect();
        stop_leftovers(&records, &Interrupt::install().unwrap()).unwrap();
        for reaper in reapers {
            reaper.join().unwrap().unwrap();
        }
        let told = std::fs::read_to_string(&told).unwrap();
        assert_eq!(told, "c-api\nb-node\na-epmd\n");
        assert_eq!(std::fs::read_dir(&records).unwrap().count(), 0);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
