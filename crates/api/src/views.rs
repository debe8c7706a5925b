//! What answers look like: the contract's field names, its times and its figures.

pub(crate) mod figures;
pub(crate) mod format;
pub(crate) mod service;
pub(crate) mod ssl;
