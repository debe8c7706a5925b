//! The scheduler against a real database and a real broker. Time is moved, not waited for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is the failure"
)]

mod broker;
mod extra;
mod history;
mod rig;
mod schedule;
mod spans;
