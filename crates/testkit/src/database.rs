//! A database for every test, copied from a template that has all migrations.

mod admin;
mod reaper;
mod template;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::{Db, Settings};
use runtime::env::{ProcessEnv, Vars as _};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio_postgres::Client;
use url::Url;

/// Any database of the server whose role may create databases; set by `cargo xtask test`.
pub const URL_VARIABLE: &str = "PULSEMON_TEST_DATABASE_URL";
/// Connections of a test's own pool; processes under test open theirs.
const CONNECTIONS: usize = 4;

/// A migrated, empty database of the test's own; dropped with it, whoever is still connected.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    server: Url,
    db: Db,
    client: Mutex<Option<Arc<Client>>>,
}

impl TestDb {
    /// Copies the template, which the first caller after a change of the migrations builds.
    ///
    /// # Panics
    /// Where there is no server to use.
    pub async fn new() -> Self {
        let server = server();
        let template = template::ready(&server).await;
        Self::create(server, &format!("TEMPLATE {template} STRATEGY FILE_COPY")).await
    }

    /// A database without any table, for tests of the migrations themselves.
    ///
    /// # Panics
    /// Where there is no server to use.
    pub async fn unmigrated() -> Self {
        Self::create(server(), "").await
    }

    async fn create(server: Url, how: &str) -> Self {
        reaper::sweep_once(&server).await;
        let name = reaper::fresh_name();
        admin::execute(&server, &format!("CREATE DATABASE {name} {how}")).await;
        let mut url = server.clone();
        url.set_path(&name);
        let db = connect(&url, CONNECTIONS);
        Self {
            name,
            server,
            db,
            client: Mutex::default(),
        }
    }

    /// The plain URL, for the configuration of a process under test.
    #[must_use]
    pub fn url(&self) -> SecretString {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        String::from(url).into()
    }

    /// A small pool of the test's own.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// A connection from it, however long others keep theirs on a busy machine.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn conn(&self) -> db::Connection {
        crate::eventually(|| self.db.conn()).await
    }

    /// A bare connection beside the pool, to look at rows and to change them behind the
    /// product's back.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn client(&self) -> Client {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        admin::client(&url).await
    }

    /// One such connection for many questions: opening one costs more than most of them.
    async fn shared_client(&self) -> Arc<Client> {
        let mut kept = self.client.lock().await;
        match &*kept {
            Some(client) if !client.is_closed() => Arc::clone(client),
            _ => {
                let client = Arc::new(self.client().await);
                *kept = Some(Arc::clone(&client));
                client
            }
        }
    }

    /// Runs SQL without parameters, many statements if need be.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn execute(&self, sql: &str) {
        self.shared_client()
            .await
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }

    /// The only column of the only row of `sql`.
    ///
    /// # Panics
    /// Where it fails, or answers another shape or type.
    pub async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let row = self.shared_client().await.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends every session of this database, as a restarting server would.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn terminate_sessions(&self) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        admin::execute(&self.server, &sql).await;
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        reaper::drop_database(&self.server, &self.name);
    }
}

fn server() -> Url {
    let Some(url) = ProcessEnv.var(URL_VARIABLE) else {
        panic!(
            "{URL_VARIABLE} is not set: run the tests with `cargo xtask test`, or start servers \
             for them with `cargo xtask servers`"
        )
    };
    Url::parse(&url).unwrap_or_else(|error| panic!("{URL_VARIABLE} is not a URL: {error}"))
}

fn connect(url: &Url, connections: usize) -> Db {
    let settings = Settings::from_url(&SecretString::from(String::from(url.clone())))
        .expect("a valid URL")
        .application_name("pulsemon-test")
        .max_connections(connections);
    Db::connect(&settings).expect("valid TLS settings")
}

/// The wall clock, for names and for the template's partitions; tests make their own times.
fn now() -> DateTime<Utc> {
    DateTime::from(std::time::SystemTime::now())
}

fn unix_now() -> i64 {
    now().timestamp()
}
