//! Probes against real servers that misbehave on purpose, and the whole process over a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails must fail its test"
)]

mod addresses;
mod bombs;
mod certificates;
mod documented;
mod fairness;
mod handing_back;
mod http2_refusals;
mod http_2;
mod many_faults;
mod names;
mod network;
mod pipeline;
mod program;
mod redirects;
mod responses;
mod selfcheck;
mod support;
mod tls;
