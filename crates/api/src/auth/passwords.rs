//! bcrypt, off the async threads and never more at once than there are cores.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::error::Problem;

/// How long a password waits for a free core before its owner is told to come back: with cost 12 some twenty hashes a core.
/// Shorter, and a dozen people who begin at once on two cores would not all get in; longer, and a storm would keep everybody
/// waiting for nothing. Who waits holds no connection and no thread.
const WAIT: Duration = Duration::from_secs(5);
/// bcrypt reads no more bytes than this; a longer password never gets in.
pub(crate) const MAX_BYTES: usize = 72;

/// Hashes and verifies. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    cost: u32,
    /// As many as cores: more would only make each other slow.
    cores: Arc<Semaphore>,
    /// What is verified where there is no account, so that the answer takes as long. Of a password that nobody knows.
    dummy: Arc<str>,
}

/// What a login found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The password is right.
    Right {
        /// The stored hash has another cost than is configured now.
        outdated: bool,
    },
    /// It is wrong, or there is nothing to compare it with.
    Wrong,
}

impl Passwords {
    /// Computes the dummy hash, which takes as long as a login.
    ///
    /// # Errors
    /// For a cost outside 4..=31.
    pub(crate) async fn new(cost: u32) -> anyhow::Result<Self> {
        let unknown = STANDARD.encode(rand::random::<[u8; 32]>());
        let dummy = tokio::task::spawn_blocking(move || bcrypt::hash(unknown, cost)).await??;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            cost,
            cores: Arc::new(Semaphore::new(cores)),
            dummy: dummy.into(),
        })
    }

    /// A hash that no password has which anybody knows.
    pub(crate) fn nobodys(&self) -> String {
        self.dummy.to_string()
    }

    /// Hashes a password of at most 72 bytes.
    ///
    /// # Errors
    /// 503 when no core is free in time.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String, Problem> {
        let cost = self.cost;
        // `hash` would cut a longer password; the length was checked where it was read.
        self.run(move || bcrypt::hash(password.expose_secret(), cost))
            .await?
            .map_err(Problem::internal)
    }

    /// Compares; without a hash, or with a password that nobody can have, it takes as long and fails.
    ///
    /// # Errors
    /// 503 when no core is free in time.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<Verdict, Problem> {
        let possible = password.expose_secret().len() <= MAX_BYTES;
        let (known, hash) = match hash.filter(|_| possible) {
            Some(hash) => (true, hash),
            None => (false, self.dummy.to_string()),
        };
        let cost = self.cost;
        let parts = hash.parse::<bcrypt::HashParts>();
        let stored = parts.map_or(cost, |parts| parts.get_cost());
        let outdated = stored != cost;
        let matches = self
            .run(move || {
                let matches = bcrypt::verify(password.expose_secret(), &hash)?;
                if !matches {
                    for cost in rest(stored, cost) {
                        bcrypt::hash(password.expose_secret(), cost)?;
                    }
                }
                Ok::<_, bcrypt::BcryptError>(matches)
            })
            .await?
            .map_err(Problem::internal)?;
        Ok(if matches && known {
            Verdict::Right { outdated }
        } else {
            Verdict::Wrong
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let core = Arc::clone(&self.cores).acquire_owned();
        let core = tokio::time::timeout(WAIT, core)
            .await
            .map_err(|_elapsed| Problem::unavailable("no core free for bcrypt"))?
            .map_err(Problem::internal)?;
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let output = span.in_scope(work);
            drop(core); // held by the work, not by a caller who may have gone
            output
        })
        .await
        .map_err(Problem::internal)
    }
}

/// What is left to compute after a comparison at an old cost, so that a wrong password takes as long as at the present one:
/// each cost takes twice as long as the one below it. An account from before the cost was raised would else be told by a
/// quick answer. (Nothing helps where it was lowered.)
fn rest(stored: u32, present: u32) -> Range<u32> {
    stored..present
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_takes_as_long_at_an_old_cost_as_at_the_present_one() {
        let rounds = |cost: u32| 1_u64 << cost;
        for (stored, present) in [(4, 4), (10, 12), (4, 31), (12, 10)] {
            let spent = rounds(stored) + rest(stored, present).map(rounds).sum::<u64>();
            assert_eq!(spent, rounds(present.max(stored)));
        }
    }

    #[tokio::test]
    async fn a_password_is_right_only_whole_and_only_for_its_hash() {
        let passwords = Passwords::new(4).await.unwrap();
        let long = "x".repeat(MAX_BYTES);
        let hash = passwords.hash(long.clone().into()).await.unwrap();
        let verify = |password: String, hash: Option<String>| {
            let passwords = passwords.clone();
            async move { passwords.verify(password.into(), hash).await.unwrap() }
        };
        let right = Verdict::Right { outdated: false };
        assert_eq!(verify(long.clone(), Some(hash.clone())).await, right);
        assert_eq!(
            verify(format!("{long}y"), Some(hash.clone())).await,
            Verdict::Wrong
        );
        assert_eq!(verify(long.clone(), None).await, Verdict::Wrong);
        let nobodys = passwords.nobodys();
        for guess in ["", "nobody", &nobodys] {
            let verdict = verify(guess.to_owned(), Some(nobodys.clone())).await;
            assert_eq!(verdict, Verdict::Wrong);
        }
        let dearer = Passwords::new(5).await.unwrap();
        let verdict = dearer.verify(long.into(), Some(hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { outdated: true });
    }
}
