//! The way of one hop: from a URL's host to a connection with a place, and what is asked over it.

use std::net::IpAddr;

use guard::{CheckedAddr, DialError, ResolveError, Target};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::aim::Aim;
use crate::limits::Turn;
use crate::pace::OnWire;
use crate::probe::{Answer, Engine};
use crate::stopwatch::Phase;
use crate::trip::Trip;
use crate::verdict::Failure;

/// How a probe gets from a URL to the head of its answer.
pub(crate) trait Road: Send {
    /// One request, from DNS to the head of its answer.
    fn hop(
        &mut self,
        aim: &Aim,
        redirects: usize,
        trip: &mut Trip<'_>,
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// The one that leads to the target.
pub(crate) struct Network<'a>(pub(crate) &'a Engine);

impl Road for Network<'_> {
    async fn hop(
        &mut self,
        aim: &Aim,
        redirects: usize,
        trip: &mut Trip<'_>,
    ) -> Result<Answer, Failure> {
        let Self(engine) = self;
        let addrs = engine.resolve(&aim.target, redirects, trip).await?;
        let (tcp, place) = engine.connect(addrs, aim.target.port(), trip).await?;
        let mut answer = engine.converse(tcp, aim, redirects, trip).await?;
        answer.place = Some(place);
        Ok(answer)
    }
}

impl Engine {
    async fn resolve(
        &self,
        target: &Target,
        redirects: usize,
        trip: &mut Trip<'_>,
    ) -> Result<Vec<CheckedAddr>, Failure> {
        let resolved = self
            .resolver
            .resolve(target, &self.policy, trip.alarm.deadline())
            .await;
        if !target.is_literal() {
            trip.watch.lap(Phase::Dns);
        }
        resolved.map_err(|error| match error {
            ResolveError::Blocked(refusal) => {
                tracing::debug!(%refusal, "a resolved address is refused");
                match redirects {
                    0 => Failure::blocked(),
                    _ => Failure::redirect_blocked(None),
                }
            }
            other => Failure::resolve(&other),
        })
    }

    /// A connection, and its place at the very address that it leads to: a name with several must not let more probes
    /// through to one of them than are let through to it by itself.
    async fn connect(
        &self,
        mut addrs: Vec<CheckedAddr>,
        port: u16,
        trip: &mut Trip<'_>,
    ) -> Result<(TcpStream, Place), Failure> {
        let (job, tag) = (trip.job, trip.tag);
        loop {
            let mut first = self.wait_for_turn(&addrs, trip).await?;
            let on_wire = self.history.begin(tag);
            let enter = |addr: CheckedAddr| {
                let key = addr.socket_addr().ip();
                let enter = || self.per_address.try_enter(key, self.history.pace(tag));
                first.take().or_else(enter)
            };
            let connected = guard::connect_any(&addrs, &mut trip.alarm, enter).await;
            trip.watch.lap(Phase::Connect);
            match connected {
                Ok((stream, used, turn)) => {
                    // For the operator alone: a result never holds an address.
                    tracing::debug!(probe.id = %job.probe_id, address = %used.socket_addr(), "connected");
                    let place = Place {
                        _turn: turn,
                        _on_wire: on_wire,
                    };
                    return Ok((stream, place));
                }
                // Fewer with every round: the first has a place and was tried.
                Err(failed) if !failed.without_place.is_empty() && !trip.is_over() => {
                    addrs = failed.without_place;
                }
                Err(failed) => return Err(not_connected(&failed.error, port)),
            }
        }
    }

    /// At most so many probes at one time to one address. Waiting costs the target nothing: the clock stands still. It
    /// ends when the job is stale, because who waits here holds a place of the pool.
    async fn wait_for_turn(
        &self,
        addrs: &[CheckedAddr],
        trip: &mut Trip<'_>,
    ) -> Result<Option<Turn<IpAddr>>, Failure> {
        let Some(first) = addrs.first() else {
            return Ok(None);
        };
        let key = first.socket_addr().ip();
        if let Some(turn) = self.per_address.try_enter(key, trip.pace) {
            return Ok(Some(turn));
        }
        let tag = trip.tag;
        let pace = || self.history.pace(tag);
        trip.watch.skip();
        let turn = timeout_at(trip.stale_at(), self.per_address.enter(key, pace)).await;
        trip.alarm.put_off(trip.watch.skip());
        turn.map(Some)
            .map_err(|_elapsed| Failure::internal("its address was being probed too often"))
    }
}

fn not_connected(error: &DialError, port: u16) -> Failure {
    if let DialError::Local(source) = error {
        tracing::error!(error = %source, "no socket for a probe");
    }
    Failure::dial(error, port)
}

/// What a connection holds of this prober while it is open.
pub(crate) struct Place {
    _turn: Turn<IpAddr>,
    _on_wire: OnWire,
}
