//! Plain statements outside the product's pool.

use tokio_postgres::{Client, NoTls};
use url::Url;

/// A connection whose socket is driven until the client is dropped.
pub(crate) async fn client(url: &Url) -> Client {
    let (client, socket) = tokio_postgres::connect(url.as_str(), NoTls)
        .await
        .unwrap_or_else(|error| panic!("the test database server does not answer: {error:?}"));
    tokio::spawn(socket);
    client
}

/// Runs one statement on a connection of its own.
pub(crate) async fn execute(url: &Url, sql: &str) {
    let done = client(url).await.batch_execute(sql).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Names of databases that begin with `prefix`.
pub(crate) async fn databases(client: &Client, prefix: &str) -> Vec<String> {
    let rows = client
        .query(
            "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)",
            &[&prefix],
        )
        .await
        .expect("list databases");
    rows.iter().map(|row| row.get(0)).collect()
}
