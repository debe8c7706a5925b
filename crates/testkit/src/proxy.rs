//! A wire to the broker that can be cut or frozen.

use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut,
    Freeze,
}

/// Forwards connections to a broker; ends with all of them when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: url::Url,
    cut: broadcast::Sender<Fault>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port for connections to the broker of `amqp_url`.
    ///
    /// # Panics
    /// When the address cannot be read, or no port is free.
    pub async fn to(amqp_url: SecretString) -> Self {
        let target: url::Url = amqp_url.expose_secret().parse().unwrap();
        let to = format!(
            "{}:{}",
            target.host_str().unwrap(),
            target.port().unwrap_or(5672)
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = broadcast::Sender::new(1);
        let cutter = cut.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cutter.subscribe();
                let to = to.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(to).await.unwrap();
                    let fault = tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => return,
                        fault = cut.recv() => fault,
                    };
                    if let Ok(Fault::Freeze) = fault {
                        // Both sides see an open connection on which nothing arrives.
                        drop(cut.recv().await);
                    }
                });
            }
        });
        Self {
            address,
            target,
            cut,
            task,
        }
    }

    /// The same vhost and user, through the proxy.
    ///
    /// # Panics
    /// Never: an AMQP address takes a port.
    #[must_use]
    pub fn amqp_url(&self) -> SecretString {
        let mut url = self.target.clone();
        url.set_port(Some(self.address.port())).unwrap();
        String::from(url).into()
    }

    /// Ends every connection, in the middle of whatever it carries; new ones are welcome.
    pub fn cut(&self) {
        drop(self.cut.send(Fault::Cut));
    }

    /// Keeps every connection open and carries nothing on it any more; new ones are welcome.
    pub fn freeze(&self) {
        drop(self.cut.send(Fault::Freeze));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}
