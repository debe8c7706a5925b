//! What `/readyz` says: PostgreSQL, its schema, and the broker.

use std::time::Duration;

use db::SchemaState;
use db::migrations::check;
use runtime::Readiness;
use runtime::ops::State;

use crate::Parts;

/// What the scheduler cannot work without.
pub(crate) const DEPENDENCIES: [&str; 3] = [POSTGRES, SCHEMA, BROKER];
const POSTGRES: &str = "postgres";
const SCHEMA: &str = "schema";
const BROKER: &str = "broker";

/// How often PostgreSQL is asked; the broker's state is known at once.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How often a start asks whether the schema is there by now.
const SCHEMA_POLL: Duration = Duration::from_millis(250);

/// Keeps `readiness` true until shutdown.
pub(crate) async fn watch(parts: Parts, readiness: Readiness) {
    let mut broker = parts.bus.status();
    let mut ask = tokio::time::interval(ASK_EVERY);
    loop {
        let trouble = broker.borrow_and_update().trouble();
        readiness.set(BROKER, trouble.map_or(State::Ready, State::NotReady));
        tokio::select! {
            () = parts.shutdown.requested() => return,
            changed = broker.changed() => if changed.is_err() { return },
            _ = ask.tick() => note(&check(&parts.db).await, &readiness),
        }
    }
}

fn note(schema: &SchemaState, readiness: &Readiness) {
    match schema {
        SchemaState::Unreachable { reason } => {
            readiness.set_not_ready(POSTGRES, reason.as_str());
            readiness.set_not_ready(SCHEMA, "the database does not answer");
        }
        SchemaState::Current => {
            readiness.set_ready(POSTGRES);
            readiness.set_ready(SCHEMA);
        }
        SchemaState::Behind { .. } | SchemaState::Ahead { .. } => {
            readiness.set_ready(POSTGRES);
            readiness.set_not_ready(SCHEMA, schema.to_string());
        }
    }
}

/// Waits until the database has the schema we were built for; false when shutdown came first.
pub(crate) async fn schema_is_there(parts: &Parts) -> bool {
    loop {
        tokio::select! {
            () = parts.shutdown.requested() => return false,
            state = check(&parts.db) => if state.is_current() { return true },
        }
        tokio::select! {
            () = parts.shutdown.requested() => return false,
            () = tokio::time::sleep(SCHEMA_POLL) => {}
        }
    }
}
