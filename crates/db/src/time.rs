//! The server's time, from which every process' clock is set.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl as _;
use tokio::time::{Instant, MissedTickBehavior};

use crate::failure::Error;
use crate::pool::Db;
use crate::statement::statement;
use crate::{Conn, QueryResult};

/// How often clocks are compared: a bad quartz drifts 3 ms in that time.
pub const MEASURE_EVERY: Duration = Duration::from_secs(30);

/// One look at the server's clock; its time belongs to the middle between the two instants.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// What the server's clock said.
    pub server_now: DateTime<Utc>,
    /// When it was asked.
    pub asked: Instant,
    /// When the answer was here.
    pub answered: Instant,
}

async fn server_now(conn: &mut Conn) -> QueryResult<Measured> {
    let asked = Instant::now();
    let server_now = statement::<Timestamptz>("SELECT clock_timestamp()")
        .get_result(conn)
        .await?;
    Ok(Measured {
        server_now,
        asked,
        answered: Instant::now(),
    })
}

/// Measures once; for start-up, before anything needs the time.
///
/// # Errors
/// The database is away.
pub async fn measure(db: &Db) -> Result<Measured, Error> {
    let mut conn = db.conn().await?;
    // The first statement on a connection also prepares itself; the second is the measurement.
    server_now(&mut conn).await?;
    Ok(server_now(&mut conn).await?)
}

/// Measures now and then every `every` until `shutdown` resolves, and hands each measurement to
/// `on_measure` at once. While the database is away the clock runs on by itself.
pub async fn keep_clock(
    db: Db,
    every: Duration,
    on_measure: impl Fn(Measured),
    shutdown: impl Future<Output = ()>,
) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = &mut shutdown => return,
            measured = measure(&db) => match measured {
                Ok(measured) => on_measure(measured),
                Err(error) => tracing::debug!(%error, "could not read the database's clock"),
            },
        }
    }
}

/// The server's time, read this very moment and shifted by `shift` (a test's distance from real
/// time, zero in production). For the edges of spans, which order processes against each other:
/// take it after the transaction's locks.
///
/// # Errors
/// The database is away.
pub async fn stamp(conn: &mut Conn, shift: chrono::TimeDelta) -> QueryResult<DateTime<Utc>> {
    let server: DateTime<Utc> = statement::<Timestamptz>("SELECT clock_timestamp()")
        .get_result(conn)
        .await?;
    Ok(server + shift)
}
