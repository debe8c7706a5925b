//! The only crate that talks to PostgreSQL: schema, pool, migrations, partitions, and one file
//! per table with its rows and all its queries.
//!
//! It decides nothing: rules live in `models`, times are arguments, and no SQL here says
//! `now()`. Queries take a [`Conn`], never the pool, so that the caller picks the transaction.
//! Start with [`Db`] (the pool), then [`Db::transaction`], then the file of the table you need;
//! hot statements are written with `statement.rs`.

pub mod alerts;
pub mod api_keys;
pub mod audit;
pub mod certificates;
pub mod cursor;
pub mod deliveries;
pub mod email_changes;
pub mod erase;
pub mod extra_probes;
pub mod failure;
pub mod gate;
pub mod health;
pub mod idempotency;
pub mod incidents;
pub mod mail_tokens;
pub mod migrations;
pub mod near;
pub mod partitions;
pub mod pool;
pub mod purge;
pub mod rate_limits;
pub mod refresh_tokens;
pub mod results;
pub mod rollups;
pub mod schema;
pub mod service_state;
pub mod services;
pub mod sessions;
pub mod settings;
pub mod spans;
pub(crate) mod statement;
pub mod time;
mod tls;
pub mod transaction;
pub mod usernames;
pub mod users;

pub use diesel::result::{Error as QueryError, QueryResult};

pub use failure::{Error, Failure};
pub use gate::Gate;
pub use migrations::SchemaState;
pub use near::NearDb;
pub use pool::{Connection, Db};
pub use settings::{Settings, SettingsError, SslMode};
pub use transaction::{Abort, TransactionError};

/// What every query runs on: one connection, inside or outside a transaction.
pub type Conn = diesel_async::AsyncPgConnection;
