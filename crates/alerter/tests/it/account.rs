//! Account mail: a link that works stands in the mail, and nowhere else.

use chrono::TimeDelta;
use models::account_mail::LinkPurpose;
use models::mail_token::{TokenKey, hash};
use testkit::resend::Answer;
use uuid::Uuid;

use crate::sending::account_mail;
use crate::world::{SECRETS_KEY, World};

const SEED: [u8; 32] = [7; 32];

/// A wanted mail to verify an address: its delivery, and the token of its link.
async fn wanted(world: &World, key: &str) -> (Uuid, Uuid, String) {
    let user = world.service().await.user;
    let (delivery, row, now) = (Uuid::now_v7(), Uuid::now_v7(), world.now());
    let key = TokenKey::new(key.as_bytes()).unwrap();
    let token = key.token(LinkPurpose::VerifyEmail, row, &SEED);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let (hash, seed) = (hex(&hash(&token).unwrap()), hex(&SEED));
    let ends = now + TimeDelta::hours(24);
    world
        .db
        .execute(&format!(
            "INSERT INTO mail_tokens (id, user_id, purpose, token_hash, seed, created_at, expires_at) \
             VALUES ('{row}', '{user}', 'verify_email', '\\x{hash}', '\\x{seed}', '{now}', '{ends}'); \
             INSERT INTO deliveries (id, lane, user_id, channel, recipient, status, facts, token_id, \
                 next_attempt_at, created_at) \
             VALUES ('{delivery}', 'account', '{user}', 'email', 'o@example.test', 'pending', \
                 '{{\"mail\": \"verify_email\"}}', '{row}', '{now}', '{now}')"
        ))
        .await;
    (delivery, row, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_stands_in_the_mail_and_in_no_row() {
    let world = World::new().await;
    world.resend.script([Answer::Status(500)]);
    let (delivery, _, token) = wanted(&world, SECRETS_KEY).await;
    let alerter = world.start();
    world.until_requests(1).await;
    world.until_rested(delivery).await;
    world.move_time(TimeDelta::minutes(16));
    world.until(delivery, "sent").await;
    alerter.stop().await;
    let requests = world.resend.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1], "the same bytes again");
    let link = format!("https://pulsemon.test/auth/verify?token={token}");
    for part in ["html", "text"] {
        assert!(requests[1].field(part).contains(&link), "{:?}", requests[1]);
    }
    let stored = world.column("rendered", delivery).await;
    assert!(
        stored.contains("/auth/verify?token=") && !stored.contains(&token),
        "{stored}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_link_works_no_more_is_not_sent() {
    let world = World::new().await;
    let (used, row, _) = wanted(&world, SECRETS_KEY).await;
    let (foreign, ..) = wanted(&world, "a key that only the api has, and no alerter").await;
    let (late, late_row, _) = wanted(&world, SECRETS_KEY).await;
    let (gone, gone_row, _) = wanted(&world, SECRETS_KEY).await;
    world
        .db
        .execute(&format!(
            "DELETE FROM mail_tokens WHERE id = '{row}'; \
             UPDATE mail_tokens SET expires_at = '{}' WHERE id = '{late_row}'; \
             DELETE FROM users WHERE id = (SELECT user_id FROM mail_tokens WHERE id = '{gone_row}')",
            world.now()
        ))
        .await;
    let alerter = world.start();
    for delivery in [used, late, gone] {
        world.until(delivery, "suppressed").await;
    }
    world.until(foreign, "failed").await;
    alerter.stop().await;
    assert!(world.resend.requests().is_empty());
    let error = world.column("last_error", foreign).await;
    assert!(error.contains("SECRETS_KEY"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_goes_about_an_account_that_is_locked_or_gone() {
    let world = World::new().await;
    let (linked, row, _) = wanted(&world, SECRETS_KEY).await;
    let (locked, gone) = (world.service().await.user, world.service().await.user);
    let (to_locked, to_gone) = (
        account_mail(&world, locked).await,
        account_mail(&world, gone).await,
    );
    let now = world.now();
    world
        .db
        .execute(&format!(
            "UPDATE users SET locked_at = '{now}' WHERE id = '{locked}' \
                OR id = (SELECT user_id FROM mail_tokens WHERE id = '{row}'); \
             DELETE FROM users WHERE id = '{gone}'"
        ))
        .await;
    let alerter = world.start();
    for delivery in [linked, to_locked, to_gone] {
        world.until(delivery, "suppressed").await;
    }
    alerter.stop().await;
    assert!(world.resend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_has_to_confirm_his_address_gets_no_alerts_before() {
    let world = World::new().await;
    let mut env = world.env();
    env.insert("EMAIL_VERIFICATION".into(), "required".into());
    let (_, unconfirmed) = world.failure().await;
    let (service, confirmed) = world.failure().await;
    let sql = format!(
        "UPDATE users SET is_verified = true WHERE id = '{}'",
        service.user
    );
    world.db.execute(&sql).await;
    let alerter = world.start_with(&env);
    world.until(unconfirmed, "suppressed").await;
    world.until(confirmed, "sent").await;
    alerter.stop().await;
    assert_eq!(world.resend.requests().len(), 1);
}
