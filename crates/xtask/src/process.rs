//! Programs that the launcher starts: what to run ([`Spec`]), keeping it running
//! ([`Supervisor`]), its output ([`log`]) and the note that lets a later launcher find it ([`record`]).

pub(crate) mod account;
pub(crate) mod log;
pub(crate) mod once;
mod orphans;
pub(crate) mod record;
pub(crate) mod signal;
mod spec;
mod supervisor;

pub(crate) use account::Account;
pub(crate) use spec::{Output, Spec};
pub(crate) use supervisor::Supervisor;
