//! What every handler shares.

use std::future::{Future, Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use db::{Db, NearDb};
use futures_util::FutureExt as _;
use models::mail_token::TokenKey;
use runtime::{Clock, Readiness};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::auth::{Ended, Passwords, RefreshKeys, Tokens};
use crate::config::Config;
use crate::cursor::Cursors;
use crate::error::Problem;
use crate::limits::Limiter;
use crate::nudge::Nudges;
use crate::services::UrlJudge;
use crate::turns::Turns;

/// The process' state; one for all HTTP workers.
#[derive(Debug)]
pub(crate) struct Api {
    /// The settings.
    pub(crate) config: Config,
    /// The database.
    pub(crate) db: Db,
    /// The product's time.
    pub(crate) clock: Clock,
    /// Which dependencies answer.
    pub(crate) readiness: Readiness,
    /// Access tokens.
    pub(crate) tokens: Tokens,
    /// What refresh tokens follow from.
    pub(crate) refresh_keys: RefreshKeys,
    /// What tokens in mailed links follow from.
    pub(crate) mail_key: TokenKey,
    /// bcrypt.
    pub(crate) passwords: Passwords,
    /// Places in lists.
    pub(crate) cursors: Cursors,
    /// Which URLs may be probed.
    pub(crate) url_judge: UrlJudge,
    /// To the scheduler.
    pub(crate) nudges: Nudges,
    /// How often anybody may ask.
    pub(crate) limiter: Limiter,
    /// Tokens that were refused for good.
    pub(crate) ended: Ended,
    /// One change of a user at a time.
    pub(crate) turns: Turns,
    /// The database has the schema that we know.
    pub(crate) schema_is_current: AtomicBool,
    /// When the process started.
    pub(crate) started: Instant,
    /// Work of handlers, to be joined at the end.
    pub(crate) tasks: TaskTracker,
    /// The main runtime, where database sockets live.
    pub(crate) home: Handle,
}

impl Api {
    /// Runs a handler's work in a task of its own on the main runtime: a client that hangs up drops the handler, and
    /// must not break off a transaction half way.
    ///
    /// # Errors
    /// What `work` answered, or 500 when it panicked.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let task = self.tasks.spawn_on(work.in_current_span(), &self.home);
        task.await.map_err(Problem::internal)?
    }

    /// Runs a handler's work that only reads, where the handler is: nothing is lost when its client hangs up, and a task
    /// on another thread would cost as much as the work.
    ///
    /// # Errors
    /// What `work` answered, or 500 when it panicked.
    #[expect(
        clippy::unused_self,
        reason = "a handler says where its work goes: here, or to `work`"
    )]
    pub(crate) fn read<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> impl Future<Output = Result<T, Problem>> {
        // Nothing of it is looked at after a panic. No async block: it would hold the work twice, and be copied with it.
        AssertUnwindSafe(work).catch_unwind().map(|ended| {
            ended.unwrap_or_else(|_panic| Err(Problem::internal("a handler panicked")))
        })
    }

    /// A connection to a database that we understand.
    ///
    /// # Errors
    /// 503.
    pub(crate) async fn conn(&self) -> Result<db::Connection, Problem> {
        self.require_schema()?;
        Ok(self.db.conn().await?)
    }

    /// For work that opens its own transaction.
    ///
    /// # Errors
    /// 503 while the schema is not the one we know.
    pub(crate) fn require_schema(&self) -> Result<(), Problem> {
        if self.schema_is_current.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(Problem::unavailable("the database's schema is not current"))
        }
    }
}

/// The database connections of the HTTP worker that a handler runs on: for [`Api::read`], whose work stays there.
#[derive(Debug, Clone)]
pub(crate) struct Near(Rc<NearDb>);

impl Near {
    /// Of the worker whose thread this is called on.
    pub(crate) fn new(db: &Db) -> Self {
        Self(Rc::new(db.near()))
    }

    /// A connection to a database that we understand.
    ///
    /// # Errors
    /// 503.
    pub(crate) async fn conn(&self, api: &Api) -> Result<db::Connection, Problem> {
        api.require_schema()?;
        Ok(self.0.conn().await?)
    }
}

impl FromRequest for Near {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let near = request.app_data::<Self>().cloned();
        ready(near.ok_or_else(|| Problem::internal("the worker has no connections")))
    }
}
