//! Declares what [`crate::route`] lists. Declaring what already exists changes nothing.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use crate::connection::{NORMAL_CLOSE, short};
use crate::route::{
    self, Bounds, DEAD_DELIVERY_LIMIT, DEAD_EXCHANGE, DeadQueue, EXCHANGES, MAX_DEAD, Route,
};

/// Declares all exchanges, the dead queues, and the queues of `regions` and of the rest.
pub(crate) async fn declare(connection: &Connection, regions: &[String]) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    for exchange in EXCHANGES {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let kind = ExchangeKind::Direct;
        channel
            .exchange_declare(exchange.into(), kind, options, FieldTable::default())
            .await?;
    }
    for dead in DeadQueue::ALL {
        queue(&channel, dead.queue(), dead_arguments()).await?;
        bind(&channel, dead.queue(), DEAD_EXCHANGE, dead.queue()).await?;
    }
    for route in route::all(regions.iter()) {
        let name = route.queue();
        queue(&channel, &name, arguments(&route)).await?;
        bind(&channel, &name, route.exchange(), route.routing_key()).await?;
    }
    channel.close(NORMAL_CLOSE, "declared".into()).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(short(name), options, arguments)
        .await?;
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    let (queue, exchange, key) = (short(queue), short(exchange), short(key));
    channel
        .queue_bind(queue, exchange, key, options, FieldTable::default())
        .await
}

/// At-least-once dead lettering keeps a message in its queue until the dead queue has it; it
/// exists only together with `reject-publish`, which is what we want of a full queue anyway.
fn arguments(route: &Route) -> FieldTable {
    let Bounds {
        max_messages,
        delivery_limit,
    } = route.bounds();
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-max-length", number(max_messages)),
        ("x-overflow", text("reject-publish")),
        ("x-delivery-limit", number(delivery_limit)),
        ("x-dead-letter-exchange", text(DEAD_EXCHANGE)),
        (
            "x-dead-letter-routing-key",
            text(route.dead_queue().queue()),
        ),
        ("x-dead-letter-strategy", text("at-least-once")),
    ])
}

fn dead_arguments() -> FieldTable {
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-max-length", number(MAX_DEAD)),
        ("x-overflow", text("drop-head")),
        ("x-delivery-limit", number(DEAD_DELIVERY_LIMIT)),
    ])
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(short(key), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(value.into())
}
