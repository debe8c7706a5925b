//! Accounts, as admins see them.

use db::users::admin::Administered;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::format;
use crate::openapi::values::Timestamp;
use crate::paging::Pagination;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its address.
    pub(crate) email: String,
    /// `null` where there is none.
    pub(crate) username: Option<String>,
    /// `user` or `admin`.
    pub(crate) role: String,
    /// Whether the address has been verified.
    pub(crate) is_verified: bool,
    /// Nobody can log in, and no token or key holds.
    pub(crate) is_locked: bool,
    /// Since when.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) locked_at: Option<String>,
    /// What it may have.
    pub(crate) quota: UserQuota,
    /// When it was created.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
}

/// What an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UserQuota {
    /// Active services.
    pub(crate) services: OwnQuota,
}

/// How many active services an account may have, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OwnQuota {
    /// The most.
    pub(crate) limit: i64,
    /// What an admin set; `null`: it has what everybody has.
    pub(crate) own: Option<i64>,
    /// Now.
    pub(crate) used: i64,
}

/// A page of accounts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserList {
    /// The page.
    pub(crate) users: Vec<UserView>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// An account that has `used` active services, where everybody may have `default`.
#[must_use]
pub(crate) fn user(account: &Administered, used: i64, default: u32) -> UserView {
    let own = account.service_quota.map(i64::from);
    let services = OwnQuota {
        limit: own.unwrap_or_else(|| i64::from(default)),
        own,
        used,
    };
    UserView {
        id: account.id,
        email: account.email.clone(),
        username: account.username.clone(),
        role: account.role.clone(),
        is_verified: account.is_verified,
        is_locked: account.locked_at.is_some(),
        locked_at: account.locked_at.map(format::time),
        quota: UserQuota { services },
        created_at: format::time(account.created_at),
    }
}
