//! What is worth remembering about an account: the closed list of security events.

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal,)+) => {
        /// One kind of security event. Names are stored: they never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditEvent {
            $($(#[$doc])* $event,)+
        }

        impl AuditEvent {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$event,)+];

            /// The name in rows and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)+
                }
            }
        }
    };
}

events! {
    /// The account was made.
    Registered = "registered",
    /// Its address was confirmed.
    EmailVerified = "email_verified",
    /// Somebody proved to be the user.
    LoggedIn = "logged_in",
    /// Somebody tried to log in with a wrong password.
    LoginFailed = "login_failed",
    /// A wrong password was given where one who is logged in is asked for it again; the details say what for.
    PasswordRefused = "password_refused",
    /// One session was ended by its holder.
    LoggedOut = "logged_out",
    /// All sessions were ended.
    LoggedOutEverywhere = "logged_out_everywhere",
    /// One session was ended from another one.
    SessionRevoked = "session_revoked",
    /// A spent refresh token came again, and its session was ended.
    RefreshTokenReused = "refresh_token_reused",
    /// The password was changed by somebody who knew the old one.
    PasswordChanged = "password_changed",
    /// A mail for a forgotten password was asked for.
    PasswordResetRequested = "password_reset_requested",
    /// The password was replaced by way of such a mail.
    PasswordReset = "password_reset",
    /// Another address was asked for.
    EmailChangeRequested = "email_change_requested",
    /// The address was changed, after both had confirmed it.
    EmailChanged = "email_changed",
    /// The account was deleted by its user.
    AccountDeleted = "account_deleted",
    /// A key for machines was made.
    ApiKeyCreated = "api_key_created",
    /// A key got a new secret.
    ApiKeyRotated = "api_key_rotated",
    /// A key was taken away.
    ApiKeyRevoked = "api_key_revoked",
    /// The installation's first admin was made or named.
    AdminAppointed = "admin_appointed",
    /// An admin set how many services the user may have.
    QuotaChanged = "quota_changed",
    /// An admin locked the account.
    Locked = "locked",
    /// An admin opened it again.
    Unlocked = "unlocked",
}

impl AuditEvent {
    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|event| event.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_name_of_its_own() {
        for event in AuditEvent::ALL {
            assert_eq!(AuditEvent::from_name(event.as_str()), Some(*event));
        }
        assert_eq!(AuditEvent::from_name("else"), None);
    }
}
