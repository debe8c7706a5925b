//! Refresh tokens: one use each, a family dies with the first token that comes twice.
//!
//! A token's successor follows from it by a key of ours, so that a client whose reply was lost can be given the same
//! one again without our storing anything that opens a door.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use db::Conn;
use db::audit;
use db::refresh_tokens::{self, Holder, RefreshToken, Rotation};
use db::sessions::{self, Session};
use hmac::{Hmac, KeyInit as _, Mac as _};
use models::audit::AuditEvent;
use models::id::UserId;
use runtime::env::KeyPair;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::origin::Origin;
use super::tokens::Tokens;
use crate::error::Problem;
use crate::problems;

/// A refresh token that is not used for so long is dead.
const LIFE: TimeDelta = TimeDelta::days(30);
/// So long after its use a token still answers its successor: the reply may have been lost.
const GRACE: TimeDelta = TimeDelta::seconds(10);
const BYTES: usize = 32;

/// The keys that successors follow from.
#[derive(Clone)]
pub(crate) struct RefreshKeys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for RefreshKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshKeys").finish_non_exhaustive()
    }
}

impl RefreshKeys {
    /// Derived from the signing keys, under a name of their own.
    ///
    /// # Errors
    /// Never for keys of a [`KeyPair`].
    pub(crate) fn new(keys: &KeyPair) -> anyhow::Result<Self> {
        let purpose = "refresh token successor v1";
        Ok(Self {
            current: derived_key(&keys.current, purpose)?,
            previous: keys
                .previous
                .as_ref()
                .map(|key| derived_key(key, purpose))
                .transpose()?,
        })
    }

    fn successor(key: &Hmac<Sha256>, token: &[u8]) -> Vec<u8> {
        let mut key = key.clone();
        key.update(token);
        key.finalize().into_bytes().to_vec()
    }
}

/// A key for one purpose, so that no two uses share one.
///
/// # Errors
/// Never: HMAC takes keys of any length.
pub(crate) fn derived_key(key: &SecretString, purpose: &str) -> anyhow::Result<Hmac<Sha256>> {
    let mut root = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())?;
    root.update(purpose.as_bytes());
    Ok(Hmac::new_from_slice(&root.finalize().into_bytes())?)
}

/// What a client gets: an access token and the token for the next one.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The JWT.
    pub(crate) access_token: String,
    /// The opaque refresh token.
    pub(crate) refresh_token: String,
}

/// The first pair of a new session: a login. Lock the user's row first.
///
/// # Errors
/// The database's failure.
pub(crate) async fn start_session(
    conn: &mut Conn,
    tokens: &Tokens,
    holder: Holder,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Pair, Problem> {
    let session = Session {
        id: holder.session_id,
        user_id: holder.user_id,
        created_at: now,
        last_used_at: now,
        client_address: Some(origin.address().to_string()),
        user_agent: origin.user_agent.clone(),
        expires_at: now + LIFE,
    };
    refresh_tokens::delete_expired_of(conn, holder.user_id, now).await?;
    sessions::begin(conn, &session).await?;
    add_token(conn, tokens, holder, now).await
}

/// A new pair for a session whose tokens have just been revoked.
///
/// # Errors
/// 401 when it has ended meanwhile, or the database's failure.
pub(crate) async fn renew_session(
    conn: &mut Conn,
    tokens: &Tokens,
    holder: Holder,
    now: DateTime<Utc>,
) -> Result<Pair, Problem> {
    if !sessions::renew(conn, holder.session_id, now, now + LIFE).await? {
        return Err(Problem::unauthorized());
    }
    add_token(conn, tokens, holder, now).await
}

async fn add_token(
    conn: &mut Conn,
    tokens: &Tokens,
    holder: Holder,
    now: DateTime<Utc>,
) -> Result<Pair, Problem> {
    let token: [u8; BYTES] = rand::random();
    let row = RefreshToken {
        id: Uuid::now_v7(),
        user_id: holder.user_id,
        family_id: holder.session_id,
        token_hash: hash(&token),
        issued_at: now,
        expires_at: now + LIFE,
        used_at: None,
        revoked_at: None,
    };
    refresh_tokens::insert(conn, &row).await?;
    pair(tokens, holder, &token, now)
}

/// Spends `token` for the next pair. A spent one revokes its family, but for 10 s answers the same successor.
///
/// # Errors
/// 401, one for all reasons, or the database's failure.
pub(crate) async fn refresh(
    conn: &mut Conn,
    tokens: &Tokens,
    keys: &RefreshKeys,
    token: &str,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Pair, Problem> {
    let token = decode(token).ok_or_else(refused)?;
    let spent_hash = hash(&token);
    let successor = RefreshKeys::successor(&keys.current, &token);
    let rotation = Rotation {
        spent_hash: spent_hash.clone(),
        successor_id: Uuid::now_v7(),
        successor_hash: hash(&successor),
        now,
        expires_at: now + LIFE,
        client_address: Some(origin.address().to_string()),
        user_agent: origin.user_agent.clone(),
    };
    if let Some(holder) = refresh_tokens::rotate(conn, &rotation).await? {
        return pair(tokens, holder, &successor, now);
    }
    // Unknown, expired, revoked, of a locked user, or spent before.
    let row = refresh_tokens::find(conn, &spent_hash)
        .await?
        .ok_or_else(refused)?;
    let Some(used_at) = row.used_at.filter(|_| row.revoked_at.is_none()) else {
        return Err(refused());
    };
    if now - used_at >= GRACE {
        tracing::warn!(user.id = %row.user_id, "a spent refresh token came again: its family is revoked");
        sessions::end(conn, row.user_id, row.family_id, now).await?;
        let reused = origin.event(AuditEvent::RefreshTokenReused, row.user_id, now);
        audit::record(conn, &reused).await?;
        return Err(refused());
    }
    for key in [Some(&keys.current), keys.previous.as_ref()]
        .into_iter()
        .flatten()
    {
        let successor = RefreshKeys::successor(key, &token);
        let alive = refresh_tokens::holder(conn, &hash(&successor), now).await?;
        if let Some(holder) = alive {
            return pair(tokens, holder, &successor, now);
        }
    }
    Err(refused())
}

/// Ends the session that `token` belongs to, if there is one that goes on.
///
/// # Errors
/// The database's failure.
pub(crate) async fn end_session(
    conn: &mut Conn,
    token: &str,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let Some(token) = decode(token) else {
        return Ok(());
    };
    let row = refresh_tokens::find(conn, &hash(&token)).await?;
    if let Some(row) = row.filter(|row| row.revoked_at.is_none()) {
        sessions::end(conn, row.user_id, row.family_id, now).await?;
        let ended = origin.event(AuditEvent::LoggedOut, row.user_id, now);
        audit::record(conn, &ended).await?;
    }
    Ok(())
}

fn pair(
    tokens: &Tokens,
    holder: Holder,
    token: &[u8],
    now: DateTime<Utc>,
) -> Result<Pair, Problem> {
    let user = UserId(holder.user_id);
    Ok(Pair {
        access_token: tokens.issue(user, holder.token_epoch, holder.session_id, now)?,
        refresh_token: URL_SAFE_NO_PAD.encode(token),
    })
}

fn decode(token: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == BYTES).then_some(bytes)
}

fn hash(token: &[u8]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

fn refused() -> Problem {
    Problem::new(&problems::INVALID_REFRESH_TOKEN, "Log in again.")
}
