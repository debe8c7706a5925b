//! Mail that leaves by other ways than Resend.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use testkit::eventually;
use uuid::Uuid;

use crate::sink::Sink;
use crate::world::{Raise, World};

#[tokio::test(flavor = "multi_thread")]
async fn smtp_gets_the_same_mail_again_under_the_same_message_id() {
    let world = World::new().await;
    let sink = Sink::start(["451 try later", "250 taken"]).await;
    let mut env = world.env_without_mail();
    env.insert("SMTP_URL".into(), sink.url.clone());
    env.insert("RESEND_FROM_EMAIL".into(), "alerts@example.test".into());
    let (service, delivery) = world.failure().await;
    let alerter = world.start_with(&env);
    eventually(async || sink.mails().len() == 1).await;
    world.until_rested(delivery).await;
    world.move_time(TimeDelta::minutes(16));
    world.until(delivery, "sent").await;
    alerter.stop().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].recipient, service.owner());
    assert_eq!(mails[0].message, mails[1].message);
    let id = format!("Message-ID: <{delivery}@example.test>");
    assert!(mails[0].message.contains(&id), "{}", mails[0].message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_smtp_server_that_does_not_want_the_mail_ends_it() {
    let world = World::new().await;
    let sink = Sink::start(["550 no such mailbox"]).await;
    let mut env = world.env_without_mail();
    env.insert("SMTP_URL".into(), sink.url.clone());
    let (_, delivery) = world.failure().await;
    let alerter = world.start_with(&env);
    world.until(delivery, "failed").await;
    alerter.stop().await;
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_each_mail_is_one_whole_file_with_no_header_of_a_tenant() {
    let world = World::new().await;
    let folder = std::env::temp_dir().join(format!("pulsemon-outbox-{}", Uuid::now_v7()));
    let mut env = world.env_without_mail();
    env.insert("OUTBOX_DIR".into(), folder.display().to_string());
    let service = world.service().await;
    let raise = Raise {
        name: "Shop\r\nBcc: everyone@example.test\r\n\r\n<b>Grüße</b>".into(),
        ..Raise::failure(service)
    };
    let delivery = world.raise(raise).await;
    let alerter = world.start_with(&env);
    world.until(delivery, "sent").await;
    alerter.stop().await;

    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing unfinished is left: {files:?}");
    let mail = std::fs::read_to_string(folder.join(format!("{delivery}.eml"))).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let names: BTreeSet<&str> = unfolded
        .split("\r\n")
        .map(|line| line.split_once(':').unwrap().0)
        .collect();
    let expected = [
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    let boundary = format!("--pulsemon-{}", delivery.simple());
    let parts: Vec<&str> = body.split(boundary.as_str()).collect();
    assert_eq!(parts.len(), 4, "a preamble, text, html and the end");
    assert!(parts[1].contains("text/plain") && parts[2].contains("text/html"));
    assert!(parts[3].trim() == "--");
}
