//! What all parts of the process share.

use std::time::Duration;

use db::{Db, Gate};
use lettre::message::Mailbox;
use models::mail_token::TokenKey;
use runtime::Clock;
use runtime::env::EmailVerification;

use crate::channels::Transport;
use crate::config::Links;

/// Shared by the lanes and the sweeps.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) transport: Transport,
    pub(crate) from: Mailbox,
    pub(crate) links: Links,
    pub(crate) verification: EmailVerification,
    /// The keys that tokens of links may follow from, the newest first.
    pub(crate) token_keys: Vec<TokenKey>,
    pub(crate) gate: Gate,
    pub(crate) sweep_every: Duration,
}

impl Worker {
    /// The pause before rows are looked at again. Many alerters do not look in the same instant.
    pub(crate) fn sweep_pause(&self) -> Duration {
        self.sweep_every.mul_f64(0.75 + rand::random::<f64>() / 2.0)
    }
}
