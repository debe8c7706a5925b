//! Children of our children that outlived both: `RabbitMQ`'s node stays when its script is killed.
//!
//! Every program gets a mark in its environment that its own children inherit. Linux shows it;
//! elsewhere the pid files have to do.

use std::path::Path;

use super::signal::kill_process;
use crate::say;

/// Holds the folder of pid files: one launcher's programs, and nobody else's.
const MARK: &str = "PULSEMON_LAUNCHER";

/// The mark of one launcher.
pub(super) fn mark(records: &Path) -> (&'static str, &Path) {
    (MARK, records)
}

/// Kills every process with this launcher's mark. To be called when all its programs have ended.
pub(super) fn kill(records: &Path) {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    let entry = format!("{MARK}={}", records.display());
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        // Other users' environments are closed to us, and not ours to judge.
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if has_entry(&environment, &entry) {
            say::progress(format_args!(
                "    killing pid {pid}, left behind by an earlier run"
            ));
            kill_process(pid);
        }
    }
}

fn has_entry(environment: &[u8], entry: &str) -> bool {
    environment
        .split(|byte| *byte == 0)
        .any(|known| known == entry.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_mark_counts() {
        let environment = b"HOME=/root\0PULSEMON_LAUNCHER=/d/test/run\0A=b\0";
        assert!(has_entry(environment, "PULSEMON_LAUNCHER=/d/test/run"));
        assert!(!has_entry(environment, "PULSEMON_LAUNCHER=/d/test"));
        assert!(!has_entry(environment, "AUNCHER=/d/test/run"));
    }
}
