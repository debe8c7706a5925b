//! The process' settings, read once from the environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chrono::TimeDelta;
use guard::{AllowRule, IpNet};
use models::limit::Limit;
use runtime::env::{
    AppEnv, BrokerConfig, DatabaseConfig, EmailVerification, EnvErrors, KeyPair, OpsConfig, Reader,
    Vars,
};
use secrecy::ExposeSecret as _;

use crate::auth::FirstAdmin;
use crate::auth::account::{self, Email};
use crate::client::TrustedProxy;
use crate::limits::RateLimits;
use crate::server;

/// Everything the api can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// What kind of installation this is.
    pub app_env: AppEnv,
    /// Where the public port listens (`APP_BIND`, `APP_PORT`).
    pub listen: SocketAddr,
    /// The ops port.
    pub ops: OpsConfig,
    /// PostgreSQL, with the pool's bound.
    pub database: db::Settings,
    /// RabbitMQ.
    pub broker: BrokerConfig,
    /// What a browser may call us from (`ALLOWED_ORIGINS`).
    pub origins: Origins,
    /// Whose `X-Forwarded-For` is believed (`TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Accounts and tokens.
    pub auth: AuthConfig,
    /// Who administers a new installation (`ADMIN_EMAIL`, `ADMIN_PASSWORD`).
    pub first_admin: Option<FirstAdmin>,
    /// What a tenant may create.
    pub limits: Limits,
    /// How often anybody may ask.
    pub rates: RateLimits,
    /// What `PROBE_ALLOW_CIDRS` opens beyond the public internet.
    pub probe_allow: Vec<AllowRule>,
    /// What `PROBE_DENY_CIDRS` closes beyond the built-in list.
    pub probe_deny: Vec<IpNet>,
    /// Names that are refused with all below them (`PROBE_DENY_NAMES`).
    pub probe_deny_names: Vec<String>,
    /// Length of the rolling window of SLA and latency figures, in days: 1 to 365.
    pub sla_window_days: u16,
    /// Slots that must be judged before an SLA can be breached (`SLA_MIN_CHECKS`).
    pub sla_min_checks: u64,
}

/// `ALLOWED_ORIGINS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// `*`: refused in production.
    Any,
    /// Exactly these; none where it is unset.
    Listed(Vec<String>),
}

/// Accounts and tokens.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// `JWT_SECRET`: the first signs, both verify.
    pub jwt_keys: KeyPair,
    /// Life of an access token in hours (`JWT_EXPIRY_HOURS`).
    pub access_hours: u16,
    /// `BCRYPT_COST`.
    pub bcrypt_cost: u32,
    /// Whether an account without a confirmed address may do nothing.
    pub verification: EmailVerification,
    /// `SECRETS_KEY`: what tokens in mailed links follow from.
    pub mail_keys: KeyPair,
}

/// What a tenant may create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Active services of a user without a quota of his own (`SERVICE_QUOTA`).
    pub service_quota: u32,
    /// Shortest interval, and least time between two extra probes (`MIN_INTERVAL_SECONDS`).
    pub min_interval_seconds: u32,
}

/// bcrypt's own bounds: under 4 there is no algorithm, over 16 a login takes seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;
/// A weaker hash can be guessed too fast once stolen.
const BCRYPT_PRODUCTION_COST: u32 = 10;
/// More is no limit.
const MAX_RATE: u32 = 1_000_000;
/// Half a year: longer lives belong to refresh tokens.
const MAX_ACCESS_HOURS: u16 = 24 * 180;

impl Config {
    /// Reads every setting.
    ///
    /// # Errors
    /// All settings that are missing or wrong, at once.
    pub fn from_env(vars: &impl Vars) -> Result<Self, EnvErrors> {
        let r = Reader::new(vars);
        let app_env = AppEnv::read(&r);
        let production = app_env.is_some_and(AppEnv::is_production);
        let port = r.or("APP_PORT", 8080_u16);
        let bind = r.or("APP_BIND", IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let ops = OpsConfig::read(&r);
        let database = database(&r);
        let broker = BrokerConfig::read(&r);
        let origins = origins(&r, production);
        let trusted_proxies = r.list("TRUSTED_PROXIES");
        let auth = auth(&r, app_env);
        let first_admin = first_admin(&r);
        let limits = limits(&r);
        let rates = rates(&r);
        let probe_allow = probe_allow(&r);
        let probe_deny = r.list::<IpNet>("PROBE_DENY_CIDRS");
        let probe_deny_names = r.list::<String>("PROBE_DENY_NAMES");
        let sla_window_days = r.ranged("SLA_WINDOW_DAYS", 30_u16, 1..=365);
        let sla_min_checks = r.ranged("SLA_MIN_CHECKS", 10_u64, 1..=1_000_000);
        r.finish(|| {
            Some(Self {
                app_env: app_env?,
                listen: SocketAddr::new(bind?, port?),
                ops: ops?,
                database: database?,
                broker: broker?,
                origins: origins?,
                trusted_proxies: trusted_proxies?,
                auth: auth?,
                first_admin: first_admin?,
                limits: limits?,
                rates: rates?,
                probe_allow: probe_allow?,
                probe_deny: probe_deny?,
                probe_deny_names: probe_deny_names?,
                sla_window_days: sla_window_days?,
                sla_min_checks: sla_min_checks?,
            })
        })
    }
}

fn database(r: &Reader<'_>) -> Option<db::Settings> {
    let config = DatabaseConfig::read(r);
    let pool = r.ranged(
        "DB_MAX_CONNECTIONS",
        db::settings::DEFAULT_MAX_CONNECTIONS,
        1..=1000,
    );
    let (config, pool) = (config?, pool?);
    match db::Settings::from_url(&config.connection_url()) {
        Ok(settings) => Some(
            settings
                .application_name("pulsemon-api")
                .max_connections(pool)
                .near_threads(server::workers())
                .one_plan(),
        ),
        Err(error) => r.refuse("DATABASE_URL", error.to_string()),
    }
}

fn origins(r: &Reader<'_>, production: bool) -> Option<Origins> {
    let listed: Vec<String> = r.list("ALLOWED_ORIGINS")?;
    if listed.iter().any(|origin| origin == "*") {
        if production {
            return r.refuse(
                "ALLOWED_ORIGINS",
                "must name origins in production, not `*`",
            );
        }
        return Some(Origins::Any);
    }
    for origin in &listed {
        let is_origin = url::Url::parse(origin).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.origin().ascii_serialization() == *origin
        });
        if !is_origin {
            return r.refuse(
                "ALLOWED_ORIGINS",
                format!("`{origin}` is not an origin such as https://app.example.com"),
            );
        }
    }
    Some(Origins::Listed(listed))
}

fn auth(r: &Reader<'_>, app_env: Option<AppEnv>) -> Option<AuthConfig> {
    let production = app_env.is_some_and(AppEnv::is_production);
    let verification = EmailVerification::read(r, app_env);
    let mail_keys = KeyPair::required(r, "SECRETS_KEY");
    let jwt_keys = KeyPair::required(r, "JWT_SECRET");
    let access_hours = r.ranged("JWT_EXPIRY_HOURS", 24, 1..=MAX_ACCESS_HOURS);
    let bcrypt_cost = r.ranged("BCRYPT_COST", 12, BCRYPT_COSTS);
    if production && bcrypt_cost.is_some_and(|cost| cost < BCRYPT_PRODUCTION_COST) {
        return r.refuse("BCRYPT_COST", "must be at least 10 in production");
    }
    Some(AuthConfig {
        jwt_keys: jwt_keys?,
        access_hours: access_hours?,
        bcrypt_cost: bcrypt_cost?,
        verification: verification?,
        mail_keys: mail_keys?,
    })
}

fn first_admin(r: &Reader<'_>) -> Option<Option<FirstAdmin>> {
    let email = r.text("ADMIN_EMAIL");
    let password = r.optional_secret("ADMIN_PASSWORD");
    match (email, password) {
        (None, None) => Some(None),
        (Some(_), None) => r.refuse("ADMIN_PASSWORD", "is required with ADMIN_EMAIL"),
        (None, Some(_)) => r.refuse("ADMIN_EMAIL", "is required with ADMIN_PASSWORD"),
        (Some(email), Some(password)) => {
            let email = Email::parse(&email).map_err(|wrong| r.refuse::<()>("ADMIN_EMAIL", wrong));
            let password = account::check_password(password.expose_secret())
                .map(|()| password.clone())
                .map_err(|wrong| r.refuse::<()>("ADMIN_PASSWORD", wrong));
            Some(Some(FirstAdmin {
                email: email.ok()?,
                password: password.ok()?,
            }))
        }
    }
}

fn limits(r: &Reader<'_>) -> Option<Limits> {
    let service_quota = r.ranged("SERVICE_QUOTA", 3, 0..=1_000_000);
    let min_interval_seconds = r.ranged("MIN_INTERVAL_SECONDS", 10, 1..=86_400);
    Some(Limits {
        service_quota: service_quota?,
        min_interval_seconds: min_interval_seconds?,
    })
}

fn rates(r: &Reader<'_>) -> Option<RateLimits> {
    let limit = |name, default: u32, window| {
        let most = r.ranged(name, default, 1..=MAX_RATE)?;
        Some(Limit { most, window })
    };
    let minute = TimeDelta::minutes(1);
    let auth = limit("RATE_LIMIT_AUTH_PER_MINUTE", 10, minute);
    let refresh = limit("RATE_LIMIT_REFRESH_PER_MINUTE", 30, minute);
    let mails = limit("RATE_LIMIT_MAILS_PER_HOUR", 3, TimeDelta::hours(1));
    let quarter = TimeDelta::minutes(15);
    let login_failures = limit("LOGIN_FAILURES_PER_15_MINUTES", 5, quarter);
    let reads = limit("RATE_LIMIT_READS_PER_MINUTE", 600, minute);
    let writes = limit("RATE_LIMIT_WRITES_PER_MINUTE", 120, minute);
    Some(RateLimits {
        auth: auth?,
        refresh: refresh?,
        mails: mails?,
        login_failures: login_failures?,
        reads: reads?,
        writes: writes?,
    })
}

fn probe_allow(r: &Reader<'_>) -> Option<Vec<AllowRule>> {
    let text = r.text("PROBE_ALLOW_CIDRS").unwrap_or_default();
    match AllowRule::parse_list(&text) {
        Ok(rules) => Some(rules),
        Err(errors) => {
            for error in errors {
                r.refuse::<()>("PROBE_ALLOW_CIDRS", error.to_string());
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
