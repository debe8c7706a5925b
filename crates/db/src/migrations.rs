//! The schema's migrations, embedded; who runs them, and whether a database has them all.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl as _, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use crate::failure::{Error, Failure};
use crate::partitions::lock::{self, MIGRATIONS_LOCK};
use crate::pool::{Db, Session};
use crate::statement::statement;
use crate::{Conn, QueryResult};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Changes with every byte of the migrations.
pub const FINGERPRINT: &str = env!("MIGRATIONS_FINGERPRINT");

/// A statement of a migration waits this long for a table's lock and no longer: behind it,
/// every query on that table would wait too.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a migration that could not get its lock is tried in all.
pub const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_secs(1);

/// How a database's schema relates to the one this program was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// These migrations have not run yet.
    Behind {
        /// Their versions, oldest first.
        pending: Vec<String>,
    },
    /// A newer release migrated it.
    Ahead {
        /// Versions we do not know, oldest first.
        unknown: Vec<String>,
    },
    /// It did not say.
    Unreachable {
        /// Why not.
        reason: String,
    },
}

impl SchemaState {
    /// Whether a process may work on it.
    #[must_use]
    pub fn is_current(&self) -> bool {
        *self == Self::Current
    }
}

impl std::fmt::Display for SchemaState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Current => f.write_str("schema is current"),
            Self::Behind { pending } => {
                write!(
                    f,
                    "schema is behind: {} not applied, run pulsemon-migrate",
                    pending.join(", ")
                )
            }
            Self::Ahead { unknown } => {
                write!(
                    f,
                    "schema is ahead: {} unknown to this release",
                    unknown.join(", ")
                )
            }
            Self::Unreachable { reason } => write!(f, "schema unknown: {reason}"),
        }
    }
}

/// Versions of all embedded migrations, oldest first.
///
/// # Errors
/// The embedded migrations are malformed.
pub fn known_versions() -> Result<Vec<String>, Error> {
    let mut versions: Vec<String> = known()?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    versions.sort();
    Ok(versions)
}

fn known() -> Result<Vec<Box<dyn Migration<Pg>>>, Error> {
    MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(|error| Error::Migration(error.to_string()))
}

/// Compares the database's schema with ours.
pub async fn check(db: &Db) -> SchemaState {
    match compare(db).await {
        Ok(state) => state,
        Err(error) => SchemaState::Unreachable {
            reason: error.to_string(),
        },
    }
}

async fn compare(db: &Db) -> Result<SchemaState, Error> {
    let ours = known_versions()?;
    let mut conn = db.conn().await?;
    let theirs = applied_versions(&mut conn).await?;
    let unknown: Vec<String> = theirs
        .iter()
        .filter(|v| !ours.contains(v))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Ok(SchemaState::Ahead { unknown });
    }
    let pending: Vec<String> = ours.into_iter().filter(|v| !theirs.contains(v)).collect();
    if pending.is_empty() {
        return Ok(SchemaState::Current);
    }
    Ok(SchemaState::Behind { pending })
}

/// Versions the database has, oldest first; none where nothing was ever migrated.
async fn applied_versions(conn: &mut Conn) -> QueryResult<Vec<String>> {
    let table: Option<String> = statement::<Nullable<Text>>(
        "SELECT to_regclass('public.__diesel_schema_migrations')::text",
    )
    .get_result(conn)
    .await?;
    if table.is_none() {
        return Ok(Vec::new());
    }
    statement::<Text>("SELECT version::text FROM __diesel_schema_migrations ORDER BY version")
        .load(conn)
        .await
}

/// Runs all pending migrations and returns their versions. One process at a time: others wait
/// for it and then find nothing to do.
///
/// # Errors
/// The database is away, another process migrates for longer than we wait, or a migration
/// failed: it was rolled back, earlier ones stay.
pub async fn migrate(db: &Db) -> Result<Vec<String>, Error> {
    harness(db, |harness| {
        let ran = harness.run_pending_migrations(MIGRATIONS)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Takes back the newest `count` migrations and returns their versions, newest first.
///
/// # Errors
/// As [`migrate`].
pub async fn revert(db: &Db, count: usize) -> Result<Vec<String>, Error> {
    harness(db, move |harness| {
        let applied = harness.applied_migrations()?.len();
        let mut reverted = Vec::new();
        for _ in 0..count.min(applied) {
            reverted.push(harness.revert_last_migration(MIGRATIONS)?.to_string());
        }
        Ok(reverted)
    })
    .await
}

type Harness = AsyncMigrationHarness<Conn>;
type MigrationResult = diesel::migration::Result<Vec<String>>;

/// Runs `work` under the migrations' lock, again where a table's lock was not to be had.
async fn harness<W>(db: &Db, work: W) -> Result<Vec<String>, Error>
where
    W: Fn(&mut Harness) -> MigrationResult + Clone + Send + 'static,
{
    let mut done = Vec::new();
    for attempt in 1..=LOCK_ATTEMPTS {
        let session = locked_session(db).await?;
        let work = work.clone();
        // The harness blocks its thread; dropping it ends the session and with it the lock.
        let ran = tokio::task::spawn_blocking(move || work(&mut Harness::new(session.into_conn())))
            .await
            .map_err(|error| Error::Migration(error.to_string()))?;
        match ran {
            Ok(versions) => {
                done.extend(versions);
                return Ok(done);
            }
            Err(error) if attempt < LOCK_ATTEMPTS && is_lock_timeout(error.as_ref()) => {
                tracing::warn!(attempt, "a migration did not get its lock, trying again");
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(error) => return Err(Error::Migration(error.to_string())),
        }
    }
    Ok(done)
}

fn is_lock_timeout(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref::<crate::QueryError>()
        .is_some_and(|e| Failure::of(e) == Failure::Conflict)
        || error.to_string().contains("lock timeout")
}

async fn locked_session(db: &Db) -> Result<Session, Error> {
    let mut session = db.session().await?;
    session
        .batch_execute(&format!(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
             SET lock_timeout = {}",
            LOCK_TIMEOUT.as_millis()
        ))
        .await?;
    lock::acquire(&mut session, MIGRATIONS_LOCK).await?;
    Ok(session)
}
