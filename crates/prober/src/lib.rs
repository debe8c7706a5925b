//! Takes jobs, probes what they name at the moment they name, and sends what it found.
//!
//! It has no database and keeps nothing that a kill may not take. A target that is down is a value; an error is our
//! own failure. Every socket to a tenant's destination comes from `guard`.
//!
//! Start reading at `probe.rs` (the timeline of one probe), then `consume.rs` (from job to acknowledged result).

mod aim;
mod avoid;
mod cert;
mod config;
mod consume;
mod exchange;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod http1;
mod http2;
mod lane;
mod ledger;
mod limits;
mod line;
mod meter;
mod metric;
mod offset;
mod pace;
mod panics;
mod probe;
mod publish;
mod recall;
mod redirect;
mod road;
mod run;
mod selfcheck;
mod stopwatch;
mod tls;
mod trip;
mod used;
mod verdict;

pub use config::Config;
pub use probe::{Engine, EngineConfig};
pub use run::run;
pub use trip::Finding;
