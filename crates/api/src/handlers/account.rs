//! What a user does with his account, and mails that anybody may ask for.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use db::users;
use secrecy::SecretString;

use super::proof::{Given, prove};
use crate::accounts;
use crate::app::Api;
use crate::auth::{Bearer, Origin, account};
use crate::error::Problem;
use crate::input::Body;
use crate::reply::{Answer, Reply};

/// `POST /auth/resend-verify`: the same answer whether or not there is an account.
///
/// # Errors
/// 422.
pub(crate) async fn resend(api: Data<Api>, Body(mut fields): Body) -> Answer {
    let email = fields.required("email", account::email);
    fields.finish()?;
    let email = email.ok_or_else(|| Problem::internal("no address and nobody said so"))?;
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        accounts::ask_for_verification(&app, &email).await?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    })
    .await
}

/// `POST /auth/forgot-password`: the same answer whether or not there is an account.
///
/// # Errors
/// 422.
pub(crate) async fn forgot(api: Data<Api>, origin: Origin, Body(mut fields): Body) -> Answer {
    let email = fields.required("email", account::email);
    fields.finish()?;
    let email = email.ok_or_else(|| Problem::internal("no address and nobody said so"))?;
    let app = Data::clone(&api);
    api.work(async move {
        app.require_schema()?;
        accounts::ask_for_reset(&app, &email, &origin).await?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    })
    .await
}

/// `POST /auth/change-email`: mails both addresses; nothing changes before both have confirmed.
///
/// # Errors
/// 401, 422, 409 (`duplicate-email`, where addresses need not be confirmed), 429, 503.
pub(crate) async fn change_email(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    Body(mut fields): Body,
) -> Answer {
    let password = fields.required("password", account::secret);
    let email = fields.required("email", account::email);
    let app = Data::clone(&api);
    api.work(async move {
        if let Some(email) = &email {
            let mut conn = app.conn().await?;
            let user = bearer.caller(&mut conn).await?.user.as_uuid();
            let owner = users::by_email_key(&mut conn, &email.key).await?;
            if owner.is_some_and(|owner| owner.id == user) {
                fields.refuse("email", accounts::SAME_ADDRESS);
            }
        }
        let given = given(password, "change_email");
        prove(&app, &bearer, &origin, given, fields).await?;
        let email = email.ok_or_else(|| Problem::internal("no address and nobody said so"))?;
        accounts::change_address(&app, &bearer, &email, &origin).await?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    })
    .await
}

/// `DELETE /auth/me`: everything goes.
///
/// # Errors
/// 401, 409 (`last-admin`), 422, 429, 503.
pub(crate) async fn delete(
    api: Data<Api>,
    bearer: Bearer,
    origin: Origin,
    Body(mut fields): Body,
) -> Answer {
    let password = fields.required("password", account::secret);
    let app = Data::clone(&api);
    api.work(async move {
        let given = given(password, "delete_account");
        prove(&app, &bearer, &origin, given, fields).await?;
        accounts::erase(&app, &bearer, &origin).await?;
        Ok(Reply::no_content())
    })
    .await
}

fn given(password: Option<SecretString>, purpose: &'static str) -> Given {
    Given {
        field: "password",
        password,
        purpose,
    }
}
