//! Whether addresses of mail have to be confirmed.

use super::{AppEnv, Reader};

/// `EMAIL_VERIFICATION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailVerification {
    /// An account works as soon as it is registered; the default, so that a first run needs no mail.
    Off,
    /// It works once its address is confirmed, and gets no mail about services before; the default in
    /// production.
    Required,
}

impl EmailVerification {
    /// Reads it; the api and the alerter have to agree.
    pub fn read(reader: &Reader<'_>, app_env: Option<AppEnv>) -> Option<Self> {
        let default = match app_env.is_some_and(AppEnv::is_production) {
            true => Self::Required,
            false => Self::Off,
        };
        let words = [("off", Self::Off), ("required", Self::Required)];
        reader.choice("EMAIL_VERIFICATION", default, &words)
    }

    /// Whether an account without a confirmed address may do nothing.
    pub fn is_required(self) -> bool {
        self == Self::Required
    }
}
