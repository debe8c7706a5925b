//! The ops port: is the process alive, is it ready, what does it count.
//!
//! `GET /healthz` (the process answers), `GET /readyz` (200, or 503 naming the dependency that
//! is not there), `GET /metrics`. It stays open while the process drains, so that load
//! balancers see `/readyz` turn 503 first.

mod readiness;
mod server;

pub use readiness::{Readiness, Snapshot, State};
pub use server::OpsServer;
