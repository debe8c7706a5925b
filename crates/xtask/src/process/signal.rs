//! Signals to a child and to its whole group.

use rustix::process::{self, Pid, Signal, kill_process_group, test_kill_process};

/// How a program is asked to stop in an orderly way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGTERM: most programs.
    Terminate,
    /// SIGINT: PostgreSQL's fast shutdown (its SIGTERM waits for every client to leave), and our
    /// own processes' (their SIGTERM waits for load balancers).
    Interrupt,
}

impl Stop {
    fn signal(self) -> Signal {
        match self {
            Self::Terminate => Signal::TERM,
            Self::Interrupt => Signal::INT,
        }
    }
}

/// Asks the process to stop; a process that is gone is fine.
pub(crate) fn ask_to_stop(pid: u32, stop: Stop) {
    if let Some(pid) = known(pid)
        && process::kill_process(pid, stop.signal()).is_err()
    {
        // Gone already.
    }
}

/// Asks the whole group to stop; a group that is gone is fine.
pub(crate) fn ask_group_to_stop(leader: u32, stop: Stop) {
    if let Some(pid) = known(leader)
        && kill_process_group(pid, stop.signal()).is_err()
    {
        // Gone already.
    }
}

/// Kills one process; one that is gone is fine.
pub(crate) fn kill_process(pid: u32) {
    if let Some(pid) = known(pid)
        && process::kill_process(pid, Signal::KILL).is_err()
    {
        // Gone already.
    }
}

/// Kills what is left of the group that `leader` led.
pub(crate) fn kill_group(leader: u32) {
    if let Some(pid) = known(leader)
        && kill_process_group(pid, Signal::KILL).is_err()
    {
        // Gone already.
    }
}

/// Whether a process with this id exists.
pub(crate) fn is_alive(pid: u32) -> bool {
    known(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn known(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
