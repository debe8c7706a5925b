//! Keys for machines, as their owner sees them.

use db::api_keys::ApiKey;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::format;
use crate::openapi::values::{KeyScopeName, Timestamp};
use crate::paging::Pagination;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyView {
    /// Its id.
    pub(crate) id: Uuid,
    /// What it is for, in its owner's words.
    pub(crate) name: String,
    /// What it may do.
    #[schema(value_type = KeyScopeName)]
    pub(crate) scope: String,
    /// How it begins, to know it again.
    pub(crate) prefix: String,
    /// When it was made.
    #[schema(value_type = Timestamp)]
    pub(crate) created_at: String,
    /// When it got another secret.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) rotated_at: Option<String>,
    /// When it ends; `null`: never.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) expires_at: Option<String>,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) last_used_at: Option<String>,
}

/// A key with its secret: shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewApiKey {
    #[serde(flatten)]
    pub(crate) about: KeyView,
    /// The key itself. It is stored hashed and never shown again.
    pub(crate) key: String,
}

/// A page of keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The page.
    pub(crate) api_keys: Vec<KeyView>,
    /// How it goes on.
    pub(crate) pagination: Pagination,
}

/// Without the secret.
#[must_use]
pub(crate) fn shown(key: &ApiKey) -> KeyView {
    KeyView {
        id: key.id,
        name: key.name.clone(),
        scope: key.scope.clone(),
        prefix: key.prefix.clone(),
        created_at: format::time(key.created_at),
        rotated_at: key.rotated_at.map(format::time),
        expires_at: key.expires_at.map(format::time),
        last_used_at: key.last_used_at.map(format::time),
    }
}

/// With it.
#[must_use]
pub(crate) fn shown_once(key: &ApiKey, secret: &SecretString) -> NewApiKey {
    NewApiKey {
        about: shown(key),
        key: secret.expose_secret().to_owned(),
    }
}
