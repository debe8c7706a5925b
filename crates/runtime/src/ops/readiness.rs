//! Which dependencies answer.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Shutdown;

/// How a dependency is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Ready,
    /// It does not, and the process can do its work all the same.
    Degraded(String),
    /// It does not, and the process should get no work.
    NotReady(String),
}

impl State {
    fn to_json(&self) -> Value {
        match self {
            Self::Ready => json!({"status": "ready"}),
            Self::Degraded(reason) => json!({"status": "degraded", "reason": reason}),
            Self::NotReady(reason) => json!({"status": "not_ready", "reason": reason}),
        }
    }
}

/// How long what a process depends on may need to answer for the first time before that is worth a
/// warning: a start waits for others that start beside it.
const STARTING: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Known {
    state: State,
    /// It has been ready before.
    was_ready: bool,
    /// The state is in the log as loudly as it deserves.
    told: bool,
}

/// The dependencies of one process, set by whoever watches them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readiness {
    states: Arc<RwLock<BTreeMap<&'static str, Known>>>,
    started: Instant,
    shutdown: Shutdown,
}

impl Readiness {
    /// Names what the process depends on; nothing is ready yet. Once `shutdown` is requested
    /// the process is never ready.
    pub fn new(dependencies: &[&'static str], shutdown: Shutdown) -> Self {
        let states = dependencies.iter().map(|name| (*name, Known::starting()));
        Self {
            states: Arc::new(RwLock::new(states.collect())),
            started: Instant::now(),
            shutdown,
        }
    }

    /// `name` answers.
    pub fn set_ready(&self, name: &'static str) {
        self.set(name, State::Ready);
    }

    /// `name` is away and the process works without it. `reason` is shown to operators: no
    /// addresses with credentials.
    pub fn set_degraded(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, State::Degraded(reason.into()));
    }

    /// `name` is away and the process needs it. `reason` is shown to operators.
    pub fn set_not_ready(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, State::NotReady(reason.into()));
    }

    /// Sets a state and logs it where it is news.
    pub fn set(&self, name: &'static str, state: State) {
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        let known = states.entry(name).or_insert_with(Known::starting);
        let is_start = !known.was_ready && self.started.elapsed() < STARTING;
        if known.state == state && (known.told || is_start) {
            return;
        }
        known.told = true;
        match &state {
            State::Ready => {
                known.was_ready = true;
                tracing::info!(dependency = name, "{name} is ready");
            }
            State::Degraded(reason) | State::NotReady(reason) if is_start => {
                known.told = false;
                tracing::info!(dependency = name, %reason, "{name} does not answer yet");
            }
            State::Degraded(reason) => {
                tracing::warn!(dependency = name, %reason, "{name} is away: working without it");
            }
            State::NotReady(reason) => {
                tracing::warn!(dependency = name, %reason, "{name} is not ready");
            }
        }
        known.state = state;
    }

    /// All states at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            dependencies: states
                .iter()
                .map(|(name, known)| (*name, known.state.clone()))
                .collect(),
            stopping: self.shutdown.is_requested(),
        }
    }
}

impl Known {
    fn starting() -> Self {
        Self {
            state: State::NotReady("starting".into()),
            was_ready: false,
            told: false,
        }
    }
}

/// All dependencies at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// By name.
    pub dependencies: BTreeMap<&'static str, State>,
    /// The process has been asked to stop.
    pub stopping: bool,
}

impl Snapshot {
    /// Whether the process should get work.
    pub fn is_ready(&self) -> bool {
        let any_away = self
            .dependencies
            .values()
            .any(|state| matches!(state, State::NotReady(_)));
        !self.stopping && !any_away
    }

    /// The HTTP status of `/readyz`.
    pub fn status_code(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }

    /// The same for strangers: which dependency is how, and not why.
    pub fn to_public_json(&self) -> Value {
        let mut view = self.to_json();
        if let Some(Value::Object(dependencies)) = view.get_mut("dependencies") {
            for state in dependencies.values_mut().filter_map(Value::as_object_mut) {
                state.remove("reason");
            }
        }
        view
    }

    /// The body of `/readyz`: `status` is `ready`, `degraded`, `not_ready` or `stopping`.
    pub fn to_json(&self) -> Value {
        let degraded = self
            .dependencies
            .values()
            .any(|state| matches!(state, State::Degraded(_)));
        let status = match (self.stopping, self.is_ready(), degraded) {
            (true, _, _) => "stopping",
            (_, false, _) => "not_ready",
            (_, _, true) => "degraded",
            _ => "ready",
        };
        let dependencies: serde_json::Map<String, Value> = self
            .dependencies
            .iter()
            .map(|(name, state)| ((*name).to_owned(), state.to_json()))
            .collect();
        json!({"status": status, "dependencies": dependencies})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_yet_is_a_warning_once_the_start_is_over() {
        let (shutdown, _trigger) = Shutdown::manual();
        let readiness = Readiness::new(&["postgres"], shutdown);
        let told = |readiness: &Readiness| {
            readiness.set_not_ready("postgres", "connection refused");
            let states = readiness.states.read().unwrap();
            states.get("postgres").unwrap().told
        };
        assert!(!told(&readiness), "it may start beside us");
        tokio::time::advance(STARTING).await;
        assert!(told(&readiness));
        readiness.set_ready("postgres");
        let (shutdown, _trigger) = Shutdown::manual();
        let readiness = Readiness::new(&["postgres"], shutdown);
        readiness.set_ready("postgres");
        assert!(told(&readiness), "it was there and is gone");
    }

    #[test]
    fn one_missing_dependency_is_enough_and_is_named() {
        let (shutdown, trigger) = Shutdown::manual();
        let readiness = Readiness::new(&["postgres", "rabbitmq"], shutdown);
        assert_eq!(readiness.snapshot().status_code(), 503);
        readiness.set_ready("postgres");
        assert!(!readiness.snapshot().is_ready());
        readiness.set_degraded("rabbitmq", "connection refused");
        let snapshot = readiness.snapshot();
        assert_eq!(snapshot.status_code(), 200);
        assert_eq!(
            snapshot.to_json(),
            json!({"status": "degraded", "dependencies": {
                "postgres": {"status": "ready"},
                "rabbitmq": {"status": "degraded", "reason": "connection refused"},
            }})
        );
        assert_eq!(
            snapshot.to_public_json(),
            json!({"status": "degraded", "dependencies": {
                "postgres": {"status": "ready"},
                "rabbitmq": {"status": "degraded"},
            }})
        );
        readiness.set_ready("rabbitmq");
        assert_eq!(readiness.snapshot().to_json()["status"], "ready");
        trigger.shut_down();
        assert_eq!(readiness.snapshot().status_code(), 503);
        assert_eq!(readiness.snapshot().to_json()["status"], "stopping");
    }
}
