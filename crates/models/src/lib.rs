//! The nouns of the product and its pure rules.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time and chance are arguments.
//! Start with [`service`] and [`slot`] (what is due when), go on with [`probe`] and [`message`]
//! (what travels), and end with `evaluate` (what a result means) and [`opinion`] (what makes one
//! void).

pub mod account_mail;
pub mod alert;
pub mod audit;
pub mod certificate;
pub mod cooldown;
pub mod evaluate;
pub mod health;
pub mod histogram;
pub mod id;
pub mod interval;
pub mod limit;
pub mod mail_token;
pub mod message;
pub mod opinion;
pub mod probe;
pub mod service;
pub mod signature;
pub mod sla;
pub mod slot;
pub mod span;
pub mod stamp;
pub mod window;

/// UTC, as every time in the product.
pub type Time = chrono::DateTime<chrono::Utc>;

/// The one region until services may name several.
pub const DEFAULT_REGION: &str = "default";
