//! How to reach RabbitMQ.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::{AppEnv, Reader};

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
    /// Reads both variables; the URL's form is checked, and in production its user; nothing is dialled.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let ca_file = reader.optional("AMQP_CA_FILE");
        let amqp_url = reader.secret("AMQP_URL")?;
        let parsed = url::Url::parse(amqp_url.expose_secret());
        let usable = parsed
            .ok()
            .filter(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host());
        let Some(url) = usable else {
            return reader.refuse(
                "AMQP_URL",
                "is not of the form amqp://user:password@host:port/vhost",
            );
        };
        // What every new broker has; a client that names nobody is that one, too.
        let user = (url.username(), url.password());
        if matches!(user, ("guest", Some("guest")) | ("", None)) && AppEnv::says_production(reader)
        {
            return reader.refuse(
                "AMQP_URL",
                "has RabbitMQ's sample user guest:guest; make one with a password of its own",
            );
        }
        Some(Self { amqp_url, ca_file })
    }
}
