//! The processor's settings, from the environment.

use chrono::TimeDelta;
use models::evaluate::Rules;
use models::window::Window;
use runtime::env::{BrokerConfig, DatabaseConfig, EnvErrors, KeyPair, OpsConfig, Reader, Vars};

/// Everything [`crate::run`] needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the truth is.
    pub database: DatabaseConfig,
    /// Where results come from.
    pub broker: BrokerConfig,
    /// The ops port.
    pub ops: OpsConfig,
    /// What results mean.
    pub rules: Rules,
    /// For so long a second alert of a kind is held back.
    pub cooldown: TimeDelta,
    /// How long results are kept; an older one has no place any more.
    pub retention: TimeDelta,
    /// Results of jobs signed with either are taken, and no others.
    pub signing: KeyPair,
}

/// A week: who wants fewer mails than that wants another product.
const LONGEST_COOLDOWN_MINUTES: u32 = 7 * 24 * 60;

impl Config {
    /// Reads all settings.
    ///
    /// # Errors
    /// Every wrong or missing variable at once.
    pub fn from_env(vars: &impl Vars) -> Result<Self, EnvErrors> {
        let reader = Reader::new(vars);
        let database = DatabaseConfig::read(&reader);
        let broker = BrokerConfig::read(&reader);
        let ops = OpsConfig::read(&reader);
        let rules = rules(&reader);
        let cooldown = reader.ranged("ALERT_COOLDOWN_MINUTES", 30, 0..=LONGEST_COOLDOWN_MINUTES);
        let retention = reader.ranged("RETENTION_DAYS", 30, 1..=3650);
        let signing = KeyPair::required(&reader, "JOB_SIGNING_KEY");
        reader.finish(|| {
            Some(Self {
                database: database?,
                broker: broker?,
                ops: ops?,
                rules: rules?,
                cooldown: TimeDelta::minutes(cooldown?.into()),
                retention: TimeDelta::days(retention?),
                signing: signing?,
            })
        })
    }
}

fn rules(reader: &Reader<'_>) -> Option<Rules> {
    let threshold = reader.ranged("FAILURE_STREAK_THRESHOLD", 3, 1..=1000);
    let window_days = reader.ranged("SLA_WINDOW_DAYS", 30, 1..=Window::MAX_DAYS);
    let min_checks = reader.ranged("SLA_MIN_CHECKS", 10, 1..=1_000_000);
    let sla_window_days = window_days?;
    Some(Rules {
        failure_threshold: threshold?,
        sla_min_checks: min_checks?,
        sla_window: Window::days(sla_window_days),
        sla_window_days,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn vars(more: &[(&'static str, &'static str)]) -> HashMap<&'static str, &'static str> {
        let needed = [
            ("DATABASE_URL", "postgres://p@127.0.0.1/p"),
            ("AMQP_URL", "amqp://p:p@127.0.0.1/p"),
            (
                "JOB_SIGNING_KEY",
                "a key for tests only of thirty-two bytes or more",
            ),
        ];
        needed.iter().chain(more).copied().collect()
    }

    #[test]
    fn what_is_left_out_has_the_values_of_the_documentation() {
        let config = Config::from_env(&vars(&[])).unwrap();
        assert_eq!(config.rules.failure_threshold, 3);
        assert_eq!(config.rules.sla_min_checks, 10);
        assert_eq!(config.rules.sla_window, Window::days(30));
        assert_eq!(config.cooldown, TimeDelta::minutes(30));
        assert_eq!(config.retention, TimeDelta::days(30));
    }

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let wrong = [
            ("FAILURE_STREAK_THRESHOLD", "0"),
            ("SLA_WINDOW_DAYS", "400"),
            ("SLA_MIN_CHECKS", "many"),
            ("ALERT_COOLDOWN_MINUTES", "-1"),
            ("RETENTION_DAYS", "0"),
            ("JOB_SIGNING_KEY", "short"),
        ];
        let errors = Config::from_env(&vars(&wrong)).unwrap_err();
        let mut named = errors.names();
        named.sort_unstable();
        let mut expected: Vec<_> = wrong.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(named, expected);
    }
}
