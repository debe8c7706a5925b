//! The launcher's own environment: read here and nowhere else in this crate.

use std::ffi::OsString;

/// The variable's value; an empty one counts as unset.
#[expect(
    clippy::disallowed_methods,
    reason = "the launcher is no process of the product: it only hands its environment on"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Names of all variables that begin with `prefix`: what a private server must not inherit.
pub(crate) fn names_with_prefix(prefix: &str) -> Vec<OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_str().is_some_and(|name| name.starts_with(prefix)))
        .collect()
}

/// Whether this is a CI run: then the lock file must be up to date.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some_and(|value| value != "false" && value != "0")
}

/// Whether the launcher runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
