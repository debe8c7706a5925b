//! Nothing is lost while something is away.

use models::probe::Outcome::{Down, Up};

use crate::world::World;

#[tokio::test]
async fn results_that_came_while_the_database_was_gone_are_committed_when_it_is_back() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Up]), 1).await;
    let refuse = format!("ALTER DATABASE {} ALLOW_CONNECTIONS", world.db.name());
    let server = sibling(&world).await;
    server
        .batch_execute(&format!("{refuse} false"))
        .await
        .unwrap();
    world.db.terminate_sessions().await;
    world
        .publish(&[service.slot(20, Down), service.slot(30, Down)])
        .await;
    testkit::eventually(|| async {
        // Taken from the queue and held.
        world.bus.depth(crate::world::QUEUE).await.unwrap() == 0
    })
    .await;
    server
        .batch_execute(&format!("{refuse} true"))
        .await
        .unwrap();
    world.rows(3).await;
    assert_eq!(world.streak().await, 2);
}

/// A session in another database of the same server.
async fn sibling(world: &World) -> tokio_postgres::Client {
    use secrecy::ExposeSecret as _;
    let url = world.db.url();
    let url = url.expose_secret().replace(world.db.name(), "postgres");
    let (client, socket) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(socket);
    client
}

#[tokio::test]
async fn results_without_a_partition_are_held_and_never_poison() {
    let world = World::running(1).await;
    let service = world.service().await;
    let day = world.text(
        "SELECT inhrelid::regclass::text FROM pg_inherits \
         WHERE inhparent = 'probe_results'::regclass \
           AND pg_get_expr((SELECT relpartbound FROM pg_class WHERE oid = inhrelid), inhrelid) \
               LIKE '%FROM (''' || to_char((now() AT TIME ZONE 'UTC')::date, 'YYYY-MM-DD') || '%'",
    );
    let day = day.await;
    let bounds = world
        .text(&format!(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = '{day}'::regclass"
        ))
        .await;
    world
        .execute(&format!("ALTER TABLE probe_results DETACH PARTITION {day}"))
        .await;
    let mut today = service.slot(0, Up);
    today.scheduled_at = world.now;
    today.probe_id = models::probe::probe_id(
        today.service_id,
        &today.region,
        today.kind,
        today.scheduled_at,
        today.config_version,
    );
    world.publish(&[today]).await;
    testkit::eventually(|| async { world.bus.depth(crate::world::QUEUE).await.unwrap() == 0 })
        .await;
    world
        .execute(&format!(
            "ALTER TABLE probe_results ATTACH PARTITION {day} {bounds}"
        ))
        .await;
    world.rows(1).await;
    assert_eq!(world.bus.depth("probe-results.dead").await.unwrap(), 0);
}
