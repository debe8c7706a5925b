//! The tokens of mailed links: a keyed hash of a random seed.
//!
//! The seed and the token's own hash lie in the database, the key does not: so a mail can be rendered and sent long
//! after it was asked for, and again, and still nobody who reads the database can use a link.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::account_mail::LinkPurpose;

/// Bytes of a seed, of a token and of its hash.
pub const BYTES: usize = 32;

/// Keeps these tokens apart from whatever else the same secret is used for.
const LABEL: &[u8] = b"account mail token v1";

/// Makes tokens. Cheap to clone.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

/// The secret can not be a key; HMAC takes any length, so this does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret can not be a key")]
pub struct BadKey;

impl TokenKey {
    /// Derived from a secret, for this use alone.
    ///
    /// # Errors
    /// Never.
    pub fn new(secret: &[u8]) -> Result<Self, BadKey> {
        let hmac = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).map_err(|_length| BadKey);
        let mut root = hmac(secret)?;
        root.update(LABEL);
        Ok(Self(hmac(&root.finalize().into_bytes())?))
    }

    /// The token of one row: it stands in the link.
    #[must_use]
    pub fn token(&self, purpose: LinkPurpose, id: Uuid, seed: &[u8]) -> String {
        let mut hmac = self.0.clone();
        hmac.update(purpose.as_str().as_bytes());
        hmac.update(&[0]);
        hmac.update(id.as_bytes());
        hmac.update(seed);
        URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes())
    }
}

/// What is stored of a token; `None` for what can not be one.
#[must_use]
pub fn hash(token: &str) -> Option<[u8; BYTES]> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == BYTES).then(|| Sha256::digest(&bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: mails that wait to be sent across an update lead to rows made before it.
    #[test]
    fn a_token_follows_from_its_row_and_the_key_for_ever() {
        let key = TokenKey::new(b"a secret of this test").unwrap();
        let token = key.token(LinkPurpose::VerifyEmail, Uuid::nil(), &[7; BYTES]);
        assert_eq!(token, "w3X3EgdAnAMtXVjbMvtm0U8yXPJOi9P56mVoHaCRwcs");
        assert_eq!(token.len(), 43);
        assert!(hash(&token).is_some());
    }

    #[test]
    fn every_part_of_a_row_and_the_key_make_another_token() {
        let key = TokenKey::new(b"a secret of this test").unwrap();
        let other = TokenKey::new(b"another secret of it").unwrap();
        let (verify, reset) = (LinkPurpose::VerifyEmail, LinkPurpose::ResetPassword);
        let tokens = [
            key.token(verify, Uuid::nil(), &[7; BYTES]),
            key.token(reset, Uuid::nil(), &[7; BYTES]),
            key.token(verify, Uuid::max(), &[7; BYTES]),
            key.token(verify, Uuid::nil(), &[8; BYTES]),
            other.token(verify, Uuid::nil(), &[7; BYTES]),
        ];
        let hashes: std::collections::HashSet<_> = tokens.iter().map(|token| hash(token)).collect();
        assert_eq!(hashes.len(), tokens.len());
    }

    #[test]
    fn what_can_not_be_a_token_has_no_hash() {
        for wrong in [
            "",
            "a",
            "not base64!",
            &"A".repeat(42),
            &"A".repeat(44),
            &"A".repeat(86),
        ] {
            assert_eq!(hash(wrong), None, "{wrong}");
        }
    }
}
