//! Security events, as users and admins are shown them.

use db::audit::Entry;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::format;
use crate::openapi::values::{AuditEventName, Timestamp};
use crate::paging::Pagination;

/// An event of the reader's own account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OwnEvent)]
pub(crate) struct OwnEntry {
    /// Its id.
    pub(crate) id: Uuid,
    /// What happened.
    #[schema(value_type = AuditEventName)]
    pub(crate) event: String,
    /// When.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// `user` or `admin`.
    pub(crate) by: &'static str,
    /// Where the request came from; an admin's address is nobody else's business.
    pub(crate) address: Option<String>,
    /// What else is known of it; never a secret.
    #[schema(value_type = Object)]
    pub(crate) details: Value,
}

/// An event of any account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AnyEvent)]
pub(crate) struct AnyEntry {
    /// Its id.
    pub(crate) id: Uuid,
    /// What happened.
    #[schema(value_type = AuditEventName)]
    pub(crate) event: String,
    /// When.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// To whose account.
    pub(crate) user_id: Uuid,
    /// The admin who did it; `null` where the user did.
    pub(crate) admin_id: Option<Uuid>,
    /// Where the request came from.
    pub(crate) address: Option<String>,
    /// What else is known of it; never a secret.
    #[schema(value_type = Object)]
    pub(crate) details: Value,
}

/// A page of the reader's own events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnEvents {
    /// The page.
    pub(crate) events: Vec<OwnEntry>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// A page of events of any account, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnyEvents {
    /// The page.
    pub(crate) events: Vec<AnyEntry>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// For the user himself.
#[must_use]
pub(crate) fn own(entry: Entry) -> OwnEntry {
    let by_admin = entry.actor_id.is_some();
    OwnEntry {
        id: entry.id,
        event: entry.event,
        created_at: format::time(entry.at),
        by: if by_admin { "admin" } else { "user" },
        address: entry.address.filter(|_| !by_admin),
        details: entry.details,
    }
}

/// For an admin.
#[must_use]
pub(crate) fn any(entry: Entry) -> AnyEntry {
    AnyEntry {
        id: entry.id,
        event: entry.event,
        created_at: format::time(entry.at),
        user_id: entry.user_id,
        admin_id: entry.actor_id,
        address: entry.address,
        details: entry.details,
    }
}
