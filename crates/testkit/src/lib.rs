//! Real servers for tests: databases, vhosts, targets, name servers, mail providers.
//!
//! Only tests link it, so it may panic: a server that does not start ends the test with a
//! sentence. Nothing here is a mock; everything listens on a real socket of 127.0.0.1. Start
//! with [`TestDb`], [`FakeTarget`] and [`eventually()`].

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: a broken fixture should stop the test where it broke"
)]

pub mod database;
pub mod dns;
pub mod eventually;
pub mod proxy;
pub mod resend;
pub mod target;
pub mod vhost;

pub use database::TestDb;
pub use dns::{FakeDns, Reply};
pub use eventually::eventually;
pub use proxy::Proxy;
pub use resend::FakeResend;
pub use target::{Authority, Certificate, FakeTarget, Step};
pub use vhost::TestVhost;
