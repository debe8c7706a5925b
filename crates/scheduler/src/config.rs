//! What the scheduler reads from the environment.

use bus::route::valid_region;
use models::DEFAULT_REGION;
use runtime::env::{BrokerConfig, DatabaseConfig, EnvErrors, KeyPair, OpsConfig, Reader, Vars};

/// All settings of one scheduler.
#[derive(Debug, Clone)]
pub struct Config {
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// RabbitMQ.
    pub broker: BrokerConfig,
    /// The ops port.
    pub ops: OpsConfig,
    /// `REGIONS`: whose job queues exist. Slots of other regions are missed.
    pub regions: Vec<String>,
    /// `RETENTION_DAYS`: how long single results are kept.
    pub retention_days: u32,
    /// `HISTORY_DAYS`: how long incidents and alerts are kept.
    pub history_days: u32,
    /// `AUDIT_DAYS`: how long security events are kept, with the addresses that they came from.
    pub audit_days: u32,
    /// `JOB_SIGNING_KEY`: jobs are signed with the first.
    pub signing: KeyPair,
}

impl Config {
    /// What `RETENTION_DAYS` is where it is unset.
    pub const RETENTION_DAYS: u32 = 30;
    /// What `HISTORY_DAYS` is where it is unset: as long as daily sums.
    pub const HISTORY_DAYS: u32 = 400;
    /// What `AUDIT_DAYS` is where it is unset: half a year, for addresses are personal.
    pub const AUDIT_DAYS: u32 = 180;
    /// Ten years: more is a typing error.
    const MOST_DAYS: u32 = 3_650;

    /// Reads all settings.
    ///
    /// # Errors
    /// Every wrong or missing variable at once.
    pub fn from_env(vars: &dyn Vars) -> Result<Self, EnvErrors> {
        let reader = Reader::new(vars);
        let config = Self::read(&reader);
        reader.finish(|| config)
    }

    /// Reads all settings and notes mistakes in `reader`.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let database = DatabaseConfig::read(reader);
        let broker = BrokerConfig::read(reader);
        let ops = OpsConfig::read(reader);
        let regions = regions(reader);
        let days = 1..=Self::MOST_DAYS;
        let retention_days = reader.ranged("RETENTION_DAYS", Self::RETENTION_DAYS, days.clone());
        let history_days = reader.ranged("HISTORY_DAYS", Self::HISTORY_DAYS, days.clone());
        let audit_days = reader.ranged("AUDIT_DAYS", Self::AUDIT_DAYS, days);
        let signing = KeyPair::required(reader, "JOB_SIGNING_KEY");
        Some(Self {
            database: database?,
            broker: broker?,
            ops: ops?,
            regions: regions?,
            retention_days: retention_days?,
            history_days: history_days?,
            audit_days: audit_days?,
            signing: signing?,
        })
    }
}

fn regions(reader: &Reader<'_>) -> Option<Vec<String>> {
    let mut regions: Vec<String> = reader.list("REGIONS")?;
    regions.sort();
    regions.dedup();
    if regions.is_empty() {
        return Some(vec![DEFAULT_REGION.to_owned()]);
    }
    match regions.iter().find(|region| !valid_region(region)) {
        None => Some(regions),
        Some(_) => reader.refuse(
            "REGIONS",
            "must be names of 1 to 63 lower-case letters, digits and -, separated by commas",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn vars<'a>(more: &[(&'a str, &'a str)]) -> HashMap<&'a str, &'a str> {
        let needed = [
            ("DATABASE_URL", "postgres://a:b@localhost/c"),
            ("AMQP_URL", "amqp://a:b@localhost"),
            (
                "JOB_SIGNING_KEY",
                "a key for tests only of thirty-two bytes or more",
            ),
        ];
        needed.into_iter().chain(more.iter().copied()).collect()
    }

    #[test]
    fn unset_means_one_region_thirty_days_of_results_and_four_hundred_of_history() {
        let config = Config::from_env(&vars(&[])).unwrap();
        assert_eq!(config.regions, ["default"]);
        assert_eq!((config.retention_days, config.history_days), (30, 400));
        let two = Config::from_env(&vars(&[("REGIONS", "us, eu,us")])).unwrap();
        assert_eq!(two.regions, ["eu", "us"]);
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let wrong = [
            ("DATABASE_URL", "mysql://x"),
            ("AMQP_URL", "http://x"),
            ("REGIONS", "Europe"),
            ("RETENTION_DAYS", "0"),
            ("HISTORY_DAYS", "soon"),
            ("OPS_PORT", "x"),
            ("JOB_SIGNING_KEY", "short"),
        ];
        let errors = Config::from_env(&vars(&wrong)).unwrap_err();
        let mut names = errors.names();
        names.sort_unstable();
        let expected = [
            "AMQP_URL",
            "DATABASE_URL",
            "HISTORY_DAYS",
            "JOB_SIGNING_KEY",
            "OPS_PORT",
            "REGIONS",
            "RETENTION_DAYS",
        ];
        assert_eq!(names, expected);
    }
}
