//! What the database layer promises, against a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: a broken fixture should stop the test where it broke"
)]

mod clock;
mod extra_probes;
mod limits;
mod migrations;
mod partitions;
mod pool;
mod results;
mod transaction;
