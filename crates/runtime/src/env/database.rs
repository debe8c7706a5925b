//! How to reach PostgreSQL.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::Reader;

/// How much of TLS the database connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Plain TCP, for one machine or one private network.
    Disable,
    /// Encrypted, whoever answers.
    Require,
    /// Encrypted, and the server's certificate names the host we dialled.
    VerifyFull,
}

const SSL_MODES: [(&str, SslMode); 3] = [
    ("disable", SslMode::Disable),
    ("require", SslMode::Require),
    ("verify-full", SslMode::VerifyFull),
];

/// `DATABASE_URL`, or else `DB_HOST DB_PORT DB_USER DB_PASSWORD DB_NAME`; `DB_SSL_MODE`
/// (default `disable`; a `sslmode` in the URL wins) and `DB_SSL_ROOT_CERT` (a PEM file).
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://…` without `sslmode` and `sslrootcert`, which stand beside it.
    pub url: SecretString,
    /// Whether and how far the connection is encrypted.
    pub ssl_mode: SslMode,
    /// Roots to trust with [`SslMode::VerifyFull`]; the system's where it is `None`.
    pub ssl_root_cert: Option<PathBuf>,
}

impl DatabaseConfig {
    /// Reads the variables; nothing is dialled.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let ssl_mode = reader.choice("DB_SSL_MODE", SslMode::Disable, &SSL_MODES);
        let root = reader.optional("DB_SSL_ROOT_CERT");
        let whole = reader.secret_text("DATABASE_URL");
        // Read even when unused, so that every name is known to `names_asked`.
        let parts = Parts::read(reader, matches!(whole, Ok(None)));
        match whole {
            Ok(Some(text)) => Self::from_url(reader, &text, ssl_mode?, root),
            Ok(None) => Some(Self {
                url: parts?.url(),
                ssl_mode: ssl_mode?,
                ssl_root_cert: root,
            }),
            Err(_) => None,
        }
    }

    /// A plain connection to `url`, for tests.
    pub fn plain(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            ssl_mode: SslMode::Disable,
            ssl_root_cert: None,
        }
    }

    /// All of it as one URL in libpq's form, with `sslmode` and `sslrootcert` in its query:
    /// what `db::Settings::from_url` takes.
    pub fn connection_url(&self) -> SecretString {
        let Ok(mut url) = Url::parse(self.url.expose_secret()) else {
            return self.url.clone(); // was parsed before; the database will say what is wrong
        };
        let mode = SSL_MODES.iter().find(|(_, mode)| *mode == self.ssl_mode);
        if let Some((word, _)) = mode {
            url.query_pairs_mut().append_pair("sslmode", word);
        }
        if let Some(root) = &self.ssl_root_cert {
            url.query_pairs_mut()
                .append_pair("sslrootcert", &root.to_string_lossy());
        }
        String::from(url).into()
    }

    fn from_url(
        reader: &Reader<'_>,
        text: &str,
        ssl_mode: SslMode,
        root: Option<PathBuf>,
    ) -> Option<Self> {
        let mut this = Self {
            url: SecretString::default(),
            ssl_mode,
            ssl_root_cert: root,
        };
        let mut url = match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => url,
            _ => {
                return reader.refuse(
                    "DATABASE_URL",
                    "is not of the form postgres://user:password@host:port/database",
                );
            }
        };
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut kept = Vec::new();
        for (key, value) in pairs {
            match key.as_str() {
                "sslmode" => {
                    let known = SSL_MODES.iter().find(|(word, _)| *word == value);
                    let Some((_, mode)) = known else {
                        return reader.refuse(
                            "DATABASE_URL",
                            "has a sslmode other than disable, require and verify-full",
                        );
                    };
                    this.ssl_mode = *mode;
                }
                "sslrootcert" => this.ssl_root_cert = Some(value.into()),
                _ => kept.push((key, value)),
            }
        }
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
        this.url = String::from(url).into();
        Some(this)
    }
}

struct Parts {
    host: String,
    port: u16,
    user: String,
    password: Option<SecretString>,
    name: String,
}

impl Parts {
    /// Complains about a missing host only where the parts are `needed`.
    fn read(reader: &Reader<'_>, needed: bool) -> Option<Self> {
        let host = reader.text("DB_HOST");
        let port = reader.or("DB_PORT", 5432);
        let user = reader.or("DB_USER", String::from("pulsemon"));
        let password = reader.optional_secret("DB_PASSWORD");
        let name = reader.or("DB_NAME", String::from("pulsemon"));
        if host.is_none() && needed {
            return reader.refuse("DATABASE_URL", "is not set, and neither is DB_HOST");
        }
        Some(Self {
            host: host?,
            port: port?,
            user: user?,
            password,
            name: name?,
        })
    }

    fn url(&self) -> SecretString {
        let password = self.password.as_ref().map_or(String::new(), |password| {
            format!(":{}", encoded(password.expose_secret()))
        });
        let host = if self.host.contains(':') && !self.host.starts_with('[') {
            format!("[{}]", self.host) // a bare IPv6 address
        } else if self.host.starts_with('/') {
            encoded(&self.host) // a socket folder
        } else {
            self.host.clone()
        };
        format!(
            "postgres://{user}{password}@{host}:{port}/{name}",
            user = encoded(&self.user),
            port = self.port,
            name = encoded(&self.name),
        )
        .into()
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters: `Url::set_password` leaves `%`
/// alone, which would change a password that holds one.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
