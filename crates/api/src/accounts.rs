//! Accounts: what becomes of them, one transaction each.
//!
//! Whatever a mail is needed for writes the mail's row in its own transaction (`mail.rs`); alerters send it. Lock order:
//! the user, then his tokens and sessions, then as `services.rs` says.

mod address;
mod admins;
mod erase;
mod links;
mod mail;
mod pace;
mod register;
mod requests;
mod reset;
mod verify;

pub(crate) use address::{Moved, SAME_ADDRESS, change_address, confirm_address};
pub(crate) use admins::keep_one as keep_one_admin;
pub(crate) use erase::erase;
pub(crate) use register::register;
pub(crate) use requests::{ask_for_reset, ask_for_verification};
pub(crate) use reset::reset_password;
pub(crate) use verify::verify;
