//! Transactions: begin, run, commit, and run again where two of them met.

use std::time::Duration;

use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};

use crate::failure::{Error, Failure};
use crate::pool::Db;
use crate::{Conn, QueryError, QueryResult};

/// How often a transaction that met another one is run in all. Deadlocks are rare by the lock
/// order; one that comes back this often is a bug that retrying hides.
pub const TRANSACTION_ATTEMPTS: u32 = 5;
/// First pause between attempts, doubled each time.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// An error that a transaction's closure may return: it tells the database's own failure, if
/// it is one, so that [`Db::transaction`] knows what to run again.
pub trait TransactionError: From<QueryError> + From<Error> + Send {
    /// The failure of the database inside, if that is what it is.
    fn failure(&self) -> Option<Failure>;
}

impl TransactionError for Error {
    fn failure(&self) -> Option<Failure> {
        Some(Error::failure(self))
    }
}

/// A transaction's end other than commit: the database failed, or the caller changed its mind.
#[derive(Debug, thiserror::Error)]
pub enum Abort<E> {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] Error),
    /// The closure gave up; everything was rolled back.
    #[error("refused")]
    Refused(E),
}

impl<E> From<QueryError> for Abort<E> {
    fn from(error: QueryError) -> Self {
        Self::Db(Error::Query(error))
    }
}

impl<E: Send> TransactionError for Abort<E> {
    fn failure(&self) -> Option<Failure> {
        match self {
            Self::Db(error) => Some(error.failure()),
            Self::Refused(_) => None,
        }
    }
}

impl TransactionError for anyhow::Error {
    fn failure(&self) -> Option<Failure> {
        let inner = self.downcast_ref::<QueryError>().map(Failure::of);
        inner.or_else(|| self.downcast_ref::<Error>().map(Error::failure))
    }
}

/// A closure `async |conn| …` that can run more than once: it may only borrow what it uses.
/// You never implement it; see `diesel_async` for why the bound has to be spelled like this.
pub trait Transaction<T, R>: AsyncFn(T) -> R + Fn(T) -> <Self as Transaction<T, R>>::Fut {
    /// The future of one run.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> Transaction<T, R> for F
where
    F: AsyncFn(T) -> R + Fn(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

impl Db {
    /// Runs `work` in a transaction on a connection of the pool, and again, at most
    /// [`TRANSACTION_ATTEMPTS`] times in all, where it met another transaction (deadlock,
    /// serialization failure, lock timeout). `Ok` commits, `Err` rolls back.
    ///
    /// The closure borrows its inputs (`async |conn| …`, not `async move`) because it may run
    /// again; it keeps no state between runs.
    ///
    /// # Errors
    /// What `work` returned, or the database's failure.
    pub async fn transaction<R, E, F>(&self, work: F) -> Result<R, E>
    where
        for<'r> F: AsyncFn(&'r mut Conn) -> Result<R, E>
            + Transaction<&'r mut Conn, Result<R, E>, Fut: Send>
            + Send
            + Sync,
        E: TransactionError,
        R: Send,
    {
        let mut pause = RETRY_PAUSE;
        for _ in 1..TRANSACTION_ATTEMPTS {
            let mut conn = self.conn().await.map_err(E::from)?;
            match once(&mut conn, &work).await {
                Err(error) if error.failure() == Some(Failure::Conflict) => {
                    metrics::counter!("pulsemon_db_transaction_retries_total").increment(1);
                }
                done => return done,
            }
            drop(conn); // others may be waiting for it
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let mut conn = self.conn().await.map_err(E::from)?;
        once(&mut conn, &work).await
    }
}

/// Runs `work` in one transaction on `conn`, once; inside another transaction it is a
/// savepoint. `Ok` commits, `Err` rolls back.
///
/// # Errors
/// What `work` returned, or the database's failure.
pub async fn once<R, E, F>(conn: &mut Conn, work: &F) -> Result<R, E>
where
    for<'r> F: AsyncFn(&'r mut Conn) -> Result<R, E>
        + Transaction<&'r mut Conn, Result<R, E>, Fut: Send>
        + Send
        + Sync,
    E: From<QueryError> + Send,
    R: Send,
{
    conn.transaction(async |conn: &mut Conn| work(conn).await)
        .await
}

/// Lets the current transaction's commit not wait for the disk: a server that crashes within the next
/// half second may forget it, whole. For what can be asked for again and must not tell by its
/// duration whether it wrote anything.
///
/// # Errors
/// The connection is gone.
pub async fn commit_at_once(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("SET LOCAL synchronous_commit = off")
        .await
}

/// Changes how long a statement may take until the end of the current transaction.
///
/// # Errors
/// The connection is gone.
pub async fn limit_statements(conn: &mut Conn, limit: Duration) -> QueryResult<()> {
    conn.batch_execute(&format!(
        "SET LOCAL statement_timeout = {}",
        limit.as_millis()
    ))
    .await
}
