//! One signal to stop, and one deadline to have stopped by.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a process may take to finish what it has in flight after it was asked to stop:
/// under the 30 s after which supervisors kill.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// After SIGTERM, so long work is still taken in by who has load balancers before him: they ask
/// `/readyz` every few seconds, and send us requests until they have seen it red.
pub const NOTICE: Duration = Duration::from_secs(5);

/// Tells all parts of a process that it has been asked to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    token: CancellationToken,
    request: Arc<OnceLock<Request>>,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    at: Instant,
    /// How long others need to notice.
    notice: Duration,
}

impl Request {
    fn now(notice: Duration) -> Self {
        Self {
            at: Instant::now(),
            notice,
        }
    }
}

/// Asks to stop; held by whoever started the process (a signal task, or a test).
/// Dropping it asks for nothing.
#[derive(Debug, Clone)]
pub struct Trigger {
    shutdown: Shutdown,
}

impl Trigger {
    /// Asks to stop, as Ctrl-C does: nobody has to notice first. Later calls change nothing.
    pub fn shut_down(&self) {
        self.ask(Duration::ZERO);
    }

    /// Asks to stop, as SIGTERM does; see [`Shutdown::noticed`]. Later calls change nothing.
    pub fn terminate(&self) {
        self.ask(NOTICE);
    }

    fn ask(&self, notice: Duration) {
        self.shutdown.request.get_or_init(|| Request::now(notice));
        self.shutdown.token.cancel();
    }
}

/// The deadline passed before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not drained within {} s of the request to stop", DRAIN_DEADLINE.as_secs())]
pub struct DrainTimedOut;

impl Shutdown {
    /// A shutdown that the caller asks for.
    pub fn manual() -> (Self, Trigger) {
        let shutdown = Self {
            token: CancellationToken::new(),
            request: Arc::new(OnceLock::new()),
        };
        let trigger = Trigger {
            shutdown: shutdown.clone(),
        };
        (shutdown, trigger)
    }

    /// Asked for by SIGTERM or SIGINT; a second signal ends the process at once with status
    /// 130. The listening task lives as long as the runtime.
    ///
    /// # Errors
    /// When the OS refuses a signal handler.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (shutdown, trigger) = Self::manual();
        tokio::spawn(async move {
            for first in [true, false] {
                let is_person = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
                };
                if !first {
                    exit_at_once();
                }
                tracing::info!("asked to stop: finishing what is in flight");
                if is_person {
                    trigger.shut_down();
                } else {
                    trigger.terminate();
                }
            }
        });
        Ok(shutdown)
    }

    /// Resolves once somebody asked to stop. Cancel safe.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Resolves once whoever sends us work has had the time to notice that we stop: [`NOTICE`]
    /// after SIGTERM, at once after Ctrl-C. Cancel safe.
    pub async fn noticed(&self) {
        let request = self.request().await;
        tokio::time::sleep_until(request.at + request.notice).await;
    }

    /// Whether somebody asked to stop.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// For libraries that take a token. Never cancel it: that is [`Trigger`]'s.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs `work` to its end, or until [`DRAIN_DEADLINE`] after the request to stop, whichever
    /// is first; then `work` is dropped.
    ///
    /// # Errors
    /// [`DrainTimedOut`] when the deadline won.
    pub async fn drain<F: Future>(&self, work: F) -> Result<F::Output, DrainTimedOut> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.deadline() => Err(DrainTimedOut),
        }
    }

    /// Resolves [`DRAIN_DEADLINE`] after the request to stop.
    pub async fn deadline(&self) {
        let request = self.request().await;
        tokio::time::sleep_until(request.at + DRAIN_DEADLINE).await;
    }

    async fn request(&self) -> Request {
        self.requested().await;
        // There is one: it comes before the token.
        *self.request.get_or_init(|| Request::now(Duration::ZERO))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator asked twice: skipping shutdown is what is wanted"
)]
fn exit_at_once() {
    tracing::error!("asked to stop a second time: exiting at once");
    std::process::exit(130);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_request() {
        let (shutdown, trigger) = Shutdown::manual();
        let clone = shutdown.clone();
        assert!(!clone.is_requested());
        trigger.shut_down();
        trigger.shut_down();
        clone.requested().await;
        assert!(clone.is_requested());
    }

    #[tokio::test(start_paused = true)]
    async fn load_balancers_get_time_to_notice_and_a_person_need_not_wait() {
        for (is_person, notice) in [(false, NOTICE), (true, Duration::ZERO)] {
            let (shutdown, trigger) = Shutdown::manual();
            if is_person {
                trigger.shut_down();
            } else {
                trigger.terminate();
            }
            let asked = Instant::now();
            shutdown.requested().await;
            assert_eq!(asked.elapsed(), Duration::ZERO);
            shutdown.noticed().await;
            // The clock's ticks are milliseconds.
            let late = asked.elapsed().saturating_sub(notice);
            assert!(asked.elapsed() >= notice && late < Duration::from_millis(10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cut_off_at_one_deadline_however_many_drains_follow() {
        let (shutdown, trigger) = Shutdown::manual();
        assert_eq!(shutdown.drain(async { 7 }).await, Ok(7));
        trigger.shut_down();
        let asked = Instant::now();
        let slow = shutdown.drain(std::future::pending::<()>()).await;
        assert_eq!(slow, Err(DrainTimedOut));
        let second = shutdown.drain(std::future::pending::<()>()).await;
        assert_eq!(second, Err(DrainTimedOut));
        assert!(asked.elapsed() < DRAIN_DEADLINE + Duration::from_secs(1));
        assert_eq!(shutdown.drain(async { 8 }).await, Ok(8));
    }
}
