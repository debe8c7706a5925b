//! The only crate that talks to RabbitMQ: what queues there are, publishing with confirms,
//! consuming with manual acknowledgements, and healing of lost connections.
//!
//! It uses `models` for the messages and nothing else of ours; no other crate names lapin.
//! Start with [`route`]: every exchange, queue, version and bound on one screen. Then
//! [`Bus::connect`], [`Publisher::publish`], [`Subscription::next`] and what can be done with a
//! [`Delivery`].
//!
//! Everything arrives at least once. A publisher that lost its connection sends again; a
//! delivery that was not acknowledged comes again: make the second time boring by a key.

mod bus;
mod connection;
mod consumer;
mod delivery;
mod depth;
mod metric;
mod outgoing;
mod publisher;
pub mod route;
mod status;
mod topology;

pub use bus::{Bus, BusConfig, BusConfigError, Declares};
pub use consumer::{MAX_PREFETCH, Subscription};
pub use delivery::{BuryError, DecodeError, Delivery, ack_all, decode};
pub use depth::DepthError;
pub use outgoing::{Outgoing, OutgoingError};
pub use publisher::{CONFIRM_TIMEOUT, PublishError, PublishOutcome, Publisher};
pub use route::{DeadQueue, Route};
pub use status::{BusStatus, LinkStatus};
