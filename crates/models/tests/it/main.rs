//! What is stored or travels, held against frozen samples.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a panic is the failure"
)]

mod codes;
mod messages;
