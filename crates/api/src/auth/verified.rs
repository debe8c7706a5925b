//! Access tokens whose signature was found good: who asks again and again pays for it once.
//!
//! A token is remembered by all of its text, and what it says never changes. Whether it still holds (its time, its
//! session, its user) is asked with every request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tokens::AccessClaims;

/// So many are remembered, some 8 MB; one more and all are forgotten, which costs a signature each.
const MOST: usize = 10_000;

/// Such tokens, and what they say.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<HashMap<String, Arc<AccessClaims>>>);

impl Verified {
    /// What a token says that was found good before.
    pub(crate) fn claims(&self, token: &str) -> Option<Arc<AccessClaims>> {
        self.locked().get(token).map(Arc::clone)
    }

    /// Remembers a token.
    pub(crate) fn add(&self, token: &str, claims: &Arc<AccessClaims>) {
        let mut verified = self.locked();
        if verified.len() >= MOST {
            verified.clear();
        }
        verified.insert(token.to_owned(), Arc::clone(claims));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Arc<AccessClaims>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use models::id::UserId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn tokens_without_end_take_no_memory_without_end() {
        let claims = Arc::new(AccessClaims {
            iss: String::new(),
            aud: String::new(),
            sub: UserId(Uuid::nil()),
            iat: 0,
            exp: 0,
            jti: Uuid::nil(),
            epoch: 0,
            sid: None,
        });
        let verified = Verified::default();
        for n in 0..3 * MOST {
            verified.add(&n.to_string(), &claims);
            assert!(verified.locked().len() <= MOST);
        }
        assert!(verified.claims(&(3 * MOST - 1).to_string()).is_some());
        assert!(verified.claims("0").is_none());
    }
}
