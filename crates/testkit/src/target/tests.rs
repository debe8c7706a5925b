use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// One request by hand; what came back, or how it ended.
async fn ask(target: &FakeTarget, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(target.addr()).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn it_does_what_it_is_told_and_remembers_who_asked() {
    let target = FakeTarget::http().await;
    assert!(
        ask(&target, "/")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200 ")
    );
    target.answer(Step::status(503));
    target.at("/old", Step::redirect("/new"));
    target.next([Step::close(), Step::raw("garbage")]);
    assert_eq!(ask(&target, "/a").await.unwrap(), "");
    assert_eq!(ask(&target, "/old").await.unwrap(), "garbage");
    assert!(
        ask(&target, "/old?x=1")
            .await
            .unwrap()
            .contains("location: /new\r\n")
    );
    assert!(
        ask(&target, "/a")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 503 ")
    );
    target.answer(Step::drip(Duration::ZERO));
    assert!(ask(&target, "/a").await.unwrap().ends_with("ok"));

    let paths: Vec<String> = target.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/", "/a", "/old", "/old?x=1", "/a", "/a"]);
    assert_eq!(target.count("/old"), 2);
    assert_eq!(target.connections(), 6);
}

#[tokio::test]
async fn it_can_reset_and_be_silent() {
    let target = FakeTarget::http().await;
    target.next([Step::reset(), Step::silence()]);
    let error = ask(&target, "/").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let silent = tokio::time::timeout(Duration::from_millis(50), ask(&target, "/")).await;
    assert!(silent.is_err());
}

#[tokio::test]
async fn it_can_be_away_and_come_back_on_the_same_port() {
    let target = FakeTarget::http().await;
    target.stop().await;
    let error = ask(&target, "/").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    target.start().await;
    assert!(
        ask(&target, "/")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200 ")
    );
}

/// A handshake of somebody who trusts the authority alone.
async fn shake(target: &FakeTarget, authority: &Authority) -> Result<(), CertificateError> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(authority.pem_file()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(target.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    match connector.connect(name, stream).await {
        Ok(_) => Ok(()),
        Err(error) => match error.into_inner().unwrap().downcast().map(|error| *error) {
            Ok(rustls::Error::InvalidCertificate(error)) => Err(error),
            other => panic!("{other:?}"),
        },
    }
}

#[tokio::test]
async fn certificates_are_good_or_bad_in_the_way_they_say() {
    let authority = Authority::new();
    let target = FakeTarget::https(&authority, Certificate::Good).await;
    assert_eq!(shake(&target, &authority).await, Ok(()));
    let verdict = async |certificate| {
        target.present(&authority, certificate);
        shake(&target, &authority).await
    };
    assert_eq!(verdict(Certificate::ExpiresIn(3)).await, Ok(()));
    let expired = verdict(Certificate::Expired).await.unwrap_err();
    assert!(
        matches!(expired, CertificateError::ExpiredContext { .. }),
        "{expired:?}"
    );
    let early = verdict(Certificate::NotYetValid).await.unwrap_err();
    assert!(
        matches!(early, CertificateError::NotValidYetContext { .. }),
        "{early:?}"
    );
    let other = verdict(Certificate::WrongHost).await.unwrap_err();
    assert!(
        matches!(other, CertificateError::NotValidForNameContext { .. }),
        "{other:?}"
    );
    for unknown in [
        Certificate::SelfSigned,
        Certificate::UnknownAuthority,
        Certificate::MissingIntermediate,
    ] {
        let error = verdict(unknown).await.unwrap_err();
        assert_eq!(error, CertificateError::UnknownIssuer, "{unknown:?}");
    }
}
