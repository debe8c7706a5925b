//! Leaves that were read before. A prober meets the same certificates with every round of its services, and to read one
//! costs as much as a tenth of the handshake that brought it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use models::certificate::CertificateFacts;
use rapidhash::RapidHashMap;
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// Leaves of one generation; then the next begins. Two are remembered: some 4 MB, and 16 MB at most.
const REMEMBERED: usize = 4_096;
/// Longest names of a leaf that is remembered, in bytes; one of a hundred names is read anew each time.
const MOST_BYTES: usize = 1_024;

/// What the leaves seen last say, by the SHA-256 of all their bytes: of two that share it nobody knows.
#[derive(Debug, Default)]
pub(crate) struct Leaves(Mutex<Generations>);

type Digest = [u8; 32];

#[derive(Debug, Default)]
struct Generations {
    newer: RapidHashMap<Digest, Arc<CertificateFacts>>,
    older: RapidHashMap<Digest, Arc<CertificateFacts>>,
}

impl Leaves {
    /// The facts of a leaf; what depends on its chain, on who is asked for and on the time is not among them.
    pub(super) fn facts(&self, leaf: &CertificateDer<'_>) -> CertificateFacts {
        let digest = Digest::from(Sha256::digest(leaf));
        if let Some(known) = self.find(&digest) {
            return (*known).clone();
        }
        let facts = super::read_leaf(leaf, &digest);
        if bytes(&facts) <= MOST_BYTES {
            self.lock().add(digest, Arc::new(facts.clone()));
        }
        facts
    }

    fn find(&self, digest: &Digest) -> Option<Arc<CertificateFacts>> {
        let mut seen = self.lock();
        if let Some(known) = seen.newer.get(digest) {
            return Some(known.clone());
        }
        let known = seen.older.remove(digest)?;
        seen.add(*digest, known.clone());
        Some(known)
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn add(&mut self, digest: Digest, facts: Arc<CertificateFacts>) {
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(digest, facts);
    }
}

/// Of all that can be long.
fn bytes(facts: &CertificateFacts) -> usize {
    let names = [&facts.issuer, &facts.subject, &facts.serial];
    let names = names.into_iter().flatten().chain(&facts.sans);
    names.map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(names: usize) -> CertificateDer<'static> {
        let names = (0..names).map(|n| format!("{n}.example.com"));
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        leaf.self_signed(&key).unwrap().der().clone()
    }

    fn read(leaf: &CertificateDer<'_>) -> CertificateFacts {
        super::super::read_leaf(leaf, &Sha256::digest(leaf))
    }

    #[test]
    fn what_was_read_before_is_said_again_and_of_no_other() {
        let leaves = Leaves::default();
        let mut seen = vec![leaf(1), leaf(2), leaf(0)];
        let mut changed = seen[0].to_vec();
        *changed.last_mut().unwrap() ^= 1; // another signature
        seen.push(changed.into());
        seen.push(b"no certificate".to_vec().into());
        for _round in 0..3 {
            for leaf in &seen {
                assert_eq!(leaves.facts(leaf), read(leaf));
            }
        }
        assert_eq!(leaves.lock().newer.len(), seen.len());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_comes_again_stays() {
        let leaves = Leaves::default();
        let kept = CertificateDer::from(b"kept".to_vec());
        let is_known = |leaf: &CertificateDer<'_>| {
            let digest = Digest::from(Sha256::digest(leaf));
            let seen = leaves.lock();
            seen.newer.contains_key(&digest) || seen.older.contains_key(&digest)
        };
        for n in 0..4 * REMEMBERED {
            assert_eq!(is_known(&kept), n > 0);
            leaves.facts(&kept);
            leaves.facts(&n.to_be_bytes().to_vec().into());
        }
        let seen = leaves.lock();
        assert!(seen.newer.len() <= REMEMBERED && seen.older.len() <= REMEMBERED);
        drop(seen);
        let long = leaf(100);
        assert_eq!(leaves.facts(&long).sans.len(), 100);
        assert!(!is_known(&long));
    }
}
