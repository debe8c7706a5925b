//! Who calls, and how he proves it.

pub(crate) mod account;
mod passwords;
mod refresh;
mod session;
mod tokens;

pub(crate) use passwords::{Passwords, Verdict};
pub(crate) use refresh::derived_key;
pub(crate) use refresh::{Pair, RefreshKeys, end_family, refresh, start_family};
pub(crate) use session::{Bearer, Caller};
pub(crate) use tokens::Tokens;
