//! A certificate authority that issues what a test asks for, good or bad.

use std::sync::Arc;

use models::probe::ProbeResult;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::target::Target;
use super::{engine, job, now, run};

pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf valid for ten days around the tests' now, unless said otherwise.
pub(crate) struct Leaf {
    pub(crate) names: Vec<&'static str>,
    pub(crate) from_days: i64,
    pub(crate) to_days: i64,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec!["localhost"],
            from_days: -10,
            to_days: 10,
        }
    }
}

impl Leaf {
    fn params(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "leaf.example");
        params.not_before = day(self.from_days);
        params.not_after = day(self.to_days);
        params
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Test Authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = day(-1000);
        params.not_after = day(1000);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    /// A server that presents this leaf.
    pub(crate) fn server(&self, leaf: &Leaf) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.params().signed_by(&key, &self.issuer).unwrap();
        server(certificate.der().clone(), &key)
    }

    /// A server whose good leaf comes with an intermediate authority that was valid until yesterday.
    pub(crate) fn server_of_expired_intermediate(&self) -> ServerConfig {
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Test Authority");
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, "below");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (day(-20), day(-1));
        let intermediate = params.signed_by(&own, &self.issuer).unwrap().der().clone();
        let issuer = Issuer::new(params, own);
        let leaf = Leaf::default().params().signed_by(&key, &issuer).unwrap();
        builder()
            .with_single_cert(vec![leaf.der().clone(), intermediate], private(&key))
            .unwrap()
    }

    /// A server whose good leaf comes without the intermediate authority that issued it.
    pub(crate) fn server_without_its_intermediate(&self) -> ServerConfig {
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Test Intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = Issuer::new(params, own);
        let leaf = Leaf::default().params().signed_by(&key, &issuer).unwrap();
        server(leaf.der().clone(), &key)
    }

    /// A server that presents somebody else's certificate: its key does not fit. It speaks one version of TLS alone.
    pub(crate) fn thief(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = Leaf::default()
            .params()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let chain = vec![certificate.der().clone()];
        let wrong = KeyPair::generate().unwrap();
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private(&wrong)).unwrap();
        let stolen = rustls::sign::CertifiedKey::new(chain, signer);
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)))
    }
}

/// A server whose leaf names itself as its issuer, and another key signed it.
pub(crate) fn self_named(leaf: &Leaf) -> ServerConfig {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let issuer = Issuer::new(leaf.params(), other);
    let certificate = leaf.params().signed_by(&key, &issuer).unwrap();
    server(certificate.der().clone(), &key)
}

/// A server whose leaf vouches for itself.
pub(crate) fn self_signed(leaf: &Leaf) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.params().self_signed(&key).unwrap();
    server(certificate.der().clone(), &key)
}

/// A server that presents these bytes as its certificate.
pub(crate) fn malformed() -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private(&key)).unwrap();
    let chain = vec![CertificateDer::from(b"not a certificate".to_vec())];
    let certified = rustls::sign::CertifiedKey::new(chain, signer);
    builder().with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    builder()
        .with_single_cert(vec![certificate], private(key))
        .unwrap()
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

fn day(days: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now().timestamp()).unwrap() + Duration::days(days)
}

/// Probes a target, with this authority trusted.
pub(crate) async fn probe(authority: &Authority, target: &Target) -> ProbeResult {
    run(
        &engine(&[target.addr], std::slice::from_ref(&authority.root)),
        &job(&target.url("/")),
    )
    .await
}
