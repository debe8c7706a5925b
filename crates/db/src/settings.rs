//! Where the database is and how to speak to it, parsed once from plain values.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// How long a dead peer may go unnoticed, on both sides of the socket.
pub const DEAD_PEER_AFTER: Duration = Duration::from_secs(10);
/// A transaction that idles this long is ended by the server, so that rows it locked cannot
/// outlive a stopped process.
pub const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);
/// No statement of ours needs longer; see [`crate::transaction::limit_statements`].
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections a process opens unless it asks for another number.
pub const DEFAULT_MAX_CONNECTIONS: usize = 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How the connection is encrypted, by libpq's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server can, without looking at its certificate.
    Prefer,
    /// Always, without looking at the server's certificate.
    Require,
    /// Always, and the certificate must be valid for the host.
    VerifyFull,
}

impl SslMode {
    /// Reads libpq's spelling.
    ///
    /// # Errors
    /// The name is not one of `disable`, `prefer`, `require`, `verify-full`.
    pub fn parse(name: &str) -> Result<Self, SettingsError> {
        match name {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(SettingsError::SslMode),
        }
    }
}

/// Why settings were refused. Never repeats the URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not a `postgres://` URL.
    #[error("is not a postgres:// URL")]
    Scheme,
    /// The URL or one of its parts does not parse.
    #[error("is not a valid PostgreSQL URL")]
    Malformed,
    /// An unknown `sslmode`.
    #[error("has an unknown sslmode: use disable, prefer, require or verify-full")]
    SslMode,
}

/// Everything [`crate::Db::connect`] needs.
#[derive(Clone)]
pub struct Settings {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) ssl_mode: SslMode,
    pub(crate) root_cert: Option<PathBuf>,
    pub(crate) max_connections: usize,
    pub(crate) near_threads: usize,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("ssl_mode", &self.ssl_mode)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`. Characters
    /// that mean something in a URL are percent-encoded in it, as libpq wants.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn from_url(url: &SecretString) -> Result<Self, SettingsError> {
        let mut url =
            url::Url::parse(url.expose_secret()).map_err(|_parse| SettingsError::Malformed)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(SettingsError::Scheme);
        }
        let mut ssl_mode = SslMode::Disable;
        let mut root_cert = None;
        let mut others = Vec::new();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "sslmode" => ssl_mode = SslMode::parse(&value)?,
                "sslrootcert" => root_cert = Some(PathBuf::from(value.as_ref())),
                _ => others.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        let config = url
            .as_str()
            .parse()
            .map_err(|_parse| SettingsError::Malformed)?;
        Ok(Self::with_session(config, ssl_mode, root_cert))
    }

    /// What `pg_stat_activity` shows.
    #[must_use]
    pub fn application_name(mut self, name: &str) -> Self {
        self.config.application_name(name);
        self
    }

    /// Upper bound of all connections that are borrowed, near ones included.
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.max(1);
        self
    }

    /// Sets half of the connections apart for so many threads, each of which calls [`crate::Db::near`].
    #[must_use]
    pub fn near_threads(mut self, threads: usize) -> Self {
        self.near_threads = threads;
        self
    }

    /// How many connections the shared pool has, and how many each near thread.
    pub(crate) fn parts(&self) -> (usize, usize) {
        let near = (self.max_connections / 2)
            .checked_div(self.near_threads)
            .unwrap_or(0);
        (self.max_connections - near * self.near_threads, near)
    }

    /// One plan for each statement of a connection. For a process whose statements find few rows by the index of a key,
    /// whatever else they compare: left to choose, the server plans a statement over tables in parts (by day, week,
    /// month) anew at each call, because a plan for known days looks cheaper, and with thirty parts that takes ten times as
    /// long as the rows themselves. Nothing for sweeps, where how many rows are older than a moment decides the plan.
    #[must_use]
    pub fn one_plan(mut self) -> Self {
        let theirs = self.config.get_options().unwrap_or_default();
        let options = format!("-c plan_cache_mode=force_generic_plan {theirs}");
        self.config.options(options);
        self
    }

    fn with_session(
        mut config: tokio_postgres::Config,
        ssl_mode: SslMode,
        root_cert: Option<PathBuf>,
    ) -> Self {
        use tokio_postgres::config::SslMode as Wire;
        // A root that was named is meant to be checked.
        let ssl_mode = match ssl_mode {
            SslMode::Require if root_cert.is_some() => SslMode::VerifyFull,
            mode => mode,
        };
        config
            .ssl_mode(match ssl_mode {
                SslMode::Disable => Wire::Disable,
                SslMode::Prefer => Wire::Prefer,
                SslMode::Require | SslMode::VerifyFull => Wire::Require,
            })
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(DEAD_PEER_AFTER / 2)
            .keepalives_interval(DEAD_PEER_AFTER / 5)
            .keepalives_retries(2)
            .tcp_user_timeout(DEAD_PEER_AFTER);
        let own = format!(
            "-c timezone=UTC -c idle_in_transaction_session_timeout={idle} -c statement_timeout={statement} \
             -c tcp_keepalives_idle={keepalive} -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2 \
             -c tcp_user_timeout={dead}",
            idle = IDLE_IN_TRANSACTION.as_millis(),
            statement = STATEMENT_TIMEOUT.as_millis(),
            keepalive = DEAD_PEER_AFTER.as_secs() / 2,
            dead = DEAD_PEER_AFTER.as_millis(),
        );
        // What the operator put into the URL comes last and wins.
        let options = match config.get_options() {
            Some(theirs) => format!("{own} {theirs}"),
            None => own,
        };
        config.options(options);
        Self {
            config,
            ssl_mode,
            root_cert,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            near_threads: 0,
        }
    }
}

#[cfg(test)]
mod tests;
