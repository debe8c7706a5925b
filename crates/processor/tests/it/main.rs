//! The processor against a real database and a real broker.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers stop the test where it broke"
)]

mod alerts;
mod catchup;
mod certificates;
mod lifecycle;
mod once;
mod opinion;
mod order;
mod outage;
mod poison;
mod signature;
mod sums;
mod world;
