//! What answers look like: the contract's field names, its times and its figures.

pub(crate) mod account;
pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod figures;
pub(crate) mod format;
pub(crate) mod health;
pub(crate) mod incident;
pub(crate) mod latency;
pub(crate) mod lists;
pub(crate) mod overview;
pub(crate) mod result;
pub(crate) mod service;
pub(crate) mod ssl;
pub(crate) mod sums;
pub(crate) mod user;
