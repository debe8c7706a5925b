//! What a person reads: stages with their time on stderr, results on stdout.
//!
//! A terminal that went away is no reason to stop: stopping in order matters more than the text.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

/// One line of progress.
pub(crate) fn progress(text: impl Display) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        // The terminal is gone; there is nobody to tell.
    }
}

/// One or more lines of result.
pub(crate) fn result(text: impl Display) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        // As above.
    }
}

/// Runs one stage: says its name first, and its time when it is over.
pub(crate) fn stage<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    progress(format_args!("==> {name}"));
    let begun = Instant::now();
    let done = work();
    let verdict = if done.is_ok() { "done" } else { "FAILED" };
    progress(format_args!(
        "    {name}: {verdict} in {}",
        seconds(begun.elapsed())
    ));
    done
}

/// A duration for people: `0.4 s`, `12.0 s`, `3 min 05 s`.
pub(crate) fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 {
        format!("{whole}.{} s", time.subsec_millis() / 100)
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_person_says_them() {
        assert_eq!(seconds(Duration::from_millis(449)), "0.4 s");
        assert_eq!(seconds(Duration::from_millis(12_000)), "12.0 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }
}
