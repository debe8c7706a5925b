//! The alerter against a real database, a real broker and providers that are real servers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers stop the test where it broke"
)]

mod account;
mod held;
mod process;
mod recovery;
mod sending;
mod sink;
mod transports;
mod voided;
mod world;
