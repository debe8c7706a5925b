//! Who calls, and how he proves it.

pub(crate) mod account;
pub(crate) mod api_key;
mod ended;
mod first_admin;
mod origin;
mod passwords;
mod refresh;
mod session;
mod tokens;
mod verified;

pub(crate) use api_key::{KeyScope, NewKey};
pub(crate) use ended::Ended;
pub use first_admin::FirstAdmin;
pub(crate) use first_admin::appoint;
pub(crate) use origin::Origin;
pub(crate) use passwords::{Passwords, Verdict};
pub(crate) use refresh::derived_key;
pub(crate) use refresh::{Pair, RefreshKeys, end_session, refresh, renew_session, start_session};
pub(crate) use session::{Bearer, Caller};
pub(crate) use tokens::Tokens;
