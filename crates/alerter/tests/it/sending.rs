//! One mail an alert, whatever happens on the way.

use std::collections::HashSet;

use chrono::TimeDelta;
use db::deliveries::claim::record_sent;
use testkit::resend::Answer;
use uuid::Uuid;

use crate::world::{Raise, Service, World};

/// Longer than the longest wait between two attempts.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(16);

#[tokio::test(flavor = "multi_thread")]
async fn three_alerters_side_by_side_send_each_mail_exactly_once() {
    let world = World::new().await;
    let service = world.service().await;
    let mut deliveries = Vec::new();
    for _ in 0..60 {
        deliveries.push(world.raise(Raise::failure(service)).await);
    }
    let running = [world.start(), world.start(), world.start()];
    for delivery in &deliveries {
        world.until(*delivery, "sent").await;
    }
    for alerter in running {
        alerter.stop().await;
    }
    let keys: Vec<String> = world.resend.requests().into_iter().map(|r| r.key).collect();
    let expected: HashSet<String> = deliveries.iter().map(Uuid::to_string).collect();
    assert_eq!(keys.len(), 60, "no mail was even tried twice");
    assert_eq!(keys.into_iter().collect::<HashSet<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_gets_the_very_same_bytes_again_until_it_takes_them() {
    let world = World::new().await;
    world.resend.script([
        Answer::Status(500),
        Answer::Drop,
        Answer::TryAgainAfter(3000),
        Answer::AcceptThenDrop,
    ]);
    let service = world.service().await;
    let incident = world.open_incident(service).await;
    let delivery = world.raise(Raise::failure(service).of(incident)).await;
    let alerter = world.start();
    for tried in 1..=4 {
        world.until_requests(tried).await;
        world.until_rested(delivery).await;
        // What a retry says is what was stored, not what is true by now.
        world.close_incident(service).await;
        world.move_time(LONGEST_WAIT + TimeDelta::minutes(if tried == 3 { 50 } else { 0 }));
    }
    world.until(delivery, "sent").await;
    alerter.stop().await;
    let requests = world.resend.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| *request == requests[0]));
    assert_eq!(requests[0].key, delivery.to_string());
    assert_eq!(world.resend.accepted().len(), 1);
    assert_eq!(world.resend.subjects_to(&service.owner()), ["Down: Shop"]);
    assert_eq!(world.column("attempts", delivery).await, "5");
    assert_eq!(world.column("last_error", delivery).await, "");
    let provider_id = format!("resend-{delivery}");
    assert_eq!(world.column("provider_id", delivery).await, provider_id);
}

/// The owner's account moves to another address; returns it.
async fn moves(world: &World, service: Service) -> String {
    let new = format!("moved-{}@example.test", service.user.simple());
    world
        .db
        .execute(&format!(
            "UPDATE users SET email = '{new}', email_key = '{new}' WHERE id = '{}'",
            service.user
        ))
        .await;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_to_where_its_owner_is_when_it_is_sent() {
    let world = World::new().await;
    world.resend.script([Answer::Status(500)]);
    let (tried, retried) = world.failure().await;
    let alerter = world.start();
    world.until_requests(1).await;
    world.until_rested(retried).await;
    // One was tried before the move, one is tried for the first time after it.
    let waited = world.service().await;
    let moved = [moves(&world, tried).await, moves(&world, waited).await];
    let fresh = world.raise(Raise::failure(waited)).await;
    world.move_time(LONGEST_WAIT);
    world.until(retried, "sent").await;
    world.until(fresh, "sent").await;
    alerter.stop().await;
    let requests = world.resend.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].field("to"), tried.owner());
    for (new, delivery) in moved.iter().zip([retried, fresh]) {
        assert_eq!(world.resend.subjects_to(new), ["Down: Shop"]);
        assert_eq!(world.column("recipient", delivery).await, *new);
    }
    assert_eq!(world.resend.accepted().len(), 2);
    let again = requests
        .iter()
        .rfind(|request| request.key == retried.to_string());
    let again = again.unwrap();
    assert_eq!(
        again.body.replace(&moved[0], &tried.owner()),
        requests[0].body,
        "nothing but the address is another"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_took_before_a_move_is_not_sent_a_second_time() {
    let world = World::new().await;
    world.resend.script([Answer::AcceptThenDrop]);
    let (service, delivery) = world.failure().await;
    let alerter = world.start();
    world.until_requests(1).await;
    world.until_rested(delivery).await;
    let new = moves(&world, service).await;
    world.move_time(LONGEST_WAIT);
    world.until(delivery, "sent").await;
    alerter.stop().await;
    assert_eq!(world.resend.requests().len(), 2);
    assert_eq!(world.resend.subjects_to(&service.owner()), ["Down: Shop"]);
    assert!(world.resend.subjects_to(&new).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_fails_at_once() {
    let world = World::new().await;
    world.resend.otherwise(Answer::Status(401));
    let (_, delivery) = world.failure().await;
    let alerter = world.start();
    world.until(delivery, "failed").await;
    world.move_time(LONGEST_WAIT);
    let (_, second) = world.failure().await;
    world.until(second, "failed").await;
    alerter.stop().await;
    assert_eq!(world.resend.requests().len(), 2, "one attempt each");
    let error = world.column("last_error", delivery).await;
    assert!(error.contains("401"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_asks_us_to_wait_is_waited() {
    let world = World::new().await;
    world.resend.script([Answer::TryAgainAfter(600)]);
    let (_, delivery) = world.failure().await;
    let raised_at = world.now();
    let alerter = world.start();
    world.until_requests(1).await;
    world.until(delivery, "pending").await;
    let next = world.column("next_attempt_at", delivery).await;
    let next = chrono::DateTime::parse_from_str(&next, "%Y-%m-%d %H:%M:%S%.f%#z").unwrap();
    assert!(
        next.to_utc() > raised_at + TimeDelta::seconds(600),
        "{next}"
    );
    alerter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_given_up_after_23_hours() {
    let world = World::new().await;
    world.resend.otherwise(Answer::TryAgainAfter(3000));
    let (_, delivery) = world.failure().await;
    let alerter = world.start();
    world.until_requests(1).await;
    world.until(delivery, "pending").await;
    world.move_time(TimeDelta::hours(22) + TimeDelta::minutes(40));
    world.until(delivery, "failed").await;
    alerter.stop().await;
    assert_eq!(world.resend.requests().len(), 2);
    let error = world.column("last_error", delivery).await;
    assert!(error.starts_with("given up after 2 attempts"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_alerters_delivery_is_sent_by_another_once_its_lease_is_over() {
    let world = World::new().await;
    world.resend.script([Answer::Hold]);
    let (service, delivery) = world.failure().await;
    let killed = world.start();
    world.until_requests(1).await;
    killed.kill().await;

    let other = world.start();
    let (_, marker) = world.failure().await;
    world.until(marker, "sent").await;
    assert_eq!(
        world.status(delivery).await,
        "sending",
        "the lease is respected"
    );
    world.move_time(TimeDelta::seconds(61));
    world.until(delivery, "sent").await;
    other.stop().await;
    assert_eq!(world.column("fence", delivery).await, "2");
    assert_eq!(world.resend.requests().len(), 3);
    assert_eq!(world.resend.subjects_to(&service.owner()).len(), 1);

    let mut conn = world.db.conn().await;
    let late = record_sent(&mut conn, delivery, 1, Some("late"), world.now()).await;
    assert!(!late.unwrap(), "whoever lost the lease writes nothing down");
}

#[tokio::test(flavor = "multi_thread")]
async fn account_mail_waits_for_no_alert() {
    let world = World::new().await;
    world.resend.otherwise(Answer::Hold);
    let service = world.service().await;
    for _ in 0..20 {
        world.raise(Raise::failure(service)).await;
    }
    let alerter = world.start();
    world.until_requests(16).await;
    let account = account_mail(&world, service.user).await;
    testkit::eventually(async || {
        let accepted = world.resend.accepted();
        accepted.iter().any(|mail| mail.key == account.to_string())
    })
    .await;
    assert_eq!(world.resend.requests().len(), 17, "the alert lane is full");
    world.resend.otherwise(Answer::Accept);
    for _ in 0..17 {
        world.resend.release();
    }
    world.until(account, "sent").await;
    alerter.stop().await;
}

/// A delivery of the other lane, without a link.
pub(crate) async fn account_mail(world: &World, user: Uuid) -> Uuid {
    let (id, now) = (Uuid::now_v7(), world.now());
    world
        .db
        .execute(&format!(
            "INSERT INTO deliveries (id, lane, user_id, channel, recipient, status, facts, \
                 next_attempt_at, created_at) \
             VALUES ('{id}', 'account', '{user}', 'email', 'b@example.test', 'pending', \
                 '{{\"mail\": \"address_known\"}}', '{now}', '{now}')"
        ))
        .await;
    id
}
