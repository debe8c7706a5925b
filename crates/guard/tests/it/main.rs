//! Names and sockets: a small name server over UDP answers, a canary listener counts who came.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails must fail its test"
)]

mod dial;
mod name_server;
mod resolve;

/// Judges with rules as `PROBE_ALLOW_CIDRS` writes them.
fn policy(rules: &str) -> guard::Policy {
    guard::Policy::allowing(guard::AllowRule::parse_list(rules).unwrap())
}

/// Far enough away for what works, near enough for what never answers.
fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_millis(700)
}
