//! Certificates that no browser accepts for how they are made, whoever vouches for them: version 1 or 2, an RSA key
//! under 2048 bits or a DSA key, a signature over MD5 or SHA-1 (CA/Browser Forum, Baseline Requirements, 6.1.5 and 7.1).

use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode as _, Reader as _, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// Bits of the smallest RSA key that is accepted.
const MIN_RSA_BITS: usize = 2048;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// MD2, MD4, MD5 and SHA-1, with RSA, DSA and ECDSA.
const BROKEN_SIGNATURES: [ObjectIdentifier; 6] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.3"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"),
    ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
];

/// Whether this leaf is one of them. One that can't be read is not: that is a fault of its own.
pub(super) fn is(leaf: &CertificateDer<'_>) -> bool {
    let Ok(certificate) = Certificate::from_der(leaf) else {
        return false;
    };
    let tbs = certificate.tbs_certificate();
    tbs.version() != Version::V3
        || BROKEN_SIGNATURES.contains(&certificate.signature_algorithm().oid)
        || is_weak(tbs.subject_public_key_info())
}

/// Whether nobody accepts a key any more for how short or old it is.
pub(super) fn is_weak(key: &SubjectPublicKeyInfoOwned) -> bool {
    if key.algorithm.oid == DSA {
        return true;
    }
    key.algorithm.oid == RSA
        && rsa_bits(key.subject_public_key.raw_bytes()).is_some_and(|bits| bits < MIN_RSA_BITS)
}

/// The length of the modulus in an `RSAPublicKey` (RFC 8017, A.1.1).
pub(super) fn rsa_bits(key: &[u8]) -> Option<usize> {
    let modulus = SliceReader::new(key).ok()?.sequence(|reader| {
        let modulus: UintRef<'_> = reader.decode()?;
        let _exponent: UintRef<'_> = reader.decode()?;
        Ok::<_, x509_cert::der::Error>(modulus.as_bytes())
    });
    let modulus = modulus.ok()?;
    let unused = modulus.first().map_or(0, |first| {
        usize::try_from(first.leading_zeros()).unwrap_or(0)
    });
    Some((modulus.len() * 8).saturating_sub(unused))
}
