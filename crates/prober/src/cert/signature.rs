//! Whether one key made the signature of one certificate, asked of outdated keys and signatures too: a verifier refuses
//! those unread, and then nobody knows who vouched.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, UnparsedPublicKey,
};
use rustls::crypto::CryptoProvider;
use x509_cert::Certificate;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::outdated::{RSA, is_weak, rsa_bits};

/// What was found out about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Holds,
    Broken,
    /// Of a kind that can't be checked here.
    Unknown,
}

/// Bits of the RSA keys that can be checked at all.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;

/// Is it signed by `key`? At most as many checks as the provider knows ways for one kind of key and signature.
pub(super) fn check(
    provider: &CryptoProvider,
    certificate: &Certificate,
    key: &SubjectPublicKeyInfoOwned,
) -> Signature {
    let (Some(key_kind), Some(signature_kind), Ok(signed)) = (
        algorithm(&key.algorithm),
        algorithm(certificate.signature_algorithm()),
        certificate.tbs_certificate().to_der(),
    ) else {
        return Signature::Unknown;
    };
    let public = key.subject_public_key.raw_bytes();
    let signature = certificate.signature().raw_bytes();
    if key.algorithm.oid == RSA {
        if !rsa_bits(public).is_some_and(|bits| RSA_BITS.contains(&bits)) {
            return Signature::Unknown;
        }
        if let Some(outdated) = outdated_rsa(&certificate.signature_algorithm().oid) {
            let key = UnparsedPublicKey::new(outdated, public);
            return Signature::of(key.verify(&signed, signature).is_ok());
        }
        if is_weak(key) {
            return Signature::Unknown; // what is left to ask refuses such a key unread
        }
    }
    let known = provider.signature_verification_algorithms.all.iter();
    known
        .filter(|way| {
            *way.public_key_alg_id() == *key_kind && *way.signature_alg_id() == *signature_kind
        })
        .map(|way| Signature::of(way.verify_signature(public, &signed, signature).is_ok()))
        .reduce(|one, other| if one == Signature::Holds { one } else { other })
        .unwrap_or(Signature::Unknown)
}

impl Signature {
    fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }
}

/// For RSA with SHA-1, SHA-256 and SHA-512 (RFC 8017, A.2.4) also short keys can be checked.
fn outdated_rsa(signature: &ObjectIdentifier) -> Option<&'static RsaParameters> {
    const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
    const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
    match *signature {
        SHA_1 => Some(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        SHA_256 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        SHA_512 => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

/// An algorithm as verifiers name it: its DER without the outer sequence.
fn algorithm(id: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut der = id.oid.to_der().ok()?;
    if let Some(parameters) = &id.parameters {
        parameters.encode_to_vec(&mut der).ok()?;
    }
    Some(der)
}
