//! One test for each promise, against all five processes over a real RabbitMQ and a real PostgreSQL.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where its promise breaks"
)]

mod client;
mod machines;
mod programs;
mod stack;
mod tenant;

mod account;
mod alerting;
mod copies;
mod environment;
mod figures;
mod killing;
mod opinion;
mod probing;
mod selfcheck;
mod signature;
mod soak;
mod tenancy;
mod trouble;
