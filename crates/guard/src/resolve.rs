//! One lookup for one hop: every answer is judged, and only judged addresses come out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::Instant;
use tracing::warn;

use crate::dial::CheckedAddr;
use crate::judge::{Refusal, Target, TargetHost};
use crate::policy::Policy;

/// How long one question to one name server may take.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the second address family may lag behind the first. RFC 8305 says 50 ms; a distant name server needs more.
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(300);
/// How often a question is repeated after the first try.
const RETRIES: usize = 1;
/// How many addresses of one name are kept for dialling; all are judged.
pub const MAX_ANSWERS: usize = 32;
/// How many aliases may stand between a name and its address.
pub const MAX_CNAMES: usize = 8;
/// Questions in flight to one name server over one connection; above it, lookups would fail as "busy".
const MAX_QUESTIONS_IN_FLIGHT: usize = 8192;

/// Why a name gave no address to dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist.
    #[error("the name does not exist")]
    NxDomain,
    /// The name servers failed or refused to answer, or answered nonsense.
    #[error("the name servers could not answer")]
    ServFail,
    /// No answer in time.
    #[error("the name servers did not answer in time")]
    Timeout,
    /// The name exists and has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The name servers could not be asked at all: our failure, which says nothing about the name.
    #[error("no name server could be asked")]
    Local,
    /// An answer may not be dialled. The refusal is for the operator; a tenant learns only that it was blocked.
    #[error("the name leads to a blocked destination")]
    Blocked(Refusal),
}

/// Looks names up, without a cache, search domains or `/etc/hosts` (which only local names may use, where the operator
/// opened something local).
#[derive(Debug, Clone)]
pub struct Resolver {
    pub(crate) dns: TokioResolver,
    hosts: std::sync::Arc<Hosts>,
}

impl Resolver {
    /// Uses the system's name servers; with none configured, one on this machine, as the C library does.
    ///
    /// # Errors
    /// When the resolver can't be built from its options.
    pub fn from_system() -> Result<Self, NetError> {
        let (config, options) = match hickory_resolver::system_conf::read_system_conf() {
            Ok(system) => system,
            Err(error) => {
                warn!(%error, "the system names no DNS server; asking 127.0.0.1");
                let local = NameServerConfig::udp_and_tcp(IpAddr::from([127, 0, 0, 1]));
                (
                    ResolverConfig::from_name_servers(vec![local]),
                    ResolverOpts::default(),
                )
            }
        };
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            warn!(%error, "could not read the hosts file; local names are asked of DNS only");
            Hosts::default()
        });
        Self::build(config.name_servers().to_vec(), options, hosts)
    }

    /// Asks exactly this name server, over UDP and TCP.
    ///
    /// # Errors
    /// When the resolver can't be built from its options.
    pub fn with_name_server(server: SocketAddr) -> Result<Self, NetError> {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        config.connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        Self::build(vec![config], ResolverOpts::default(), Hosts::default())
    }

    fn build(
        servers: Vec<NameServerConfig>,
        mut options: ResolverOpts,
        hosts: Hosts,
    ) -> Result<Self, NetError> {
        options.timeout = TRY_TIMEOUT;
        options.attempts = RETRIES;
        options.cache_size = 0; // a cached answer would hide a broken zone and give a DNS phase of zero
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true; // to count the aliases
        options.max_active_requests = MAX_QUESTIONS_IN_FLIGHT;
        let config = ResolverConfig::from_name_servers(servers);
        let dns = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()?;
        Ok(Self {
            dns,
            hosts: std::sync::Arc::new(hosts),
        })
    }

    /// The addresses of a target, each judged. A literal needs no lookup. One answer that may not be dialled refuses
    /// the whole name; for a local name, which only an operator's rule opens, such answers are dropped instead.
    ///
    /// # Errors
    /// See [`ResolveError`]; `deadline` turns into [`ResolveError::Timeout`].
    pub async fn resolve(
        &self,
        target: &Target,
        policy: &Policy,
        deadline: Instant,
    ) -> Result<Vec<CheckedAddr>, ResolveError> {
        let (name, is_local) = match target.target_host() {
            TargetHost::Literal(ip) => return judge_all(&[*ip], target.port(), policy),
            TargetHost::Name { name, is_local } => (name, *is_local),
        };
        // Boxed: who asks for an address shall not carry the room for a lookup.
        let lookup = Box::pin(self.lookup(name, is_local));
        let ips = tokio::time::timeout_at(deadline, lookup)
            .await
            .unwrap_or(Err(ResolveError::Timeout))?;
        if is_local {
            return judge_any(&ips, target.port(), policy);
        }
        judge_all(&ips, target.port(), policy)
    }

    /// One question for each address family, at the same time.
    async fn lookup(&self, name: &str, is_local: bool) -> Result<Vec<IpAddr>, ResolveError> {
        // The root dot keeps search domains away.
        let Ok(name) = Name::from_ascii(format!("{name}.")) else {
            return Err(ResolveError::NxDomain);
        };
        if is_local {
            let known = self.lookup_hosts(&name);
            if !known.is_empty() {
                return Ok(known);
            }
        }
        let v6 = self.dns.ipv6_lookup(name.clone());
        let v4 = self.dns.ipv4_lookup(name);
        tokio::pin!(v6, v4);
        let (v6, v4) = tokio::select! {
            first = &mut v6 => {
                let first = addresses(first);
                let second = other(&first, v4).await;
                (first, second)
            }
            first = &mut v4 => {
                let first = addresses(first);
                (other(&first, v6).await, first)
            }
        };
        merge(v6, v4)
    }

    pub(crate) fn lookup_hosts(&self, name: &Name) -> Vec<IpAddr> {
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|record| {
                self.hosts
                    .lookup_static_host(&Query::query(name.clone(), record))
            })
            .flat_map(|lookup| {
                lookup
                    .answers()
                    .iter()
                    .filter_map(|record| record.data.ip_addr())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// The second family's answer. Once the first has addresses, it may take [`RESOLUTION_DELAY`] longer and no more:
/// many zones answer for one family and stay silent for the other.
async fn other(
    first: &Result<Vec<IpAddr>, ResolveError>,
    second: impl Future<Output = Result<Lookup, NetError>>,
) -> Result<Vec<IpAddr>, ResolveError> {
    if first.is_err() {
        return addresses(second.await);
    }
    match tokio::time::timeout(RESOLUTION_DELAY, second).await {
        Ok(answer) => addresses(answer),
        Err(_elapsed) => Err(ResolveError::Timeout),
    }
}

/// The addresses in one answer.
fn addresses(answer: Result<Lookup, NetError>) -> Result<Vec<IpAddr>, ResolveError> {
    let lookup = answer.map_err(|error| classify(&error))?;
    let aliases = lookup
        .answers()
        .iter()
        .filter(|record| record.record_type() == RecordType::CNAME)
        .count();
    if aliases > MAX_CNAMES {
        return Err(ResolveError::ServFail);
    }
    let ips: Vec<IpAddr> = lookup
        .answers()
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect();
    if ips.is_empty() {
        Err(ResolveError::NoAddress)
    } else {
        Ok(ips)
    }
}

/// One family is enough. With none, the more telling failure is reported: a broken answer over a missing address,
/// because the address may exist.
fn merge(
    v6: Result<Vec<IpAddr>, ResolveError>,
    v4: Result<Vec<IpAddr>, ResolveError>,
) -> Result<Vec<IpAddr>, ResolveError> {
    match (v6, v4) {
        (Ok(mut v6), Ok(v4)) => {
            v6.extend(v4);
            Ok(v6)
        }
        (Ok(ips), Err(_)) | (Err(_), Ok(ips)) => Ok(ips),
        (Err(v6), Err(v4)) => Err(if rank(&v6) > rank(&v4) { v6 } else { v4 }),
    }
}

fn rank(error: &ResolveError) -> u8 {
    match error {
        ResolveError::NoAddress => 0,
        ResolveError::NxDomain => 1,
        ResolveError::Local => 2,
        ResolveError::Timeout => 3,
        ResolveError::ServFail => 4,
        ResolveError::Blocked(_) => 5,
    }
}

pub(crate) fn classify(error: &NetError) -> ResolveError {
    match error {
        NetError::Timeout => ResolveError::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => ResolveError::NxDomain,
            ResponseCode::NoError => ResolveError::NoAddress,
            _ => ResolveError::ServFail,
        },
        // The question did not leave this machine, or nobody listens at the name server's address.
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => ResolveError::Local,
        _ => ResolveError::ServFail,
    }
}

/// All or none: a name with one private answer is refused whole, wherever that answer stands.
fn judge_all(ips: &[IpAddr], port: u16, policy: &Policy) -> Result<Vec<CheckedAddr>, ResolveError> {
    let checked: Result<Vec<CheckedAddr>, Refusal> =
        ips.iter().map(|ip| judge(*ip, port, policy)).collect();
    let mut checked = checked.map_err(ResolveError::Blocked)?;
    checked.truncate(MAX_ANSWERS);
    Ok(checked)
}

/// Those that pass, for local names; none passing is a refusal.
fn judge_any(ips: &[IpAddr], port: u16, policy: &Policy) -> Result<Vec<CheckedAddr>, ResolveError> {
    let mut passed = Vec::new();
    let mut refusal = None;
    for ip in ips {
        match judge(*ip, port, policy) {
            Ok(addr) => passed.push(addr),
            Err(error) => refusal = Some(error),
        }
    }
    passed.truncate(MAX_ANSWERS);
    match refusal {
        Some(error) if passed.is_empty() => Err(ResolveError::Blocked(error)),
        None if passed.is_empty() => Err(ResolveError::NoAddress),
        _ => Ok(passed),
    }
}

fn judge(ip: IpAddr, port: u16, policy: &Policy) -> Result<CheckedAddr, Refusal> {
    let addr = SocketAddr::new(ip, port);
    policy.judge(addr)?;
    Ok(CheckedAddr::judged(addr))
}
