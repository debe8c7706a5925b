//! One connection of a client: its frames, and what is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, queue};
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Queue;

/// What RabbitMQ offers.
const FRAME_MAX: u32 = 131_072;
const CHANNEL_MAX: u16 = 2_047;
/// Read at one time, at most.
const CHUNK: usize = 256 * 1024;
const CONSUMER: &str = "bench";

/// Until the client goes.
pub(super) async fn serve(mut stream: TcpStream, queue: Arc<Queue>) {
    let mut peer = Peer::new(Arc::clone(&queue));
    let mut received = BytesMut::new();
    loop {
        received.reserve(CHUNK);
        tokio::select! {
            read = stream.read_buf(&mut received) => if !matches!(read, Ok(1..)) {
                return;
            },
            () = queue.more.notified(), if peer.may_have_more() => {}
        }
        let rest = peer.take(&received);
        received.advance(received.len() - rest);
        for message in peer.published.drain(..) {
            queue.results.send(message).await.expect("the bench counts");
        }
        peer.confirm();
        peer.deliver();
        if stream.write_all(&peer.out).await.is_err() {
            return;
        }
        peer.out.clear();
    }
}

/// What is known of the client.
#[derive(Debug)]
struct Peer {
    queue: Arc<Queue>,
    /// Bytes to be written.
    out: Vec<u8>,
    /// What a consumer may hold unsettled, and its channel.
    prefetch: usize,
    consumer: Option<u16>,
    delivered: u64,
    /// Delivered and not settled.
    held: BTreeMap<u64, Vec<u8>>,
    /// Of the message that comes in now.
    coming: Vec<u8>,
    expected: u64,
    published: Vec<Vec<u8>>,
    /// Of each channel: the number of the last message that came whole, and of the last that was confirmed.
    numbers: BTreeMap<u16, (u64, u64)>,
}

impl Peer {
    fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            out: Vec::new(),
            prefetch: 0,
            consumer: None,
            delivered: 0,
            held: BTreeMap::new(),
            coming: Vec::new(),
            expected: 0,
            published: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    fn may_have_more(&self) -> bool {
        self.consumer.is_some() && self.held.len() < self.prefetch
    }

    /// Answers all frames that came whole; how many bytes are left over.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        while let Ok((rest, frame)) = parse_frame(bytes) {
            bytes = rest;
            match frame {
                AMQPFrame::ProtocolHeader(_) => self.greet(),
                AMQPFrame::Method(channel, method) => self.answer(channel, method),
                AMQPFrame::Header(_, header) => self.expected = header.body_size,
                AMQPFrame::Body(channel, part) => self.body(channel, &part),
                AMQPFrame::Heartbeat => self.put(&AMQPFrame::Heartbeat),
                AMQPFrame::InvalidHeartbeat(_) => panic!("a heartbeat on a channel"),
            }
        }
        bytes.len()
    }

    fn greet(&mut self) {
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: Default::default(),
            mechanisms: "PLAIN".into(),
            locales: "en_US".into(),
        };
        self.say(
            0,
            AMQPClass::Connection(connection::AMQPMethod::Start(start)),
        );
    }

    fn answer(&mut self, id: u16, method: AMQPClass) {
        let reply = match method {
            AMQPClass::Connection(method) => self.connection(method),
            AMQPClass::Channel(method) => match method {
                channel::AMQPMethod::Open(_) => {
                    Some(channel::AMQPMethod::OpenOk(channel::OpenOk {}))
                }
                channel::AMQPMethod::Close(_) => {
                    Some(channel::AMQPMethod::CloseOk(channel::CloseOk {}))
                }
                _ => None,
            }
            .map(AMQPClass::Channel),
            AMQPClass::Queue(queue::AMQPMethod::Declare(asked)) => {
                let queue = asked.queue;
                let found = queue::DeclareOk {
                    queue,
                    message_count: 0,
                    consumer_count: 0,
                };
                Some(AMQPClass::Queue(queue::AMQPMethod::DeclareOk(found)))
            }
            AMQPClass::Confirm(_) => {
                let selected = confirm::SelectOk {};
                Some(AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(selected)))
            }
            AMQPClass::Basic(method) => self.basic(id, method).map(AMQPClass::Basic),
            other => panic!("the prober asked for what this broker does not know: {other:?}"),
        };
        if let Some(reply) = reply {
            self.say(id, reply);
        }
    }

    fn connection(&self, method: connection::AMQPMethod) -> Option<AMQPClass> {
        use connection::AMQPMethod as Method;
        let reply = match method {
            Method::StartOk(_) => Method::Tune(connection::Tune {
                channel_max: CHANNEL_MAX,
                frame_max: FRAME_MAX,
                heartbeat: 60,
            }),
            Method::Open(_) => Method::OpenOk(connection::OpenOk {}),
            Method::Close(_) => Method::CloseOk(connection::CloseOk {}),
            _ => return None,
        };
        Some(AMQPClass::Connection(reply))
    }

    fn basic(&mut self, id: u16, method: basic::AMQPMethod) -> Option<basic::AMQPMethod> {
        use basic::AMQPMethod as Method;
        match method {
            Method::Qos(asked) => {
                self.prefetch = asked.prefetch_count.into();
                Some(Method::QosOk(basic::QosOk {}))
            }
            Method::Consume(_) => {
                self.consumer = Some(id);
                Some(Method::ConsumeOk(basic::ConsumeOk {
                    consumer_tag: CONSUMER.into(),
                }))
            }
            Method::Cancel(asked) => {
                self.consumer = None;
                let consumer_tag = asked.consumer_tag;
                Some(Method::CancelOk(basic::CancelOk { consumer_tag }))
            }
            Method::Ack(ack) => {
                assert!(!ack.multiple, "one by one");
                self.held.remove(&ack.delivery_tag);
                None
            }
            Method::Nack(back) => {
                let message = self.held.remove(&back.delivery_tag);
                self.queue.lock().extend(message);
                None
            }
            Method::Publish(_) => {
                self.coming.clear();
                None
            }
            other => panic!("the prober asked for what this broker does not know: {other:?}"),
        }
    }

    fn body(&mut self, channel: u16, part: &[u8]) {
        self.coming.extend_from_slice(part);
        if self.coming.len() as u64 == self.expected {
            self.published.push(std::mem::take(&mut self.coming));
            self.numbers.entry(channel).or_default().0 += 1;
        }
    }

    /// All that came on each channel, at once, as brokers do.
    fn confirm(&mut self) {
        let mut acks = Vec::new();
        for (channel, (came, confirmed)) in &mut self.numbers {
            if confirmed < came {
                *confirmed = *came;
                let ack = basic::Ack {
                    delivery_tag: *came,
                    multiple: true,
                };
                acks.push((*channel, ack));
            }
        }
        for (channel, ack) in acks {
            self.say(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)));
        }
    }

    /// As many messages as the client may hold.
    fn deliver(&mut self) {
        while let Some(channel) = self.consumer.filter(|_| self.may_have_more()) {
            let Some(message) = self.queue.lock().pop_front() else {
                return;
            };
            self.delivered += 1;
            let delivery_tag = self.delivered;
            let deliver = basic::Deliver {
                consumer_tag: CONSUMER.into(),
                delivery_tag,
                redelivered: false,
                exchange: "".into(),
                routing_key: "".into(),
            };
            let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver));
            self.say(channel, method);
            let header = AMQPContentHeader {
                class_id: 60,
                body_size: message.len() as u64,
                properties: basic::AMQPProperties::default(),
            };
            self.put(&AMQPFrame::Header(channel, header));
            self.put(&AMQPFrame::Body(channel, message.clone()));
            self.held.insert(delivery_tag, message);
        }
    }

    fn say(&mut self, channel: u16, method: AMQPClass) {
        self.put(&AMQPFrame::Method(channel, method));
    }

    fn put(&mut self, frame: &AMQPFrame) {
        let out = std::mem::take(&mut self.out);
        let written = gen_frame(frame)(out.into()).expect("memory");
        self.out = written.into_inner().0;
    }
}
