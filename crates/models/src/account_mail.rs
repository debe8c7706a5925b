//! Mail about accounts: what there is to say, and the links that come with it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What a mail to the owner of an account, or of an address, says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum AccountMail {
    /// Somebody registered with this address: is it his?
    VerifyEmail,
    /// Somebody registered with, or wanted to move to, an address that has an account.
    AddressKnown,
    /// Somebody registered with an address whose account nobody has confirmed, with another password than it had: from
    /// now on it has none, until whoever reads this chooses one.
    AddressUnconfirmed,
    /// Somebody forgot his password.
    ResetPassword,
    /// To the present address: the account is to move to another one.
    LeaveAddress {
        /// That one.
        new_email: String,
    },
    /// To the wanted address: an account is to move to it.
    TakeAddress,
}

impl AccountMail {
    /// What its link is for; `None` where it has none.
    #[must_use]
    pub const fn purpose(&self) -> Option<LinkPurpose> {
        match self {
            Self::VerifyEmail => Some(LinkPurpose::VerifyEmail),
            Self::AddressKnown => None,
            Self::AddressUnconfirmed | Self::ResetPassword => Some(LinkPurpose::ResetPassword),
            Self::LeaveAddress { .. } => Some(LinkPurpose::LeaveAddress),
            Self::TakeAddress => Some(LinkPurpose::TakeAddress),
        }
    }
}

/// What the token of a link is good for, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkPurpose {
    /// Proves that the address is the user's.
    VerifyEmail,
    /// Sets another password.
    ResetPassword,
    /// The present address lets the account go.
    LeaveAddress,
    /// The wanted address takes it.
    TakeAddress,
}

impl LinkPurpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::LeaveAddress,
        Self::TakeAddress,
    ];

    /// The name in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::LeaveAddress => "leave_address",
            Self::TakeAddress => "take_address",
        }
    }

    /// How long its token works: a password's must not lie around.
    #[must_use]
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::minutes(30),
            Self::VerifyEmail | Self::LeaveAddress | Self::TakeAddress => TimeDelta::hours(24),
        }
    }

    /// The page that the link leads to, under the address of the api or of a frontend.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::VerifyEmail => "/auth/verify",
            Self::ResetPassword => "/auth/reset-password",
            Self::LeaveAddress | Self::TakeAddress => "/auth/confirm-email",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: rows hold it.
    #[test]
    fn facts_are_stored_in_one_shape_for_ever() {
        let stored = |mail: &AccountMail| serde_json::to_string(mail).unwrap();
        assert_eq!(
            stored(&AccountMail::VerifyEmail),
            r#"{"mail":"verify_email"}"#
        );
        assert_eq!(
            stored(&AccountMail::AddressUnconfirmed),
            r#"{"mail":"address_unconfirmed"}"#
        );
        let leave = AccountMail::LeaveAddress {
            new_email: "b@example.com".to_owned(),
        };
        let text = r#"{"mail":"leave_address","new_email":"b@example.com"}"#;
        assert_eq!(stored(&leave), text);
        assert_eq!(serde_json::from_str::<AccountMail>(text).unwrap(), leave);
    }
}
