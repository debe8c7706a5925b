//! Keys for machines: what they look like, and what they open.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use db::Conn;
use db::api_keys;
use models::Time;
use models::id::UserId;
use sha2::{Digest as _, Sha256};

use crate::error::Problem;
use crate::routes::PREFIX;

/// How every key begins, so that a scanner for leaked secrets knows it.
const MARK: &str = "pmk_";
const SECRET_BYTES: usize = 32;
/// How much of a key its owner is shown again: the mark and 36 bits, of 256.
const PREFIX_CHARS: usize = MARK.len() + 6;
/// How exact "last used" is: a write a minute and key, whatever it does.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What keys open. Everything else (the account, its keys, `/admin`) needs a session.
const OPEN: [&str; 2] = ["services", "dashboard"];

/// Whether keys open what stands at this path.
#[must_use]
pub(crate) fn is_open(path: &str) -> bool {
    let path = path.strip_prefix(PREFIX).unwrap_or(path);
    let first = path.split('/').nth(1).unwrap_or_default();
    OPEN.contains(&first)
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyScope {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

impl KeyScope {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The name in rows and answers.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The scope of a name.
    #[must_use]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A new key, shown once.
pub(crate) struct NewKey {
    /// All of it.
    pub(crate) text: String,
    /// How it begins.
    pub(crate) prefix: String,
    /// What is stored.
    pub(crate) hash: Vec<u8>,
}

/// Without the key.
impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl NewKey {
    /// From `secret`, which is random.
    #[must_use]
    pub(crate) fn new(secret: [u8; SECRET_BYTES]) -> Self {
        let text = format!("{MARK}{}", URL_SAFE_NO_PAD.encode(secret));
        Self {
            prefix: text.chars().take(PREFIX_CHARS).collect(),
            hash: hash(&text),
            text,
        }
    }
}

/// A key that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownKey {
    /// Whose it is.
    pub(crate) user: UserId,
    /// What it may do.
    pub(crate) scope: KeyScope,
}

/// Whether a bearer token is a key, or says so.
#[must_use]
pub(crate) fn is_key(token: &str) -> bool {
    token.starts_with(MARK)
}

/// Finds a key, and notes that it is used.
///
/// # Errors
/// The database's failure. `None` for a key that does not hold.
pub(crate) async fn find(
    conn: &mut Conn,
    token: &str,
    now: Time,
) -> Result<Option<KnownKey>, Problem> {
    let Some(holder) = api_keys::holder(conn, &hash(token), now).await? else {
        return Ok(None);
    };
    let before = now - USE_NOTED_EVERY;
    if holder.last_used_at.is_none_or(|at| at <= before) {
        api_keys::used(conn, holder.id, now, before).await?;
    }
    let scope = KeyScope::from_name(&holder.scope);
    Ok(scope.map(|scope| KnownKey {
        user: UserId(holder.user_id),
        scope,
    }))
}

/// What is stored of a key.
pub(crate) fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_beginning_which_gives_nothing_away() {
        let key = NewKey::new([7; SECRET_BYTES]);
        assert!(is_key(&key.text) && key.text.starts_with(&key.prefix));
        assert_eq!(
            (key.text.len(), key.prefix.len(), key.hash.len()),
            (47, 10, 32)
        );
        assert!(!format!("{key:?}").contains(&key.text));
        assert!(!is_key("eyJhbGciOiJIUzI1NiJ9.e30."));
    }
    #[test]
    fn keys_open_services_and_dashboards_and_nothing_else() {
        for open in [
            "/services",
            "/api/v1/services/x/probe",
            "/dashboard",
            "/api/v1/dashboard/x",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "/",
            "",
            "/auth/me",
            "/api/v1/api-keys",
            "/servicesx",
            "/api/v1",
            "//services",
            "/audit",
            "/admin/users",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
