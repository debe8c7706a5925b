//! What every process needs around its work: the environment, the clock, telemetry,
//! shutdown, the ops port and back-off.
//!
//! It knows no database, no broker and none of our other crates. It is the only crate that
//! reads `std::env` and the only one that reads the time. Start with [`process`], which is
//! what each `main.rs` calls, then [`mod@env`] for how a configuration is read.

pub mod backoff;
pub mod clock;
pub mod env;
pub mod ops;
pub mod process;
pub mod shutdown;
pub mod telemetry;

pub use backoff::Backoff;
pub use clock::{Clock, ClockShift};
pub use ops::{OpsServer, Readiness};
pub use shutdown::{Shutdown, Trigger};
