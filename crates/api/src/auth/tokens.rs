//! Access tokens: JWTs with HS256 and nothing else.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use models::id::UserId;
use runtime::env::KeyPair;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::verified::Verified;
use crate::error::Problem;

/// Who issues.
const ISSUER: &str = "pulsemon";
/// For whom.
const AUDIENCE: &str = "pulsemon-api";
/// How far clocks may differ.
const LEEWAY_SECONDS: i64 = 5;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    /// Issuer.
    pub(crate) iss: String,
    /// Audience.
    pub(crate) aud: String,
    /// The user.
    pub(crate) sub: UserId,
    /// Issued at, in seconds.
    pub(crate) iat: i64,
    /// Expires at, in seconds.
    pub(crate) exp: i64,
    /// One of its kind.
    pub(crate) jti: Uuid,
    /// The user's epoch when it was issued: another one ends it.
    pub(crate) epoch: i32,
    /// The session, with which it ends; tokens of the release before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<Uuid>,
}

/// Signs and verifies access tokens.
pub(crate) struct Tokens {
    current: Key,
    previous: Option<Key>,
    life: TimeDelta,
    rules: Validation,
    verified: Verified,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Key {
    /// Names the key in a token's header, so that two keys can be valid at once.
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Key {
    fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let digest = Sha256::new()
            .chain_update(b"pulsemon kid\0")
            .chain_update(secret)
            .finalize();
        Self {
            id: digest
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
        }
    }
}

impl Tokens {
    /// Tokens live `hours`.
    #[must_use]
    pub(crate) fn new(keys: &KeyPair, hours: u16) -> Self {
        let mut rules = Validation::new(Algorithm::HS256); // a token's own header can not widen this
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_exp = false; // by our clock, below
        Self {
            current: Key::new(&keys.current),
            previous: keys.previous.as_ref().map(Key::new),
            life: TimeDelta::hours(i64::from(hours)),
            rules,
            verified: Verified::default(),
        }
    }

    /// How long a new token lives, in seconds.
    #[must_use]
    pub(crate) const fn life_seconds(&self) -> i64 {
        self.life.num_seconds()
    }

    /// A new token of a session of `user`.
    ///
    /// # Errors
    /// 500 when it can't be signed.
    pub(crate) fn issue(
        &self,
        user: UserId,
        epoch: i32,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            iat: now.timestamp(),
            exp: (now + self.life).timestamp(),
            jti: Uuid::new_v4(),
            epoch,
            sid: Some(session),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.current.id.clone());
        jsonwebtoken::encode(&header, &claims, &self.current.signing).map_err(Problem::internal)
    }

    /// What a token says, if it is one of ours and still valid at `now`.
    ///
    /// # Errors
    /// 401, one for all reasons.
    pub(crate) fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<AccessClaims>, Problem> {
        let claims = match self.verified.claims(token) {
            Some(known) => known,
            None => self.verify_anew(token)?,
        };
        let now = now.timestamp();
        if claims.exp <= now - LEEWAY_SECONDS || claims.iat > now + LEEWAY_SECONDS {
            return Err(Problem::unauthorized());
        }
        Ok(claims)
    }

    /// What a token says, if it is one of ours.
    fn verify_anew(&self, token: &str) -> Result<Arc<AccessClaims>, Problem> {
        let refused = |_error| Problem::unauthorized();
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        let key = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| header.kid.as_ref() == Some(&key.id))
            .ok_or_else(Problem::unauthorized)?;
        let claims = jsonwebtoken::decode::<AccessClaims>(token, &key.verifying, &self.rules)
            .map_err(refused)?
            .claims;
        let claims = Arc::new(claims);
        self.verified.add(token, &claims);
        Ok(claims)
    }
}

#[cfg(test)]
mod tests;
