//! Ctrl-C, SIGTERM and a closed terminal: a flag that every wait looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a wait looks again: short enough to feel instant, long enough to cost nothing.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Someone asked the launcher to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    flag: Arc<AtomicBool>,
}

/// The error that a wait ends with when someone asked to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

impl Interrupt {
    /// Takes the signals over; from here on they only set a flag.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag)).context("take over signals")?;
        }
        Ok(Self { flag })
    }

    /// Whether someone asked to stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Forgets the request, so that a second one can be told from it.
    pub(crate) fn take(&self) -> bool {
        self.flag.swap(false, Ordering::SeqCst)
    }

    /// Waits until `done` answers true. False after `deadline`; an error when interrupted.
    pub(crate) fn wait_until(
        &self,
        deadline: Duration,
        mut done: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let begun = Instant::now();
        loop {
            if self.is_requested() {
                return Err(Interrupted.into());
            }
            if done()? {
                return Ok(true);
            }
            if begun.elapsed() > deadline {
                return Ok(false);
            }
            pause();
        }
    }
}

/// The launcher's one sleep.
#[expect(
    clippy::disallowed_methods,
    reason = "the launcher has no async runtime to block; it polls its children"
)]
pub(crate) fn pause() {
    std::thread::sleep(LOOK_AGAIN);
}
