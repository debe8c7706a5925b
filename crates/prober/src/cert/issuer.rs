//! Who vouches for a leaf, asked beside its other faults: a verifier that dislikes the leaf itself never looks further.

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _, Tag};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::outdated::is_weak;
use super::signature::{Signature, check};

/// Certificates beside the leaf that are looked at. Honest chains have fewer than five.
const MOST_CERTIFICATES: usize = 16;
/// Signatures that are checked for one leaf: each costs up to a millisecond of computing.
const MOST_CHECKS: usize = 16;

/// Whose a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It vouches for itself, and nobody trusts it for that.
    Itself,
    /// No trusted authority is at the end of its chain.
    Unknown,
    /// Whoever has the name of its issuer did not sign it, or the same higher up.
    Forged,
    /// The names lead to a trusted authority, and no signature that can be checked speaks against it. Where `is_weak`, a
    /// key on the way is one that nobody accepts any more.
    Trusted { is_weak: bool },
    /// Too much was presented to find out.
    Undecided,
}

/// Where to look for issuers.
pub(super) struct Issuers<'a> {
    pub(super) rest: &'a [CertificateDer<'a>],
    pub(super) roots: &'a RootCertStore,
    pub(super) provider: &'a CryptoProvider,
}

/// What was met on the way from a leaf to its root.
#[derive(Debug, Default)]
struct Way {
    checks: usize,
    is_weak: bool,
    is_forged: bool,
}

impl Issuers<'_> {
    /// Dates, purposes and limits of authorities are not asked for: a verifier has its say about those.
    pub(super) fn origin(&self, leaf: &Certificate) -> Origin {
        if self.has_trusted_key(leaf) {
            return Origin::Trusted { is_weak: false };
        }
        if is_self_signed(leaf, self.provider) {
            return Origin::Itself;
        }
        let parse = |der: &CertificateDer<'_>| Certificate::from_der(der).ok();
        let presented = self.rest.iter().take(MOST_CERTIFICATES);
        let mut others: Vec<Certificate> = presented.filter_map(parse).collect();
        let mut way = Way::default();
        let mut current = leaf.clone();
        loop {
            if self.is_below_a_root(&current, &mut way) {
                let is_weak = way.is_weak;
                return Origin::Trusted { is_weak };
            }
            let issuer = current.tbs_certificate().issuer();
            let next = others.iter().position(|other| {
                let tbs = other.tbs_certificate();
                tbs.subject() == issuer
                    && self.may_have_signed(tbs.subject_public_key_info(), &current, &mut way)
            });
            match next {
                // Each is followed once, so this ends.
                Some(next) => current = others.swap_remove(next),
                None if way.checks >= MOST_CHECKS || self.rest.len() > MOST_CERTIFICATES => {
                    return Origin::Undecided;
                }
                None if way.is_forged => return Origin::Forged,
                None => return Origin::Unknown,
            }
        }
    }

    /// The leaf is itself what is trusted.
    fn has_trusted_key(&self, leaf: &Certificate) -> bool {
        let tbs = leaf.tbs_certificate();
        let (Some(subject), Some(key)) = (
            content(tbs.subject()),
            content_of_key(tbs.subject_public_key_info()),
        ) else {
            return false;
        };
        self.roots
            .roots
            .iter()
            .any(|root| *root.subject == *subject && *root.subject_public_key_info == *key)
    }

    fn is_below_a_root(&self, certificate: &Certificate, way: &mut Way) -> bool {
        let Some(issuer) = content(certificate.tbs_certificate().issuer()) else {
            return false;
        };
        let roots = self.roots.roots.iter();
        let mut named = roots.filter(|root| *root.subject == *issuer);
        named.any(|root| {
            key(&root.subject_public_key_info)
                .is_some_and(|key| self.may_have_signed(&key, certificate, way))
        })
    }

    fn may_have_signed(
        &self,
        key: &SubjectPublicKeyInfoOwned,
        certificate: &Certificate,
        way: &mut Way,
    ) -> bool {
        if way.checks >= MOST_CHECKS {
            return false;
        }
        way.checks += 1;
        let is_possible = check(self.provider, certificate, key) != Signature::Broken;
        way.is_forged |= !is_possible;
        way.is_weak |= is_possible && is_weak(key);
        is_possible
    }
}

/// Whether a certificate names itself as its issuer and its own key made its signature. Where such a signature can't be
/// checked, the names have to do, and the identifiers of the keys where it has both.
pub(super) fn is_self_signed(certificate: &Certificate, provider: &CryptoProvider) -> bool {
    let tbs = certificate.tbs_certificate();
    if tbs.issuer() != tbs.subject() {
        return false;
    }
    match check(provider, certificate, tbs.subject_public_key_info()) {
        Signature::Holds => true,
        Signature::Broken => false,
        Signature::Unknown => {
            let own = tbs.get_extension::<SubjectKeyIdentifier>();
            let issuers = tbs.get_extension::<AuthorityKeyIdentifier>();
            match (own, issuers) {
                (Ok(Some((_, own))), Ok(Some((_, issuers)))) => {
                    issuers.key_identifier.is_none_or(|id| id == own.0)
                }
                _ => true,
            }
        }
    }
}

/// As a trust anchor holds it: without the outer sequence.
fn content(name: &Name) -> Option<Vec<u8>> {
    without_sequence(&name.to_der().ok()?)
}

fn content_of_key(key: &SubjectPublicKeyInfoOwned) -> Option<Vec<u8>> {
    without_sequence(&key.to_der().ok()?)
}

fn without_sequence(der: &[u8]) -> Option<Vec<u8>> {
    Some(AnyRef::from_der(der).ok()?.value().to_vec())
}

fn key(content: &[u8]) -> Option<SubjectPublicKeyInfoOwned> {
    let sequence = AnyRef::new(Tag::Sequence, content).ok()?.to_der().ok()?;
    SubjectPublicKeyInfoOwned::from_der(&sequence).ok()
}
