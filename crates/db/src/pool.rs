//! The pool: [`Db`] is what processes hold, [`Connection`] what they borrow.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use diesel_async::pooled_connection::PoolableConnection as _;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use tokio::runtime::Handle;
use tokio_postgres::NoTls;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

use crate::failure::Error;
use crate::settings::Settings;
use crate::{Conn, tls};

/// How long a caller waits for a free connection before it is told that there is none.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long opening a connection may take, TLS and authentication included.
pub const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long [`Db::close`] waits for sockets to end.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Errors are classified by their English text where diesel drops the SQLSTATE (failure.rs);
/// only a superuser may choose the language, anyone else keeps the server's.
const ENGLISH_MESSAGES: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
     EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// A handle to the database; cheap to clone, all clones share one pool.
#[derive(Clone)]
pub struct Db {
    pool: managed::Pool<Manager>,
    opener: Opener,
    /// Of each thread that has connections of its own.
    near_connections: usize,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("status", &self.pool.status())
            .finish_non_exhaustive()
    }
}

/// A borrowed connection; goes back to the pool when dropped.
pub struct Connection(managed::Object<Manager>);

/// What a pool gave, as the caller sees it.
pub(crate) fn borrowed(
    given: Result<managed::Object<Manager>, managed::PoolError<Error>>,
) -> Result<Connection, Error> {
    match given {
        Ok(object) => Ok(Connection(object)),
        Err(managed::PoolError::Backend(error)) => Err(error),
        Err(other) => Err(Error::Connect(other.to_string())),
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Deref for Connection {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// A connection outside the pool, for work that keeps session state (an advisory lock, a
/// setting): when it is dropped, the session ends and takes all of it away.
pub struct Session(Conn);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn into_conn(self) -> Conn {
        self.0
    }
}

impl Deref for Session {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

impl Db {
    /// Makes the pool. Opens nothing yet: a server that is away shows at the first use.
    ///
    /// Call it on the main runtime: sockets live on the runtime of this call, whoever borrows
    /// their connection later, so that an HTTP worker that ends takes none with it.
    ///
    /// # Errors
    /// The TLS settings cannot be used.
    pub fn connect(settings: &Settings) -> Result<Self, Error> {
        let opener = Opener {
            home: Handle::current(),
            sockets: TaskTracker::new(),
            tls: tls::connector(settings.ssl_mode, settings.root_cert.as_deref())?,
            config: Arc::new(settings.config.clone()),
        };
        let (shared, near_connections) = settings.parts();
        Ok(Self {
            pool: build(opener.clone(), shared)?,
            opener,
            near_connections,
        })
    }

    pub(crate) const fn near_connections(&self) -> usize {
        self.near_connections
    }

    /// Opens connections whose sockets live on another runtime.
    pub(crate) fn opener_on(&self, home: Handle) -> Opener {
        Opener {
            home,
            ..self.opener.clone()
        }
    }

    /// Borrows a connection, waiting at most [`WAIT_TIMEOUT`] for a free one and
    /// [`CREATE_TIMEOUT`] for a new one.
    ///
    /// # Errors
    /// [`Error::Connect`]: always [`crate::Failure::Unavailable`].
    pub async fn conn(&self) -> Result<Connection, Error> {
        borrowed(self.pool.get().await)
    }

    /// Opens a connection of its own, outside the pool.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub async fn session(&self) -> Result<Session, Error> {
        match tokio::time::timeout(CREATE_TIMEOUT, self.opener.open()).await {
            Ok(opened) => opened.map(Session),
            Err(_elapsed) => Err(Error::Connect("timed out".to_owned())),
        }
    }

    /// Whether the database answers; for readiness.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let mut conn = self.conn().await?;
        conn.batch_execute("SELECT 1").await?;
        Ok(())
    }

    /// Connections open, idle ones included, and callers that wait for one.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.waiting)
    }

    /// Lets nobody borrow any more, ends idle connections and waits for sockets to end.
    pub async fn close(&self) {
        self.pool.close();
        self.opener.sockets.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, self.opener.sockets.wait())
            .await
            .is_err()
        {
            tracing::warn!("database connections were still borrowed when the pool closed");
        }
    }
}

/// A pool of at most `most` connections.
pub(crate) fn build(opener: Opener, most: usize) -> Result<managed::Pool<Manager>, Error> {
    managed::Pool::builder(Manager(opener))
        .max_size(most)
        .runtime(deadpool::Runtime::Tokio1)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        .build()
        .map_err(|error| Error::Connect(error.to_string()))
}

/// Opens connections, always on the runtime that made the pool.
#[derive(Clone)]
pub(crate) struct Opener {
    config: Arc<tokio_postgres::Config>,
    tls: Option<MakeRustlsConnect>,
    home: Handle,
    sockets: TaskTracker,
}

impl Opener {
    async fn open(&self) -> Result<Conn, Error> {
        let opener = self.clone();
        let opening = self.home.spawn(async move {
            match opener.tls.clone() {
                Some(tls) => opener.open_with(tls).await,
                None => opener.open_with(NoTls).await,
            }
        });
        opening
            .await
            .map_err(|error| Error::Connect(error.to_string()))?
    }

    async fn open_with<T>(&self, tls: T) -> Result<Conn, Error>
    where
        T: MakeTlsConnect<tokio_postgres::Socket> + Send,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as tokio_postgres::tls::TlsConnect<tokio_postgres::Socket>>::Future: Send,
    {
        let (client, socket) = self
            .config
            .connect(tls)
            .await
            .map_err(|error| Error::Connect(sentence(&error)))?;
        self.sockets.spawn_on(
            async move {
                if let Err(error) = socket.await {
                    tracing::debug!(%error, "database connection ended");
                }
            },
            &self.home,
        );
        let mut conn = AsyncPgConnection::try_from(client)
            .await
            .map_err(|error| Error::Connect(error.to_string()))?;
        conn.batch_execute(ENGLISH_MESSAGES).await?;
        Ok(conn)
    }
}

/// The driver's own text says only "db error"; the cause says which.
fn sentence(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

pub(crate) struct Manager(Opener);

impl managed::Manager for Manager {
    type Type = Conn;
    type Error = Error;

    async fn create(&self) -> Result<Conn, Error> {
        self.0.open().await
    }

    /// No query: a socket that ended is known, and so is a transaction left open.
    async fn recycle(&self, conn: &mut Conn, _metrics: &Metrics) -> RecycleResult<Error> {
        match conn.is_broken() {
            true => Err(RecycleError::message("ended, or left inside a transaction")),
            false => Ok(()),
        }
    }
}
