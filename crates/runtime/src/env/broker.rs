//! How to reach RabbitMQ.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::Reader;

/// `AMQP_URL` (required; `amqp://` or `amqps://`, the path is the vhost) and `AMQP_CA_FILE`
/// (PEM, trusted in addition to the system's roots).
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// With user and password.
    pub amqp_url: SecretString,
    /// Further roots for `amqps://`.
    pub ca_file: Option<PathBuf>,
}

impl BrokerConfig {
    /// Reads both variables; the URL's form is checked, nothing is dialled.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let ca_file = reader.optional("AMQP_CA_FILE");
        let amqp_url = reader.secret("AMQP_URL")?;
        let parsed = url::Url::parse(amqp_url.expose_secret());
        let usable =
            parsed.is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host());
        if !usable {
            return reader.refuse(
                "AMQP_URL",
                "is not of the form amqp://user:password@host:port/vhost",
            );
        }
        Some(Self { amqp_url, ca_file })
    }
}
