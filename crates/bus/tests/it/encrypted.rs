//! `amqps://` with a certificate of the operator's own.

use std::sync::Arc;

use crate::publish_until_stored;
use bus::{Bus, BusConfig, Route};
use secrecy::ExposeSecret as _;
use testkit::{TestVhost, eventually};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

/// Terminates TLS in front of the broker with a certificate for `localhost`; returns its port
/// and the certificate as PEM.
async fn tls_front(target: String) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                if let Ok(mut client) = acceptor.accept(client).await {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                }
            });
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn an_encrypted_broker_is_trusted_by_the_configured_root_and_by_nothing_else() {
    let vhost = TestVhost::new().await;
    let mut url: url::Url = vhost.amqp_url().expose_secret().parse().unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let (port, pem) = tls_front(target).await;
    url = format!(
        "amqps://{}:{}@localhost:{port}{}",
        url.username(),
        url.password().unwrap(),
        url.path()
    )
    .parse()
    .unwrap();
    let ca_file = std::env::temp_dir().join(format!("pulsemon-ca-{port}.pem"));
    std::fs::write(&ca_file, pem).unwrap();
    let trusting = BusConfig {
        amqp_url: url.to_string().into(),
        ca_file: Some(ca_file.clone()),
        ..vhost.bus_config()
    };
    let stranger = BusConfig {
        ca_file: None,
        ..trusting.clone()
    };

    let bus = Bus::connect(trusting).unwrap();
    publish_until_stored(&bus, Route::Alerts, 1).await;
    bus.close().await;

    let bus = Bus::connect(stranger).unwrap();
    let status = bus.status();
    eventually(|| {
        let trouble = status.borrow().trouble().unwrap_or_default();
        async move {
            if trouble.to_lowercase().contains("certificate") {
                Ok(())
            } else {
                Err(trouble)
            }
        }
    })
    .await;
    bus.close().await;
    std::fs::remove_file(ca_file).unwrap();
}
