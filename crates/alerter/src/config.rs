//! The alerter's settings, from the environment.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use models::account_mail::LinkPurpose;
use models::id::ServiceId;
use runtime::env::{
    AppEnv, BrokerConfig, DatabaseConfig, EmailVerification, EnvErrors, KeyPair, OpsConfig, Reader,
    Vars,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::channels::is_smtp_url;
use crate::lane::SWEEP_EVERY;

/// Everything [`crate::run`] needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the truth is.
    pub database: DatabaseConfig,
    /// Where nudges come from.
    pub broker: BrokerConfig,
    /// The ops port.
    pub ops: OpsConfig,
    /// How mail goes out.
    pub mail: MailConfig,
    /// Under which address people reach the product.
    pub links: Links,
    /// Whether unconfirmed addresses get no mail about services.
    pub verification: EmailVerification,
    /// `SECRETS_KEY`: what tokens in mailed links follow from.
    pub token_keys: KeyPair,
    /// How often rows are looked at without a nudge. Not in the environment: a second is right
    /// for everyone but a test that has no second.
    pub sweep_every: Duration,
}

/// How mail goes out.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The sender of every mail.
    pub from: Mailbox,
    /// Which way.
    pub transport: TransportConfig,
}

/// One of three ways.
#[derive(Debug, Clone)]
pub enum TransportConfig {
    /// Resend's API.
    Resend {
        /// Its key.
        api_key: SecretString,
        /// Its address.
        base_url: Url,
    },
    /// An SMTP server.
    Smtp {
        /// `smtp://` or `smtps://`, with user and password.
        url: SecretString,
    },
    /// A folder on this machine.
    Outbox {
        /// Made where it is missing.
        folder: PathBuf,
    },
}

/// The addresses that links in mails begin with.
#[derive(Debug, Clone)]
pub struct Links {
    /// A frontend's.
    frontend: Option<Url>,
    /// The api's.
    api: Url,
}

const RESEND_URL: &str = "https://api.resend.com";
const OUTBOX: &str = "./outbox";
/// Where the api is on a developer's machine.
const LOCAL_API: &str = "http://127.0.0.1:8080";
/// Good enough for an outbox; a real server wants a real sender.
const LOCAL_SENDER: &str = "Pulsemon <alerts@localhost>";

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
        let mail = MailConfig::read(&reader);
        let app_env = AppEnv::read(&reader);
        let links = Links::read(&reader, app_env);
        let verification = EmailVerification::read(&reader, app_env);
        let token_keys = KeyPair::required(&reader, "SECRETS_KEY");
        reader.finish(|| {
            Some(Self {
                database: database?,
                broker: broker?,
                ops: ops?,
                mail: mail?,
                links: links?,
                verification: verification?,
                token_keys: token_keys?,
                sweep_every: SWEEP_EVERY,
            })
        })
    }
}

impl MailConfig {
    /// `RESEND_API_KEY` (then `RESEND_FROM_EMAIL` is required), or else `SMTP_URL`, or else the
    /// folder `OUTBOX_DIR`. All are read, so that every mistake is named at once.
    fn read(reader: &Reader<'_>) -> Option<Self> {
        let api_key = reader.optional_secret("RESEND_API_KEY");
        let base_url = web_url(reader, "RESEND_BASE_URL", Some(RESEND_URL));
        let smtp_url = reader.optional_secret("SMTP_URL");
        let folder = reader.or("OUTBOX_DIR", PathBuf::from(OUTBOX));
        let default_sender = api_key.is_none().then_some(LOCAL_SENDER);
        let from = sender(reader, default_sender);
        if let Some(url) = &smtp_url
            && !is_smtp_url(url.expose_secret())
        {
            return reader.refuse(
                "SMTP_URL",
                "is not of the form smtp://user:password@host:port or smtps://…",
            );
        }
        let transport = match (api_key, smtp_url) {
            (Some(api_key), _) => TransportConfig::Resend {
                api_key,
                base_url: base_url??,
            },
            (None, Some(url)) => TransportConfig::Smtp { url },
            (None, None) => TransportConfig::Outbox { folder: folder? },
        };
        Some(Self {
            from: from?,
            transport,
        })
    }
}

fn sender(reader: &Reader<'_>, default: Option<&str>) -> Option<Mailbox> {
    const NAME: &str = "RESEND_FROM_EMAIL";
    let text = match (reader.text(NAME), default) {
        (Some(text), _) => text,
        (None, Some(default)) => default.to_owned(),
        (None, None) => return reader.refuse(NAME, "is required with RESEND_API_KEY"),
    };
    match text.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(_) => reader.refuse(
            NAME,
            "is not of the form `alerts@example.com` or `Name <alerts@example.com>`",
        ),
    }
}

/// `None`: wrong, and noted. `Some(None)`: left out, and there is no default.
fn web_url(reader: &Reader<'_>, name: &str, default: Option<&str>) -> Option<Option<Url>> {
    let Some(text) = reader.text(name).or(default.map(str::to_owned)) else {
        return Some(None);
    };
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(Some(url)),
        _ => reader.refuse(name, "is not of the form https://host"),
    }
}

impl Links {
    /// `FRONTEND_URL`, and `APP_BASE_URL` for what leads to the api's own pages without one.
    fn read(reader: &Reader<'_>, app_env: Option<AppEnv>) -> Option<Self> {
        let frontend = web_url(reader, "FRONTEND_URL", None)?;
        let is_production = app_env.is_some_and(AppEnv::is_production);
        let default = (!is_production || frontend.is_some()).then_some(LOCAL_API);
        match web_url(reader, "APP_BASE_URL", default)? {
            Some(api) => Some(Self { frontend, api }),
            None => reader.refuse(
                "APP_BASE_URL",
                "is required in production without FRONTEND_URL: links in account mail begin with it",
            ),
        }
    }

    /// Where a person sees more about a service; the api has no page for that.
    #[must_use]
    pub fn dashboard(&self, service: ServiceId) -> Option<String> {
        let base = self.frontend.as_ref()?.as_str().trim_end_matches('/');
        Some(format!("{base}/dashboard/{service}"))
    }

    /// Where a person uses the token of an account mail.
    #[must_use]
    pub fn account(&self, purpose: LinkPurpose, token: &str) -> String {
        let base = self.frontend.as_ref().unwrap_or(&self.api).as_str();
        let (base, path) = (base.trim_end_matches('/'), purpose.path());
        format!("{base}{path}?token={token}")
    }
}

#[cfg(test)]
mod tests;
