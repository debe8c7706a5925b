//! The audit log: security events of accounts, kept for a bounded time.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _,
};
use diesel_async::RunQueryDsl as _;
use models::audit::AuditEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::schema::audit_log;
use crate::{Conn, QueryResult};

/// Something that happened to an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: AuditEvent,
    /// To whose account.
    pub user: Uuid,
    /// The admin who did it; `None`: the user, or somebody who tried to be him.
    pub admin: Option<Uuid>,
    /// Where the request came from, if it was one.
    pub address: Option<IpAddr>,
    /// When.
    pub at: DateTime<Utc>,
    /// A JSON object that says more; never a secret, never an address of mail.
    pub details: Value,
}

impl Event {
    /// An event of the user's own doing.
    #[must_use]
    pub fn new(kind: AuditEvent, user: Uuid, address: Option<IpAddr>, at: DateTime<Utc>) -> Self {
        Self {
            kind,
            user,
            admin: None,
            address,
            at,
            details: json!({}),
        }
    }

    /// The same, done by an admin.
    #[must_use]
    pub fn by(mut self, admin: Uuid) -> Self {
        self.admin = Some(admin);
        self
    }

    /// The same, with a JSON object that says more.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// A row of `audit_log`; the migration says what its columns mean.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the migration documents the columns")]
pub struct Entry {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub event: String,
    pub user_id: Uuid,
    pub actor_id: Option<Uuid>,
    pub address: Option<String>,
    pub details: Value,
}

/// Which entries, and from where on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// About this account alone.
    pub user: Option<Uuid>,
    /// Of this kind alone.
    pub event: Option<AuditEvent>,
    /// Only entries older than this one, by time and id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Remembers an event. In the transaction of what it tells, so that one does not happen without the other.
///
/// # Errors
/// The connection is gone.
pub async fn record(conn: &mut Conn, event: &Event) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values(Entry {
            id: Uuid::now_v7(),
            at: event.at,
            event: event.kind.as_str().to_owned(),
            user_id: event.user,
            actor_id: event.admin,
            address: event.address.map(|address| address.to_string()),
            details: event.details.clone(),
        })
        .execute(conn)
        .await
        .map(drop)
}

/// At most `limit` entries, newest first.
///
/// # Errors
/// The connection is gone.
pub async fn page(conn: &mut Conn, filter: &Filter, limit: i64) -> QueryResult<Vec<Entry>> {
    let mut query = audit_log::table
        .order((audit_log::at.desc(), audit_log::id.desc()))
        .limit(limit)
        .select(Entry::as_select())
        .into_boxed();
    if let Some(user) = filter.user {
        query = query.filter(audit_log::user_id.eq(user));
    }
    if let Some(event) = filter.event {
        query = query.filter(audit_log::event.eq(event.as_str()));
    }
    if let Some((at, id)) = filter.after {
        query = query.filter(
            audit_log::at
                .lt(at)
                .or(audit_log::at.eq(at).and(audit_log::id.lt(id))),
        );
    }
    query.load(conn).await
}

/// Of an account that is deleted only what happened and when stays: not from where, no details.
///
/// # Errors
/// The connection is gone.
pub async fn forget(conn: &mut Conn, user: Uuid) -> QueryResult<usize> {
    diesel::update(audit_log::table.filter(audit_log::user_id.eq(user)))
        .set((
            audit_log::address.eq(None::<String>),
            audit_log::details.eq(json!({})),
        ))
        .execute(conn)
        .await
}
