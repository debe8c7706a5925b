//! The only way a test waits: ask again until it is so.

use std::fmt::{Debug, Display};
use std::time::Duration;

use tokio::time::Instant;

/// How long [`eventually`] asks: far longer than anything takes on a busy two-core machine,
/// since a test that passes never waits for it.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How often it asks.
pub const POLL: Duration = Duration::from_millis(20);
/// One question may hang, for example on a server that is frozen.
const QUESTION: Duration = Duration::from_secs(5);

/// What a question answers: here it is, or why not yet.
pub trait Answer {
    /// What was waited for.
    type Found;

    /// What was found, or the reason why not.
    ///
    /// # Errors
    /// Why not yet.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Answer for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "the answer was None".to_owned())
    }
}

impl<T, E: Debug> Answer for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

impl Answer for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        self.then_some(())
            .ok_or_else(|| "the answer was false".to_owned())
    }
}

/// Asks `question` every [`POLL`] until it answers `Some`, `Ok` or `true`, and returns what was
/// found.
///
/// # Panics
/// After [`DEADLINE`], with the last reason.
#[track_caller]
pub fn eventually<A, Q, F>(question: Q) -> impl Future<Output = A::Found>
where
    Q: FnMut() -> F,
    F: Future<Output = A>,
    A: Answer,
{
    within(DEADLINE, question)
}

/// [`eventually`] with another deadline, for what is slow by nature (a server that starts).
///
/// # Panics
/// After `deadline`, with the last reason.
#[track_caller]
pub fn within<A, Q, F>(deadline: Duration, mut question: Q) -> impl Future<Output = A::Found>
where
    Q: FnMut() -> F,
    F: Future<Output = A>,
    A: Answer,
{
    let asked_at = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        loop {
            let reason = match tokio::time::timeout(QUESTION, question()).await {
                Ok(answer) => match answer.found() {
                    Ok(found) => return found,
                    Err(reason) => reason,
                },
                Err(_elapsed) => format!("no answer within {QUESTION:?}"),
            };
            if Instant::now() >= end {
                give_up(asked_at, deadline, &reason);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn give_up(asked_at: &dyn Display, deadline: Duration, reason: &str) -> ! {
    panic!("not so within {deadline:?} (asked at {asked_at}): {reason}")
}
