//! The timeline of one probe: resolve once, judge every answer, connect, TLS, request, headers, bounded body; hop by
//! hop under one deadline.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use guard::{Alarm, Policy, Resolver, Scheme, Target};
use http::HeaderValue;
use models::Time;
use models::certificate::CertificateFacts;
use models::message::ProbeJob;
use models::probe::ErrorKind;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::aim::{Aim, Aimed};
use crate::cert;
use crate::exchange::{Exchange, Head, Protocol, Socket};
use crate::limits::KeyedLimit;
use crate::meter::{Raw, Seen};
use crate::pace::{History, Pace, Tag};
use crate::redirect::{self, MAX_REDIRECTS};
use crate::road::{Network, Place, Road};
use crate::stopwatch::Phase;
use crate::tls::{SeenChain, Tls};
use crate::trip::{Finding, Trip};
use crate::verdict::Failure;

/// What a prober probes with. One per process, shared by all probes; it keeps no connection.
#[derive(Debug)]
pub struct Engine {
    pub(crate) resolver: Resolver,
    pub(crate) policy: Policy,
    tls: Tls,
    user_agent: HeaderValue,
    pub(crate) per_address: KeyedLimit<IpAddr>,
    pub(crate) history: Arc<History>,
}

/// Settings of an [`Engine`].
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Which destinations are allowed.
    pub policy: Policy,
    /// Roots trusted beside Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Sent with every request.
    pub user_agent: String,
    /// Probes at one time to one address.
    pub per_address: usize,
}

impl Engine {
    /// Builds the parts that all probes share.
    ///
    /// # Errors
    /// When an extra root, or the User-Agent, can't be used.
    pub fn new(config: EngineConfig, resolver: Resolver) -> anyhow::Result<Self> {
        let user_agent = HeaderValue::try_from(config.user_agent);
        Ok(Self {
            resolver,
            policy: config.policy,
            tls: Tls::new(&config.extra_roots)?,
            user_agent: user_agent.context("use the User-Agent as a header")?,
            per_address: KeyedLimit::new(config.per_address),
            history: Arc::default(),
        })
    }

    /// Which targets were quick and which slow.
    pub(crate) fn history(&self) -> Arc<History> {
        self.history.clone()
    }

    /// Runs one probe; `now` is the product's time, which certificates are judged by.
    pub async fn probe(&self, job: &ProbeJob, now: Time) -> Finding {
        let aimed = Aimed::new(job.clone(), &self.policy);
        let tag = self.history.tag(job);
        let known = (tag, self.history.pace(tag));
        self.probe_known(&aimed, known, now).await
    }

    /// [`Engine::probe`] of a job that is `known` by this, and how it is expected to answer.
    pub(crate) async fn probe_known(
        &self,
        aimed: &Aimed,
        known: (Tag, Pace),
        now: Time,
    ) -> Finding {
        let mut trip = Trip::start(&aimed.job, known, now);
        let verdict = self.travel(&mut Network(self), aimed, &mut trip).await;
        trip.finish(verdict)
    }

    /// From hop to hop over `road`, to the answer that counts.
    pub(crate) async fn travel(
        &self,
        road: &mut impl Road,
        aimed: &Aimed,
        trip: &mut Trip<'_>,
    ) -> Result<(), Failure> {
        let (job, first) = (trip.job, aimed.aim.as_ref());
        let first = first.map_err(Failure::clone)?;
        let follows = job.follow_redirects && !(300..400).contains(&job.expected_status);
        let mut moved = None;
        for redirects in 0..=MAX_REDIRECTS {
            let aim = moved.as_ref().unwrap_or(first);
            // In two statements: a future that is made where it is awaited stays a part of who awaits it.
            let hop = Box::pin(road.hop(aim, redirects, trip));
            let mut answer = hop.await.map_err(|failure| {
                trip.forget_answer_before(&failure);
                failure.after_redirects(redirects)
            })?;
            let next = if follows {
                redirect::next(&aim.url, answer.head.status, answer.head.location.as_ref())?
            } else {
                None
            };
            match next {
                None => return answer.settle(job, &mut trip.alarm).await,
                Some(_) if redirects == MAX_REDIRECTS => break,
                Some(next) => moved = Some(Aim::at(next, redirects + 1, &self.policy)?),
            }
        }
        Err(Failure::too_many_redirects())
    }

    /// What is said over a connection that is open: TLS where the URL asks for it, then the request.
    pub(crate) async fn converse<S: Socket>(
        &self,
        socket: S,
        Aim { url, target }: &Aim,
        redirects: usize,
        trip: &mut Trip<'_>,
    ) -> Result<Answer, Failure> {
        let raw = Raw::new(socket, trip.budget.clone());
        let seen = raw.seen();
        match target.scheme() {
            Scheme::Http => {
                let stream = Box::new(raw);
                self.ask(stream, Protocol::Http1, seen, url, trip).await
            }
            Scheme::Https => {
                // Boxed: who asks in the clear shall not carry the room for a handshake.
                let encrypting = Box::pin(self.encrypt(raw, target, redirects == 0, trip));
                let (stream, protocol) = encrypting.await?;
                self.ask(stream, protocol, seen, url, trip).await
            }
        }
    }

    /// One request in readable HTTP, up to the head of its answer.
    pub(crate) async fn ask(
        &self,
        stream: Box<dyn Socket>,
        protocol: Protocol,
        seen: Arc<Seen>,
        url: &Url,
        trip: &mut Trip<'_>,
    ) -> Result<Answer, Failure> {
        let now = trip.watch.last_lap();
        let opening = Exchange::open(stream, protocol, seen, now, &mut trip.alarm);
        let mut exchange = opening.await?;
        trip.hops = trip.hops.saturating_add(1);
        let requesting = exchange.request(url, &self.user_agent, &mut trip.alarm);
        let head = requesting.await;
        trip.watch.lap_at(Phase::Request, exchange.written_at());
        match head {
            Ok(head) => {
                trip.watch.lap_at(Phase::FirstByte, head.at);
                trip.status = Some(head.status.as_u16());
                Ok(Answer {
                    head,
                    exchange,
                    place: None,
                })
            }
            Err(failure) => {
                trip.watch.lap(Phase::FirstByte);
                Err(failure)
            }
        }
    }

    async fn encrypt<S: Socket>(
        &self,
        raw: Raw<S>,
        target: &Target,
        is_own_host: bool,
        trip: &mut Trip<'_>,
    ) -> Result<(Box<TlsStream<Raw<S>>>, Protocol), Failure> {
        let host = target.host();
        let name = ServerName::try_from(host.clone()).map_err(|_unusable| {
            Failure::new(
                ErrorKind::TlsProtocol,
                "the host's name can't be used with TLS",
            )
        })?;
        let seen = raw.seen();
        let (config, recorder) = self.tls.handshake(cert::unix_time(trip.now));
        let connecting = TlsConnector::from(config).connect(name, raw);
        let connected = trip.alarm.limit(connecting).await;
        trip.watch.lap(Phase::Tls);
        let presented = recorder.take();
        let mut facts = presented
            .as_ref()
            .and_then(|chain| cert::facts(chain, &self.tls, trip.now));
        let outcome = match connected {
            None => Err(Failure::new(
                ErrorKind::TimeoutTls,
                "the TLS handshake did not end before the timeout",
            )),
            Some(Ok(stream)) => {
                let protocol = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                Ok((Box::new(stream), protocol))
            }
            Some(Err(error)) => Err(presented
                .zip(facts.as_mut())
                .and_then(|(chain, facts)| {
                    certificate_failure(&error, &chain, facts, &host, trip.now)
                })
                .unwrap_or_else(|| Failure::tls(&error, &seen))),
        };
        if is_own_host {
            trip.certificate = facts;
        }
        outcome
    }
}

/// The failure, when it was the certificate that ended the handshake. A signature that does not fit an otherwise good
/// certificate is a fault of its own.
fn certificate_failure(
    error: &std::io::Error,
    presented: &SeenChain,
    facts: &mut CertificateFacts,
    host: &str,
    now: Time,
) -> Option<Failure> {
    let tls_error = crate::verdict::find::<rustls::Error>(error)?;
    let rustls::Error::InvalidCertificate(_) = tls_error else {
        return None;
    };
    if facts.errors.is_empty() {
        facts
            .errors
            .push(cert::handshake_fault(presented, tls_error));
    }
    let kind = *facts.errors.first()?;
    Some(cert::failure(facts, kind, host, now))
}

/// An answer whose head has come.
pub(crate) struct Answer {
    pub(crate) head: Head,
    exchange: Exchange,
    /// Kept as long as the connection is.
    pub(crate) place: Option<Place>,
}

impl Answer {
    /// The answer that counts: its status, then as much of its body as is read.
    pub(crate) async fn settle(
        &mut self,
        job: &ProbeJob,
        alarm: &mut Alarm,
    ) -> Result<(), Failure> {
        let status = self.head.status;
        if status.as_u16() != job.expected_status {
            let reason = status.canonical_reason().unwrap_or_default();
            let message = format!(
                "expected {}, got {} {reason}",
                job.expected_status,
                status.as_u16()
            );
            return Err(Failure::new(ErrorKind::StatusMismatch, message.trim_end()));
        }
        self.exchange.read_body(alarm).await
    }
}
