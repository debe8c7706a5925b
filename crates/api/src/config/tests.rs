use std::collections::HashMap;

use super::{Config, Origins};

fn vars<'a>(more: &[(&'a str, &'a str)]) -> HashMap<&'a str, &'a str> {
    let mut vars = HashMap::from([
        ("DATABASE_URL", "postgres://u:p@localhost/pulsemon"),
        ("AMQP_URL", "amqp://u:p@localhost"),
        ("JWT_SECRET", "a-key-that-nobody-else-has-and-is-long"),
        ("SECRETS_KEY", "another-key-that-nobody-else-has-at-all"),
    ]);
    vars.extend(more.iter().copied());
    vars
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = Config::from_env(&vars(&[])).unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.auth.access_hours, 24);
    assert_eq!(config.auth.bcrypt_cost, 12);
    assert_eq!(config.limits.service_quota, 3);
    assert_eq!(config.limits.min_interval_seconds, 10);
    assert_eq!(config.sla_window_days, 30);
    assert_eq!(config.origins, Origins::Listed(vec![]));
}

#[test]
fn every_wrong_variable_is_named_at_once() {
    let wrong = HashMap::from([
        ("APP_ENV", "prod"),
        ("APP_PORT", "http"),
        ("APP_BIND", "localhost"),
        ("OPS_PORT", "-1"),
        ("DATABASE_URL", "mysql://u:hunter22@h/d"),
        ("DB_MAX_CONNECTIONS", "0"),
        ("AMQP_URL", "http://h"),
        ("ALLOWED_ORIGINS", "https://a.example/path"),
        ("JWT_SECRET", "short"),
        ("SECRETS_KEY", "short"),
        ("JWT_EXPIRY_HOURS", "0"),
        ("BCRYPT_COST", "3"),
        ("SERVICE_QUOTA", "many"),
        ("MIN_INTERVAL_SECONDS", "0"),
        ("PROBE_ALLOW_CIDRS", "10.0.0.1/8, lan"),
        ("SLA_WINDOW_DAYS", "366"),
        ("EMAIL_VERIFICATION", "maybe"),
    ]);
    let errors = Config::from_env(&wrong).unwrap_err();
    let mut names = errors.names();
    names.sort_unstable();
    names.dedup();
    let mut expected: Vec<&str> = wrong.keys().copied().collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(!errors.to_string().contains("hunter22"));
}

#[test]
fn production_refuses_weak_settings_and_says_what_to_set() {
    let weak = vars(&[
        ("APP_ENV", "production"),
        ("BCRYPT_COST", "9"),
        ("ALLOWED_ORIGINS", "*"),
    ]);
    let errors = Config::from_env(&weak).unwrap_err();
    let names = errors.names();
    for name in ["BCRYPT_COST", "ALLOWED_ORIGINS"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let verification = |more: &[_]| Config::from_env(&vars(more)).unwrap().auth.verification;
    let production = ("APP_ENV", "production");
    let off = ("EMAIL_VERIFICATION", "off");
    assert!(verification(&[production]).is_required());
    assert!(!verification(&[production, off]).is_required());
    assert!(!verification(&[]).is_required());
}
