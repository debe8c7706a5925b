//! An account and its tokens, as their owner sees them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::openapi::values::Timestamp;

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Registered {
    /// The account.
    pub(crate) id: Uuid,
    /// As typed, trimmed, with the domain in ASCII.
    pub(crate) email: String,
    /// `null` where none was given.
    pub(crate) username: Option<String>,
    /// Whether the address has been verified.
    pub(crate) is_verified: bool,
    /// When it was created.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
}

/// What a client is logged in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TokenPair {
    /// A JWT for `Authorization: Bearer`. What stands in it is ours: treat it as opaque.
    pub(crate) access_token: String,
    /// Always `Bearer`.
    pub(crate) token_type: &'static str,
    /// Life of the access token in seconds.
    pub(crate) expires_in: i64,
    /// For one use at `/auth/refresh`, within 30 days.
    pub(crate) refresh_token: String,
}

/// An address is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Always `true`.
    pub(crate) is_verified: bool,
}

/// One of the two addresses of a move has confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AddressConfirmed {
    /// The account's address now.
    pub(crate) email: String,
    /// Both have confirmed, and the account has moved.
    pub(crate) is_changed: bool,
}

/// A place where somebody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// Its id.
    pub(crate) id: Uuid,
    /// When it began: the login.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// When its tokens were last renewed.
    #[schema(value_type = Timestamp)]
    pub(crate) last_used_at: String,
    /// From where.
    pub(crate) client_address: Option<String>,
    /// With what, as it named itself.
    pub(crate) user_agent: Option<String>,
    /// It is the one that asks.
    pub(crate) current: bool,
}

/// Where one is logged in, the last used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// All of them.
    pub(crate) sessions: Vec<SessionView>,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct Me {
    /// The account.
    pub(crate) id: Uuid,
    /// Its address.
    pub(crate) email: String,
    /// `null` where there is none.
    pub(crate) username: Option<String>,
    /// `user` or `admin`.
    pub(crate) role: String,
    /// Whether the address has been verified.
    pub(crate) is_verified: bool,
    /// What it may have.
    pub(crate) quota: Quota,
    /// When it was created.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
}

/// What an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Quota {
    /// Active services.
    pub(crate) services: QuotaUse,
}

/// How much of something an account may have, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct QuotaUse {
    /// The most.
    pub(crate) limit: i64,
    /// Now.
    pub(crate) used: i64,
}
