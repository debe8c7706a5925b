//! The installation's first admin, from `ADMIN_EMAIL` and `ADMIN_PASSWORD`.

use std::time::Duration;

use actix_web::web::Data;
use chrono::SubsecRound as _;
use db::audit::Event;
use db::users::{self, User};
use db::{Conn, Failure};
use models::audit::AuditEvent;
use runtime::{Backoff, Shutdown};
use secrecy::SecretString;
use uuid::Uuid;

use super::account::Email;
use super::passwords::Verdict;
use crate::app::Api;
use crate::error::Problem;

/// How often it is tried while the database is away.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));

/// Who administers a new installation.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
}

/// Makes the admin as soon as the database is there, unless there is one. Ends then, or at shutdown.
pub(crate) async fn appoint(api: Data<Api>, admin: FirstAdmin, shutdown: Shutdown) {
    for attempt in 0.. {
        match ensure(&api, &admin).await {
            Ok(()) => return,
            Err(problem) => tracing::debug!(
                cause = problem.parts().cause.as_deref().unwrap_or_default(),
                "the first admin is made later"
            ),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(RETRY.jittered(attempt)) => {}
        }
    }
}

/// Where any admin exists, nothing happens: the settings name the first one, and never change a password.
async fn ensure(api: &Api, admin: &FirstAdmin) -> Result<(), Problem> {
    if users::admin::exists(&mut *api.conn().await?).await? {
        return Ok(());
    }
    let known = users::by_email_key(&mut *api.conn().await?, &admin.email.key).await?;
    match known {
        Some(user) => promote(api, admin, user).await,
        None => create(api, admin).await,
    }
}

/// Somebody may have registered with the address before: only who knows the password is its owner.
async fn promote(api: &Api, admin: &FirstAdmin, user: User) -> Result<(), Problem> {
    let hash = Some(user.password_hash);
    let verdict = api.passwords.verify(admin.password.clone(), hash).await?;
    if verdict == Verdict::Wrong {
        tracing::error!(
            user.id = %user.id,
            "ADMIN_EMAIL has an account with another password than ADMIN_PASSWORD: it is not made an admin"
        );
        return Ok(());
    }
    let now = api.clock.now().trunc_subsecs(6);
    let event = Event::new(AuditEvent::AdminAppointed, user.id, None, now);
    api.db
        .transaction(async |conn: &mut Conn| {
            users::admin::appoint(conn, user.id, now).await?;
            db::audit::record(conn, &event).await?;
            Ok::<_, Problem>(())
        })
        .await
}

async fn create(api: &Api, admin: &FirstAdmin) -> Result<(), Problem> {
    let now = api.clock.now().trunc_subsecs(6);
    let user = User {
        id: Uuid::now_v7(),
        email: admin.email.shown.clone(),
        email_key: admin.email.key.clone(),
        username: None,
        username_key: None,
        password_hash: api.passwords.hash(admin.password.clone()).await?,
        role: "admin".to_owned(),
        is_verified: true, // the operator says so
        token_epoch: 0,
        service_quota: None,
        locked_at: None,
        created_at: now,
        updated_at: now,
    };
    let event = Event::new(AuditEvent::AdminAppointed, user.id, None, now);
    let made = api
        .db
        .transaction(async |conn: &mut Conn| {
            users::insert(conn, &user).await?;
            db::audit::record(conn, &event).await?;
            Ok::<_, db::Error>(())
        })
        .await;
    match made {
        Ok(()) => tracing::info!(user.id = %user.id, "the first admin's account is made"),
        // Another copy of this process was faster.
        Err(error)
            if error.failure()
                == (Failure::Constraint {
                    name: users::EMAIL_TAKEN.to_owned(),
                }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
