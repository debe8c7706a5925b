//! Which addresses, names and ports may be dialled for a tenant, and the only dial there is.
//!
//! The defence is a type: [`CheckedAddr`] has no public constructor, comes out of [`Resolver::resolve`] alone, and is
//! the only thing that [`connect`] takes. So a socket to an address that nobody judged does not compile. The prober and
//! the alerter (webhooks) resolve and dial through this crate; the api uses [`judge_text`] to refuse at once what can
//! never be probed.
//!
//! This crate may not read configuration, know about tenants, or keep any connection. It may not look a name up twice.
//!
//! Start reading at `judge.rs` (one URL, rule by rule), then `ranges.rs` (the forbidden, as data), `resolve.rs`, `dial.rs`.

mod alarm;
mod allow;
mod dial;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod judge;
mod names;
mod policy;
mod ports;
mod ranges;
mod reach;
mod resolve;

pub use ipnet::IpNet;

pub use alarm::Alarm;
pub use allow::{AllowRule, AllowRuleError};
pub use dial::{CONNECTION_STAGGER, CheckedAddr, DialError, NotConnected, connect, connect_any};
pub use judge::{MAX_URL_BYTES, Refusal, Scheme, Target, judge_text, judge_url};
pub use policy::Policy;
pub use ranges::{forbidden_range, is_public};
pub use resolve::{MAX_ANSWERS, MAX_CNAMES, RESOLUTION_DELAY, ResolveError, Resolver, TRY_TIMEOUT};

#[cfg(test)]
mod tests;
