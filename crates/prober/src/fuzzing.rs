//! What must hold of a probe whatever a stranger's server sends. Fuzzers call it, and so does a test with every input
//! that they kept; nothing else is compiled with it.
//!
//! Each function is one target of `fuzz/`. What they ask of a result stands in `promises.rs`.

mod answer;
mod certificate;
mod handshake;
mod promises;
mod redirect;
mod run;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::answer;
pub use certificate::certificate;
pub use handshake::handshake;
pub use redirect::redirect;

use chrono::DateTime;
use models::Time;
use rustls_pki_types::CertificateDer;

/// The authority of some kept certificates; valid from 2026 on.
const ROOT: &[u8] = include_bytes!("cert/fixtures/root.der");

/// An authority that all runs here trust beside the real ones.
fn root() -> CertificateDer<'static> {
    CertificateDer::from(ROOT)
}

/// The moment of all runs here: in January 2027.
fn now() -> Time {
    DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1_800_000_000)
}
