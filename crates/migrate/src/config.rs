//! What the step reads from its environment.

use db::partitions::Keep;
use runtime::env::{DatabaseConfig, EnvErrors, Reader, Vars};

/// The settings; the same names as the scheduler's, which goes on with the upkeep.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose role must own the schema.
    pub database: DatabaseConfig,
    /// `RETENTION_DAYS`: how far back partitions of results are made.
    pub retention_days: u32,
}

impl Config {
    const MOST_DAYS: u32 = 3_650;

    /// Reads all settings.
    ///
    /// # Errors
    /// Every wrong or missing variable at once.
    pub fn from_env(vars: &dyn Vars) -> Result<Self, EnvErrors> {
        let reader = Reader::new(vars);
        let database = DatabaseConfig::read(&reader);
        let retention_days = reader.ranged(
            "RETENTION_DAYS",
            Keep::default().results,
            1..=Self::MOST_DAYS,
        );
        reader.finish(|| {
            Some(Self {
                database: database?,
                retention_days: retention_days?,
            })
        })
    }
}
