//! One TLS handshake that verifies like a browser and remembers what it saw.
//!
//! rustls forgets the certificates of a handshake that failed, so a verifier in front of the real one keeps the chain
//! and the verdict. It never softens the verdict: a bad certificate ends the handshake and no request is sent.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme, SupportedCipherSuite,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::cert::Leaves;

/// What the peer presented and what the verifier said to it.
#[derive(Debug)]
pub(crate) struct SeenChain {
    /// The leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The name that was asked for.
    pub(crate) name: ServerName<'static>,
    /// The real verifier's word.
    pub(crate) verdict: Result<(), TlsError>,
}

/// Everything about TLS that outlives a probe.
#[derive(Debug)]
pub(crate) struct Tls {
    base: ClientConfig,
    verifier: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    leaves: Leaves,
}

impl Tls {
    /// Trusts Mozilla's roots and `extra`.
    pub(crate) fn new(extra: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let mut cipher_suites = default_provider().cipher_suites;
        // As browsers ask: AES-128 keeps as much as the key exchange does, and the SHA-256 that comes with it makes the
        // keys of a handshake cheaper than the SHA-384 of AES-256. A server may still choose.
        cipher_suites.sort_by_key(|suite| !is_aes_128(suite));
        let provider = Arc::new(CryptoProvider {
            cipher_suites,
            // Listed because another crate's feature would put the hybrid first, which costs a fifth more.
            kx_groups: vec![
                kx_group::X25519,
                kx_group::SECP256R1,
                kx_group::SECP384R1,
                kx_group::X25519MLKEM768,
            ],
            ..default_provider()
        });
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for certificate in extra {
            roots
                .add(certificate.clone())
                .context("add a root from the extra CA file")?;
        }
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .context("build the certificate verifier")?;
        let mut base = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .context("choose TLS versions")?
            .with_webpki_verifier(verifier.clone())
            .with_no_client_auth();
        base.resumption = Resumption::disabled(); // a resumed session shows no certificate
        base.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            base,
            verifier,
            provider,
            roots,
            leaves: Leaves::default(),
        })
    }

    /// A configuration for one handshake at `now`, and where its certificates will be found.
    pub(crate) fn handshake(&self, now: UnixTime) -> (Arc<ClientConfig>, Arc<Recorder>) {
        let recorder = Arc::new(Recorder {
            verifier: self.verifier.clone(),
            now,
            seen: Mutex::default(),
        });
        let mut config = self.base.clone();
        config
            .dangerous()
            .set_certificate_verifier(recorder.clone());
        (Arc::new(config), recorder)
    }

    pub(crate) fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    /// Certificates that were read before.
    pub(crate) fn leaves(&self) -> &Leaves {
        &self.leaves
    }

    pub(crate) fn roots(&self) -> &RootCertStore {
        &self.roots
    }
}

fn is_aes_128(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// The verifier of one handshake.
#[derive(Debug)]
pub(crate) struct Recorder {
    verifier: Arc<WebPkiServerVerifier>,
    /// The product's time, not this machine's.
    now: UnixTime,
    seen: Mutex<Option<SeenChain>>,
}

impl Recorder {
    /// What was presented; `None` when the handshake did not come that far.
    pub(crate) fn take(&self) -> Option<SeenChain> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _system_now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verdict = self
            .verifier
            .verify_server_cert(leaf, rest, name, ocsp, self.now);
        let seen = SeenChain {
            chain: std::iter::once(leaf)
                .chain(rest)
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            name: name.to_owned(),
            verdict: verdict.as_ref().map(|_| ()).map_err(Clone::clone),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        verdict
    }

    // Both signature checks go to the real verifier: a default or an assertion here would accept a stolen certificate.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_provider_knows_is_left_out_and_aes_128_comes_first() {
        let tls = Tls::new(&[]).unwrap();
        let suites = |provider: &CryptoProvider| -> Vec<_> {
            let suites = provider.cipher_suites.iter();
            suites.map(SupportedCipherSuite::suite).collect()
        };
        let (asked, mut known) = (suites(tls.provider()), suites(&default_provider()));
        assert_eq!(asked.first(), Some(&CipherSuite::TLS13_AES_128_GCM_SHA256));
        known.retain(|suite| !asked.contains(suite));
        assert_eq!(known, []);
    }

    #[test]
    fn the_plain_curve_is_offered_first_and_the_hybrid_still_is() {
        let tls = Tls::new(&[]).unwrap();
        let groups = tls.provider().kx_groups.iter().map(|group| group.name());
        let groups: Vec<_> = groups.collect();
        assert_eq!(groups.first(), Some(&rustls::NamedGroup::X25519));
        assert!(groups.contains(&rustls::NamedGroup::X25519MLKEM768));
    }
}
