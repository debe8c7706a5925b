//! Typed configuration from environment variables, all mistakes reported at once.
//!
//! A process reads its settings through one [`Reader`]. Each method answers `Option<T>` and
//! notes what was wrong; [`Reader::finish`] fails with every note, or builds the configuration:
//!
//! ```
//! # use std::collections::HashMap;
//! use runtime::env::{EnvErrors, OpsConfig, Reader, Vars};
//!
//! struct Config { port: u16, pool: usize, ops: OpsConfig }
//!
//! fn from_env(vars: &dyn Vars) -> Result<Config, EnvErrors> {
//!     let r = Reader::new(vars);
//!     let port = r.or("APP_PORT", 8080);
//!     let pool = r.ranged("WORKER_POOL_SIZE", 1000, 1..=100_000);
//!     let ops = OpsConfig::read(&r);
//!     r.finish(|| Some(Config { port: port?, pool: pool?, ops: ops? }))
//! }
//! # let vars = HashMap::from([("APP_PORT", "http"), ("WORKER_POOL_SIZE", "0")]);
//! # assert_eq!(from_env(&vars).err().unwrap().names(), ["APP_PORT", "WORKER_POOL_SIZE"]);
//! ```
//!
//! An empty value counts as unset. Secrets are read from `NAME` or from the file that
//! `NAME_FILE` names, and never appear in an error.

mod broker;
mod database;
mod keys;
mod process;
mod reader;
mod verification;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;

pub use broker::BrokerConfig;
pub use database::{DatabaseConfig, SslMode};
pub use keys::KeyPair;
pub use process::{AppEnv, OpsConfig};
pub use reader::Reader;
pub use verification::EmailVerification;

/// Where variables come from: the process' environment, or a test's map.
pub trait Vars {
    /// The value of `name`, `None` where it is unset or not UTF-8.
    fn var(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnv;

impl Vars for ProcessEnv {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl<V: AsRef<str>, S: BuildHasher> Vars for HashMap<&str, V, S> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.as_ref().to_owned())
    }
}

impl<S: BuildHasher> Vars for HashMap<String, String, S> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

impl Vars for BTreeMap<String, String> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// One variable and what is wrong with it; the text never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvError {
    /// The variable.
    pub name: String,
    /// What is wrong, as a clause that follows the name.
    pub problem: String,
}

/// Every variable that was missing or wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvErrors(Vec<EnvError>);

impl EnvErrors {
    /// The variables, in the order in which they were read.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|error| error.name.as_str()).collect()
    }

    /// The mistakes, in the order in which they were found.
    pub fn errors(&self) -> &[EnvError] {
        &self.0
    }
}

impl fmt::Display for EnvErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the environment is not right:")?;
        for error in &self.0 {
            write!(f, "\n  {}: {}", error.name, error.problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for EnvErrors {}

#[cfg(test)]
mod tests;
