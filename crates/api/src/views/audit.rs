//! Security events, as users and admins are shown them.

use db::audit::Entry;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::format;

/// An event of the reader's own account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct OwnEntry {
    pub(crate) id: Uuid,
    pub(crate) event: String,
    pub(crate) created_at: String,
    /// `user` or `admin`.
    pub(crate) by: &'static str,
    /// Where the request came from; an admin's address is nobody else's business.
    pub(crate) address: Option<String>,
    pub(crate) details: Value,
}

/// An event of any account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the contract documents the fields")]
pub(crate) struct AnyEntry {
    pub(crate) id: Uuid,
    pub(crate) event: String,
    pub(crate) created_at: String,
    pub(crate) user_id: Uuid,
    pub(crate) admin_id: Option<Uuid>,
    pub(crate) address: Option<String>,
    pub(crate) details: Value,
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
