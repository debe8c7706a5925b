//! Accounts: register, log in, stay logged in, log out.

use actix_web::web::Data;
use db::Conn;
use db::audit::Event;
use db::refresh_tokens::Holder;
use db::users::{self, User};
use models::Time;
use models::audit::AuditEvent;
use secrecy::SecretString;
use uuid::Uuid;

use crate::accounts;
use crate::app::Api;
use crate::auth::{self, Bearer, Origin, Pair, Verdict, account};
use crate::error::Problem;
use crate::handlers::NoQuery;
use crate::input::{self, Body};
use crate::limits::Attempt;
use crate::problems;
use crate::reply::{Answer, Reply};
use crate::services::active_limit;
use crate::views::account::{Me, Quota, QuotaUse, Registered, TokenPair};
use crate::views::format;

/// `POST /auth/register`
///
/// # Errors
/// 422, 409 (`duplicate-username`; `duplicate-email` where addresses need not be confirmed), 503.
pub(crate) async fn register(api: Data<Api>, origin: Origin, Body(mut fields): Body) -> Answer {
    let email = fields.required("email", account::email);
    let password = fields.required("password", account::new_password);
    let username = fields.optional("username", account::username).or(None);
    fields.finish()?;
    let (Some(email), Some(password), Some(username)) = (email, password, username) else {
        return Err(Problem::internal("a field was wrong and nobody said so"));
    };
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let now = to_micros(app.clock.now());
        let mut user = User {
            id: Uuid::now_v7(),
            email: email.shown,
            email_key: email.key,
            username: username.as_ref().map(|name| name.shown.clone()),
            username_key: username.map(|name| name.key),
            password_hash: String::new(), // follows with the registration
            role: "user".to_owned(),
            is_verified: false,
            token_epoch: 0,
            service_quota: None,
            locked_at: None,
            created_at: now,
            updated_at: now,
        };
        accounts::register(&app, &mut user, password, &origin).await?;
        Reply::created(
            &Registered {
                id: user.id,
                email: user.email,
                username: user.username,
                is_verified: user.is_verified,
                created_at: format::time(user.created_at),
            },
            None,
        )
    })
    .await
}

/// `POST /auth/login`
///
/// # Errors
/// 422, 401 (one text and one duration for a wrong password and an unknown address), 403 (`email-not-verified`, after the
/// right password alone), 503.
pub(crate) async fn login(api: Data<Api>, origin: Origin, Body(mut fields): Body) -> Answer {
    // Any text: what is not an address has no account, and is told no sooner.
    let email = fields.required("email", |node| input::text(node).map(str::to_owned));
    let password = fields.required("password", account::secret);
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::internal("a field was wrong and nobody said so"));
    };
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        let key = account::Email::parse(&email).map_or(email, |email| email.key);
        let now = to_micros(app.clock.now());
        let attempt = Attempt::begin(&app, &origin, &key, now).await?;
        attempt.wait().await;
        let pair = enter(&app, &origin, &attempt, (&key, password), now).await?;
        logged_in(&app, &pair)
    })
    .await
}

/// Begins a session for whoever knows the password of an address' account.
async fn enter(
    api: &Data<Api>,
    origin: &Origin,
    attempt: &Attempt,
    (email_key, password): (&str, SecretString),
    now: Time,
) -> Result<Pair, Problem> {
    let user = users::by_email_key(&mut *api.conn().await?, email_key).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let verdict = attempt.compare(api, password.clone(), hash).await?;
    let is_right = matches!(verdict, Verdict::Right { .. });
    let Some(user) = user else {
        return Err(attempt.failed(wrong_pair()));
    };
    let event = |kind| origin.event(kind, user.id, now);
    if !is_right || user.locked_at.is_some() {
        note(api, event(AuditEvent::LoginFailed));
        return Err(attempt.failed(wrong_pair()));
    }
    if api.config.auth.verification.is_required() && !user.is_verified {
        // The password was right: who tries before he has read his mail must not find himself refused after it.
        attempt.succeeded(&mut *api.conn().await?).await?;
        return Err(Problem::email_not_verified());
    }
    let outdated = verdict == Verdict::Right { outdated: true };
    let rehashed = match outdated {
        // When no core is free, the next login will do.
        true => api.passwords.hash(password).await.ok(),
        false => None,
    };
    api.db
        .transaction(async |conn: &mut Conn| {
            // A password that was changed while we compared must not begin a session.
            let standing = users::lock(conn, user.id, None).await?;
            if standing.is_none_or(|now| now.token_epoch != user.token_epoch) {
                return Err(wrong_pair());
            }
            if let Some(new) = &rehashed {
                users::rehash(conn, user.id, &user.password_hash, new).await?;
            }
            attempt.succeeded(conn).await?;
            let holder = Holder {
                user_id: user.id,
                session_id: Uuid::now_v7(),
                token_epoch: user.token_epoch,
            };
            db::audit::record(conn, &event(AuditEvent::LoggedIn)).await?;
            auth::start_session(conn, &api.tokens, holder, origin, now).await
        })
        .await
}

/// `POST /auth/refresh`
///
/// # Errors
/// 422, 401 for a token that does not hold (a spent one ends its family).
pub(crate) async fn refresh(api: Data<Api>, origin: Origin, Body(mut fields): Body) -> Answer {
    let token = fields.required("refresh_token", |node| input::text(node).map(str::to_owned));
    fields.finish()?;
    let token = token.unwrap_or_default();
    let app = Data::clone(&api);
    api.work(async move {
        let now = to_micros(app.clock.now());
        let mut conn = app.conn().await?;
        let keys = &app.refresh_keys;
        let pair = auth::refresh(&mut conn, &app.tokens, keys, &token, &origin, now).await?;
        logged_in(&app, &pair)
    })
    .await
}

/// `POST /auth/logout`: the token's whole session ends.
///
/// # Errors
/// 422.
pub(crate) async fn logout(api: Data<Api>, origin: Origin, Body(mut fields): Body) -> Answer {
    let token = fields.required("refresh_token", |node| input::text(node).map(str::to_owned));
    fields.finish()?;
    let token = token.unwrap_or_default();
    let app = Data::clone(&api);
    api.work(async move {
        let now = to_micros(app.clock.now());
        auth::end_session(&mut *app.conn().await?, &token, &origin, now).await?;
        Ok(Reply::no_content())
    })
    .await
}

/// `GET /auth/me`
///
/// # Errors
/// 401.
pub(crate) async fn me(api: Data<Api>, bearer: Bearer, _query: NoQuery) -> Answer {
    let app = Data::clone(&api);
    api.work(async move {
        let mut conn = app.conn().await?;
        let (caller, account) = bearer.account(&mut conn).await?;
        let counts = db::services::counts(&mut conn, account.id).await?;
        let limit = active_limit(&caller, app.config.limits.service_quota);
        let services = QuotaUse {
            limit,
            used: counts.active,
        };
        Reply::ok(&Me {
            id: account.id,
            email: account.email,
            username: account.username,
            role: account.role,
            is_verified: account.is_verified,
            quota: Quota { services },
            created_at: format::time(account.created_at),
        })
    })
    .await
}

pub(super) fn logged_in(api: &Api, pair: &Pair) -> Answer {
    let pair = TokenPair {
        access_token: pair.access_token.clone(),
        token_type: "Bearer",
        expires_in: api.tokens.life_seconds(),
        refresh_token: pair.refresh_token.clone(),
    };
    Ok(Reply::ok(&pair)?.secret())
}

/// Remembers a failure after the answer: nobody shall tell by its time that there is an account.
fn note(api: &Data<Api>, event: Event) {
    let app = Data::clone(api);
    let noting = async move {
        let noted =
            async { Ok::<_, Problem>(db::audit::record(&mut *app.conn().await?, &event).await?) };
        if let Err(problem) = noted.await {
            tracing::warn!(user.id = %event.user, "a failed login is not in the audit log: {problem}");
        }
    };
    drop(api.tasks.spawn_on(noting, &api.home));
}

fn wrong_pair() -> Problem {
    Problem::new(&problems::INVALID_CREDENTIALS, "Check both and try again.")
}

/// As the database keeps it, so that what we answer is what we stored.
pub(super) fn to_micros(time: Time) -> Time {
    chrono::SubsecRound::trunc_subsecs(time, 6)
}
