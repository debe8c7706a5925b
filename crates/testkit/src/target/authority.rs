//! A certificate authority that issues what a test asks for, good or bad.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use runtime::env::{ProcessEnv, Vars as _};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What a server presents. All are for `localhost` and `127.0.0.1` but [`Self::WrongHost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for 90 days, through an intermediate that is sent along.
    Good,
    /// The same, valid for so many days from now.
    ExpiresIn(u16),
    /// Ended yesterday.
    Expired,
    /// Begins tomorrow.
    NotYetValid,
    /// For another name.
    WrongHost,
    /// Vouches for itself.
    SelfSigned,
    /// By an authority that nobody trusts.
    UnknownAuthority,
    /// [`Self::Good`], without its intermediate.
    MissingIntermediate,
}

/// The authority. Probers trust it by `PROBE_EXTRA_CA_FILE`.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    file: TempFile,
    intermediate: Signer,
    stranger: Signer,
    now: OffsetDateTime,
}

/// An authority's certificate and what it signs with.
#[derive(Debug)]
struct Signer {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// An authority of the test's own, by the wall clock.
    ///
    /// # Panics
    /// Where the temporary folder cannot be written.
    #[must_use]
    pub fn new() -> Self {
        Self::at(OffsetDateTime::from(std::time::SystemTime::now()))
    }

    /// The same for a test whose clock stands at `unix_seconds`.
    ///
    /// # Panics
    /// Where that is no time, or the temporary folder cannot be written.
    #[must_use]
    pub fn at_unix(unix_seconds: i64) -> Self {
        Self::at(OffsetDateTime::from_unix_timestamp(unix_seconds).expect("a time"))
    }

    fn at(now: OffsetDateTime) -> Self {
        let root = self_signed_authority("Test Root", now);
        let pem = root.pem;
        let file = TempFile::with(&pem);
        let intermediate = intermediate(&root.signer, now);
        let stranger = self_signed_authority("Stranger", now).signer;
        Self {
            pem,
            file,
            intermediate,
            stranger,
            now,
        }
    }

    /// The root's certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A file with [`Self::pem`], as long as this lives.
    #[must_use]
    pub fn pem_file(&self) -> &Path {
        &self.file.0
    }

    /// A server that presents `certificate`.
    pub(crate) fn server(&self, certificate: Certificate) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = self.leaf(certificate);
        let chain = match certificate {
            Certificate::SelfSigned => {
                vec![params.self_signed(&key).expect("a leaf").der().clone()]
            }
            Certificate::UnknownAuthority => vec![signed(&params, &key, &self.stranger)],
            Certificate::MissingIntermediate => vec![signed(&params, &key, &self.intermediate)],
            _ => vec![
                signed(&params, &key, &self.intermediate),
                self.intermediate.der.clone(),
            ],
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a chain that fits its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    fn leaf(&self, certificate: Certificate) -> CertificateParams {
        let names = match certificate {
            Certificate::WrongHost => vec!["elsewhere.example".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        // A minute more: "in 10 days" is still 10 whole days when the probe looks.
        let slack = Duration::minutes(1);
        let (from, to) = match certificate {
            Certificate::Expired => (Duration::days(-90), Duration::days(-1)),
            Certificate::NotYetValid => (Duration::days(1), Duration::days(90)),
            Certificate::ExpiresIn(days) => {
                (Duration::days(-1), Duration::days(days.into()) + slack)
            }
            _ => (Duration::days(-1), Duration::days(90) + slack),
        };
        let mut params = CertificateParams::new(names).expect("valid names");
        params
            .distinguished_name
            .push(DnType::CommonName, "target.example");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = self.now + from;
        params.not_after = self.now + to;
        params
    }
}

struct Root {
    pem: String,
    signer: Signer,
}

fn self_signed_authority(name: &str, now: OffsetDateTime) -> Root {
    let key = KeyPair::generate().expect("a key");
    let params = authority_params(name, now);
    let certificate = params.self_signed(&key).expect("a root");
    let signer = Signer {
        der: certificate.der().clone(),
        issuer: Issuer::new(params, key),
    };
    Root {
        pem: certificate.pem(),
        signer,
    }
}

fn intermediate(root: &Signer, now: OffsetDateTime) -> Signer {
    let key = KeyPair::generate().expect("a key");
    let params = authority_params("Test Intermediate", now);
    let der = signed(&params, &key, root);
    Signer {
        der,
        issuer: Issuer::new(params, key),
    }
}

fn authority_params(name: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::days(3650);
    params.not_after = now + Duration::days(3650);
    params
}

fn signed(params: &CertificateParams, key: &KeyPair, by: &Signer) -> CertificateDer<'static> {
    params
        .signed_by(key, &by.issuer)
        .expect("a certificate")
        .der()
        .clone()
}

/// A file that goes with its owner.
#[derive(Debug)]
struct TempFile(PathBuf);

impl TempFile {
    fn with(text: &str) -> Self {
        let name = format!("pulsemon-test-ca-{}.pem", Uuid::new_v4().simple());
        let folder = ProcessEnv
            .var("TMPDIR")
            .unwrap_or_else(|| "/tmp".to_owned());
        let path = Path::new(&folder).join(name);
        std::fs::write(&path, text).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0)); // somebody may have tidied up before us
    }
}
