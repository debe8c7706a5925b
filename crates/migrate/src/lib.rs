//! `pulsemon-migrate`: the one step that changes the schema, and makes the first partitions.
//!
//! It is a program of its own so that no process ever migrates by accident: they wait until
//! this has run. It knows no SQL; `db` does. Start with [`Command`], then [`run`].

mod config;

use std::time::Duration;

use anyhow::Context as _;
use db::partitions::{self, Keep};
use db::{Db, Error, Failure, SchemaState, Settings, migrations};

pub use config::Config;

/// How long the database may take to come up before we give up: it often starts beside us.
pub const WAIT_FOR_DATABASE: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// One for the check, one outside the pool for the work.
const CONNECTIONS: usize = 2;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Run what is pending and make the partitions that today needs.
    Up,
    /// Say whether the schema is current, and change nothing.
    Check,
    /// Take back the newest migrations, so many.
    Down(usize),
}

/// How the command line reads.
pub const USAGE: &str = "usage: pulsemon-migrate [up | --check | down N]";

impl Command {
    /// Reads the arguments, the program's name left out.
    #[must_use]
    pub fn parse(arguments: &[String]) -> Option<Self> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["up"] => Some(Self::Up),
            ["--check"] => Some(Self::Check),
            ["down", count] => count
                .parse()
                .ok()
                .filter(|count| *count > 0)
                .map(Self::Down),
            _ => None,
        }
    }
}

/// Does it; `false` where [`Command::Check`] found another schema than ours.
///
/// # Errors
/// The database stayed away, is ahead of this release, or a migration failed.
pub async fn run(config: Config, command: Command) -> anyhow::Result<bool> {
    let settings = Settings::from_url(&config.database.connection_url())
        .context("DATABASE_URL")?
        .application_name("pulsemon-migrate")
        .max_connections(CONNECTIONS);
    let db = Db::connect(&settings)?;
    let done = match command {
        Command::Up => up(&db, config.retention_days).await.map(|()| true),
        Command::Check => check(&db).await,
        Command::Down(count) => down(&db, count).await.map(|()| true),
    };
    db.close().await;
    done
}

async fn up(db: &Db, retention_days: u32) -> anyhow::Result<()> {
    wait(db).await?;
    match migrations::check(db).await {
        SchemaState::Current | SchemaState::Behind { .. } => {}
        other => anyhow::bail!("{other}"),
    }
    let ran = migrations::migrate(db).await?;
    for version in &ran {
        tracing::info!(%version, "migrated");
    }
    // By the server's clock, as the processes do: the first results come before the scheduler's
    // first upkeep.
    let now = db::time::measure(db).await?.server_now;
    let keep = Keep {
        results: retention_days,
        ..Keep::default()
    };
    let made = partitions::ensure(db, now, keep)
        .await
        .context("make partitions")?;
    tracing::info!(
        migrations = ran.len(),
        partitions = made.len(),
        "schema is current"
    );
    Ok(())
}

async fn check(db: &Db) -> anyhow::Result<bool> {
    let state = migrations::check(db).await;
    tracing::info!("{state}");
    Ok(state.is_current())
}

async fn down(db: &Db, count: usize) -> anyhow::Result<()> {
    wait(db).await?;
    for version in migrations::revert(db, count).await? {
        tracing::info!(%version, "taken back");
    }
    Ok(())
}

/// Until the database answers.
async fn wait(db: &Db) -> anyhow::Result<()> {
    let last = |error: Error| anyhow::Error::from(error).context("the database does not answer");
    let asking = async {
        loop {
            match db.ping().await {
                Ok(()) => return Ok(()),
                Err(error) if error.failure() == Failure::Unavailable => {
                    tracing::info!(%error, "waiting for the database");
                }
                Err(error) => return Err(last(error)),
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    match tokio::time::timeout(WAIT_FOR_DATABASE, asking).await {
        Ok(answered) => answered,
        Err(_elapsed) => db.ping().await.map_err(last),
    }
}
