//! When a process may use the database.

use tokio::sync::watch;

use crate::SchemaState;

/// Closed until the database has the schema that this program knows, and has told its time.
#[derive(Debug)]
pub struct Gate {
    known: watch::Sender<Known>,
}

#[derive(Debug, Default)]
struct Known {
    is_schema_current: bool,
    is_time_known: bool,
}

impl Known {
    fn is_all(&self) -> bool {
        self.is_schema_current && self.is_time_known
    }
}

impl Gate {
    /// Nothing is known yet.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            known: watch::Sender::new(Known::default()),
        }
    }

    /// Notes what [`migrations::check`](crate::migrations::check) found. A database that is away for a moment has not
    /// changed its schema: what is asked of it fails by itself and is tried again.
    pub fn schema_is(&self, state: &SchemaState) {
        if !matches!(state, SchemaState::Unreachable { .. }) {
            let is_current = state.is_current();
            self.known
                .send_modify(|known| known.is_schema_current = is_current);
        }
    }

    /// Notes that the clock was set by the database's.
    pub fn time_is_known(&self) {
        self.known.send_modify(|known| known.is_time_known = true);
    }

    /// Whether to go on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.known.borrow().is_all()
    }

    /// Returns once it is open. Cancel safe.
    pub async fn opened(&self) {
        let mut known = self.known.subscribe();
        // The sender lives in `self`.
        drop(known.wait_for(Known::is_all).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> SchemaState {
        SchemaState::Unreachable {
            reason: "connection refused".to_owned(),
        }
    }

    fn behind() -> SchemaState {
        SchemaState::Behind {
            pending: vec!["00000000000001".to_owned()],
        }
    }

    #[tokio::test]
    async fn it_opens_when_schema_and_time_are_known_in_either_order() {
        for schema_first in [true, false] {
            let gate = Gate::closed();
            for schema in [schema_first, !schema_first] {
                assert!(!gate.is_open());
                if schema {
                    gate.schema_is(&SchemaState::Current);
                } else {
                    gate.time_is_known();
                }
            }
            assert!(gate.is_open());
            gate.opened().await;
        }
    }

    #[test]
    fn another_schema_closes_it_and_a_database_that_is_away_does_not() {
        let gate = Gate::closed();
        gate.time_is_known();
        gate.schema_is(&away());
        assert!(!gate.is_open(), "never seen");
        gate.schema_is(&SchemaState::Current);
        gate.schema_is(&away());
        assert!(gate.is_open());
        gate.schema_is(&behind());
        assert!(!gate.is_open());
    }
}
