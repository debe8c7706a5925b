//! What the workspace promises about its own shape: who may depend on whom, which crates may
//! never come in, under which licences, and who may read the environment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod arrows;
mod forbidden;
mod graph;
mod licences;
mod sources;
