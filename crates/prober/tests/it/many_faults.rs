//! A certificate with several faults: all of them are found, none hides another, and the worst is the verdict.

use std::sync::Arc;

use models::probe::{ErrorKind, ProbeResult};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::support::target::Target;
use crate::support::{assert_down, engine, job, now, run};
use ErrorKind::{
    CertBadSignature, CertExpired, CertNameMismatch, CertSelfSigned, CertUnknownIssuer,
    CertUnsupported,
};

/// Made with OpenSSL, RSA-1024 and SHA-256, `CN = leaf.example`: no library of today makes such keys. Valid from
/// 2026-11-22 for ten years, but for the last, which ended on that day.
const SELF_SIGNED: &[u8] = include_bytes!("../../src/cert/fixtures/self-signed-rsa-1024.der");
const SELF_SIGNED_AUTHORITY: &[u8] =
    include_bytes!("../../src/cert/fixtures/self-signed-rsa-1024-authority.der");
/// Names itself as its issuer; another key signed it.
const SELF_NAMED: &[u8] = include_bytes!("../../src/cert/fixtures/self-named-rsa-1024.der");
/// For `a.example` and for clients.
const ALL_AT_ONCE: &[u8] = include_bytes!("../../src/cert/fixtures/all-at-once.der");

/// Shows this chain whatever its keys are: a probe that looks at it never asks for the key.
pub(crate) fn showing(chain: Vec<CertificateDer<'static>>) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let signer = any_supported_type(&PrivatePkcs8KeyDer::from(key.serialize_der()).into()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(chain, signer);
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
}

/// A leaf for `localhost`, good but for what a test changes.
fn leaf() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "leaf.example");
    let today = OffsetDateTime::from_unix_timestamp(now().timestamp()).unwrap();
    params.not_before = today - Duration::days(10);
    params.not_after = today + Duration::days(10);
    params
}

fn for_clients() -> CertificateParams {
    let mut params = leaf();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn for_an_authority() -> CertificateParams {
    let mut params = leaf();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// With an extension that must be understood and that nobody knows.
fn with_a_riddle() -> CertificateParams {
    let mut riddle = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
    riddle.set_criticality(true);
    let mut params = leaf();
    params.custom_extensions = vec![riddle];
    params
}

fn authority(name: &str) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = for_an_authority();
    params.subject_alt_names = Vec::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let root = params.self_signed(&key).unwrap().der().clone();
    (root, Issuer::new(params, key))
}

fn signed(params: &CertificateParams, by: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().der().clone()
}

fn self_signed(params: &CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

async fn probe(chain: Vec<CertificateDer<'static>>, root: &CertificateDer<'static>) -> ProbeResult {
    let target = Target::tls(showing(chain)).await;
    let engine = engine(&[target.addr], std::slice::from_ref(root));
    run(&engine, &job(&target.url("/"))).await
}

async fn assert_faults(
    what: &str,
    leaf: CertificateDer<'static>,
    root: &CertificateDer<'static>,
    faults: &[ErrorKind],
) {
    let result = probe(vec![leaf], root).await;
    let found = result.certificate.clone().expect(what).errors;
    assert_eq!(found, faults, "{what}");
    assert_down(&result, faults[0]);
}

#[tokio::test]
async fn a_short_key_does_not_hide_who_vouches_for_a_certificate() {
    let (root, _) = authority("Test Authority");
    let cases: [(_, _, &[_]); 4] = [
        (
            "self-signed",
            SELF_SIGNED,
            &[CertSelfSigned, CertUnsupported],
        ),
        (
            "self-signed, an authority's",
            SELF_SIGNED_AUTHORITY,
            &[CertSelfSigned, CertUnsupported],
        ),
        (
            "names itself alone",
            SELF_NAMED,
            &[CertUnknownIssuer, CertUnsupported],
        ),
        (
            "all at once",
            ALL_AT_ONCE,
            &[
                CertExpired,
                CertNameMismatch,
                CertSelfSigned,
                CertUnsupported,
            ],
        ),
    ];
    for (what, der, faults) in cases {
        assert_faults(what, CertificateDer::from(der), &root, faults).await;
    }
}

#[tokio::test]
async fn a_wrong_purpose_does_not_hide_who_vouches_for_a_certificate() {
    let (root, trusted) = authority("Test Authority");
    let (_, stranger) = authority("Other Authority");
    let (_, impostor) = authority("Test Authority");
    for (what, params) in [
        ("for clients", for_clients()),
        ("for an authority", for_an_authority()),
        ("with a riddle", with_a_riddle()),
    ] {
        let by = |issuer| signed(&params, issuer);
        assert_faults(what, by(&trusted), &root, &[CertUnsupported]).await;
        let both = [CertUnknownIssuer, CertUnsupported];
        assert_faults(what, by(&stranger), &root, &both).await;
        let both = [CertBadSignature, CertUnsupported];
        assert_faults(what, by(&impostor), &root, &both).await;
        let both = [CertSelfSigned, CertUnsupported];
        assert_faults(what, self_signed(&params), &root, &both).await;
        let itself = self_signed(&params);
        assert_faults("trusted", itself.clone(), &itself, &[CertUnsupported]).await;
    }
}

#[tokio::test]
async fn what_a_chain_leads_to_is_found_beside_a_wrong_purpose() {
    let (root, trusted) = authority("Test Authority");
    let (_, stranger) = authority("Other Authority");
    let key = KeyPair::generate().unwrap();
    let mut params = for_an_authority();
    params.distinguished_name.push(DnType::CommonName, "Middle");
    let between = |by| params.signed_by(&key, by).unwrap().der().clone();
    let (good, bad) = (between(&trusted), between(&stranger));
    let middle = Issuer::new(params.clone(), key);
    let leaf = signed(&for_clients(), &middle);
    let errors = async |chain| probe(chain, &root).await.certificate.unwrap().errors;
    assert_eq!(errors(vec![leaf.clone(), good]).await, [CertUnsupported]);
    let both = [CertUnknownIssuer, CertUnsupported];
    assert_eq!(errors(vec![leaf.clone(), bad]).await, both);
    assert_eq!(errors(vec![leaf]).await, both);
}

#[tokio::test]
async fn whoever_vouches_is_looked_for_among_a_few_certificates_alone() {
    let (root, _) = authority("Test Authority");
    let (_, stranger) = authority("Other Authority");
    let leaf = signed(&for_clients(), &stranger);
    let errors = async |impostors: usize| {
        let mut chain = vec![leaf.clone()];
        chain.extend((0..impostors).map(|_| authority("Other Authority").0));
        probe(chain, &root).await.certificate.unwrap().errors
    };
    assert_eq!(errors(10).await, [CertBadSignature, CertUnsupported]);
    assert_eq!(errors(40).await, [CertUnsupported], "nobody knows");
}

#[tokio::test]
async fn a_certificate_that_spells_an_address_as_a_host_name_is_told_so() {
    let (root, trusted) = authority("Test Authority");
    let mut params = leaf();
    params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    let target = Target::tls(showing(vec![signed(&params, &trusted)])).await;
    let engine = engine(&[target.addr], &[root]);
    let url = format!("https://{}/", target.addr);
    let message = assert_down(&run(&engine, &job(&url)).await, CertNameMismatch);
    assert_eq!(
        message,
        "the certificate names 127.0.0.1 as a host name, not as the IP address that it is"
    );
}
