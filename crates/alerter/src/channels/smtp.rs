//! SMTP: at least once. A connection that dies between the mail's last dot and its answer may
//! send it twice; the constant `Message-ID` lets mailboxes recognise that.

use std::time::Duration;

use anyhow::Context as _;
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use models::id::DeliveryId;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::{Attempt, bounded};
use crate::lane::MAX_SENDS;
use crate::letter::Letter;

/// For dialling and for each command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close idle connections after minutes; we are earlier.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one SMTP server.
#[derive(Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// Prepares the client.
    ///
    /// # Errors
    /// When the URL or TLS cannot be used.
    pub(super) fn new(url: &SecretString) -> anyhow::Result<Self> {
        // The error could repeat the password.
        let url = with_tls(url.expose_secret()).context("read SMTP_URL")?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .context("set up SMTP")?
            .timeout(Some(COMMAND_TIMEOUT))
            .pool_config(
                PoolConfig::new()
                    .max_size(u32::try_from(MAX_SENDS).unwrap_or(u32::MAX))
                    .idle_timeout(IDLE_TIMEOUT),
            )
            .build();
        Ok(Self { transport })
    }

    pub(super) async fn send(&self, id: DeliveryId, letter: &Letter) -> Attempt {
        let message = match letter.mime(id) {
            Ok(message) => message,
            Err(error) => {
                return Attempt::Refused {
                    error: bounded(error.to_string()),
                    alarm: false,
                };
            }
        };
        match self.transport.send(message).await {
            Ok(_) => Attempt::Accepted { provider_id: None },
            Err(error) => judge(&error),
        }
    }
}

/// The URL with our rule of encryption: `smtp://` demands STARTTLS unless the server is on this
/// machine; `smtps://` is TLS from the first byte.
pub(super) fn with_tls(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    match (url.scheme(), is_loopback(&url)?) {
        ("smtp", true) | ("smtps", _) => {}
        ("smtp", false) => url.set_query(Some("tls=required")),
        _ => return None,
    }
    Some(url.into())
}

/// `None` where there is no host. (The parser leaves hosts of unknown schemes as names.)
fn is_loopback(url: &Url) -> Option<bool> {
    let text = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let is_address = text
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    Some(is_address || text.eq_ignore_ascii_case("localhost"))
}

/// 4xx and lost connections pass; 5xx stays. Codes that speak of us and not of the mail
/// (authentication, TLS) need an operator.
fn judge(error: &Error) -> Attempt {
    let text = bounded(format!("SMTP: {error}"));
    if error.is_permanent() {
        let about_us = error
            .status()
            .is_some_and(|code| matches!(code.to_string().as_str(), "530" | "534" | "535" | "538"));
        return Attempt::Refused {
            error: text,
            alarm: about_us,
        };
    }
    Attempt::Deferred {
        error: text,
        retry_after: None,
        // A server without STARTTLS or with a bad certificate: retried, since nothing was lost
        // yet and the operator can mend it.
        alarm: error.is_client() || error.is_tls(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_leaves_this_machine_encrypted_or_not_at_all() {
        let url = |text| with_tls(text).unwrap();
        assert_eq!(
            url("smtp://u:p%40@mail.example.test:587?tls=opportunistic"),
            "smtp://u:p%40@mail.example.test:587?tls=required"
        );
        assert_eq!(url("smtp://10.0.0.1:25"), "smtp://10.0.0.1:25?tls=required");
        assert_eq!(
            url("smtps://mail.example.test"),
            "smtps://mail.example.test"
        );
        for local in [
            "smtp://localhost:25",
            "smtp://127.0.0.1:25",
            "smtp://[::1]:25",
        ] {
            assert_eq!(url(local), local);
        }
        assert_eq!(with_tls("http://mail.example.test"), None);
        assert_eq!(with_tls("smtp:"), None);
    }
}
