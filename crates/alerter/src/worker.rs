//! What all parts of the process share.

use std::time::Duration;

use db::Db;
use lettre::message::Mailbox;
use models::mail_token::TokenKey;
use runtime::Clock;
use runtime::env::EmailVerification;
use tokio::sync::watch;

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

/// Closed until the database has the schema we know and has told its time.
#[derive(Debug)]
pub(crate) struct Gate {
    known: watch::Sender<(bool, bool)>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self {
            known: watch::Sender::new((false, false)),
        }
    }

    pub(crate) fn schema_is(&self, current: bool) {
        self.known.send_modify(|known| known.0 = current);
    }

    pub(crate) fn time_is_known(&self) {
        self.known.send_modify(|known| known.1 = true);
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.known.borrow() == (true, true)
    }
}
