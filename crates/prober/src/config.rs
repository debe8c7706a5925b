//! What a prober is told by its environment.

use std::net::SocketAddr;

use bus::route::valid_region;
use guard::AllowRule;
use ipnet::IpNet;
use models::DEFAULT_REGION;
use runtime::env::{BrokerConfig, EnvErrors, OpsConfig, Reader, Vars};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::selfcheck;

/// Probes in flight where `WORKER_POOL_SIZE` is unset.
const DEFAULT_POOL: usize = 1000;
/// Past this one process has not enough ports towards one destination.
const MAX_POOL: usize = 50_000;
/// Probes in flight to one address where `PROBES_PER_ADDRESS` is unset: enough for a large shared host, too few to
/// hurt one.
const DEFAULT_PER_ADDRESS: usize = 64;
/// The product's name and version, as targets see it.
const USER_AGENT: &str = concat!(
    "Pulsemon/",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

/// Everything a prober needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker.
    pub broker: BrokerConfig,
    /// The port for health and metrics.
    pub ops: OpsConfig,
    /// Whose jobs are taken.
    pub region: String,
    /// Probes in flight, at most.
    pub pool_size: usize,
    /// Probes in flight of one tenant, at most.
    pub per_tenant: usize,
    /// Probes in flight to one address, at most.
    pub per_address: usize,
    /// What is opened beyond the public internet.
    pub allow: Vec<AllowRule>,
    /// What is closed beyond the built-in list.
    pub deny: Vec<IpNet>,
    /// Names that are refused with all below them.
    pub deny_names: Vec<String>,
    /// Roots trusted beside Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Sent with every request.
    pub user_agent: String,
    /// What this prober measures itself by, besides its name servers.
    pub self_check_urls: Vec<Url>,
    /// The one name server to ask; the system's where `None`. Only a caller can set it.
    pub name_server: Option<SocketAddr>,
}

impl Config {
    /// Reads `AMQP_URL`, `OPS_PORT`, `REGION`, `WORKER_POOL_SIZE`, `PROBES_PER_TENANT`, `PROBES_PER_ADDRESS`,
    /// `PROBE_ALLOW_CIDRS`, `PROBE_DENY_CIDRS`, `PROBE_DENY_NAMES`, `PROBE_EXTRA_CA_FILE`, `APP_BASE_URL`,
    /// `PROBE_CONTACT_URL` and `SELF_CHECK_URLS`.
    ///
    /// # Errors
    /// Every variable that is missing or wrong.
    pub fn from_env(vars: &impl Vars) -> Result<Self, EnvErrors> {
        let r = Reader::new(vars);
        let broker = BrokerConfig::read(&r);
        let ops = OpsConfig::read(&r);
        let region = region(&r);
        let pool_size = r.ranged("WORKER_POOL_SIZE", DEFAULT_POOL, 1..=MAX_POOL);
        let quarter = pool_size.unwrap_or(DEFAULT_POOL).div_ceil(4);
        let per_tenant = r.ranged("PROBES_PER_TENANT", quarter, 1..=MAX_POOL);
        let per_address = r.ranged("PROBES_PER_ADDRESS", DEFAULT_PER_ADDRESS, 1..=MAX_POOL);
        let allow = allow_rules(&r);
        let deny = r.list::<IpNet>("PROBE_DENY_CIDRS");
        let deny_names = r.list::<String>("PROBE_DENY_NAMES");
        let extra_roots = extra_roots(&r);
        let user_agent = user_agent(&r);
        let self_check_urls = self_check_urls(&r);
        r.finish(|| {
            Some(Self {
                broker: broker?,
                ops: ops?,
                region: region?,
                pool_size: pool_size?,
                per_tenant: per_tenant?,
                per_address: per_address?,
                allow: allow?,
                deny: deny?,
                deny_names: deny_names?,
                extra_roots: extra_roots?,
                user_agent: user_agent?,
                self_check_urls: self_check_urls?,
                name_server: None,
            })
        })
    }

    /// What the operator refused, and the broker's host, which is nobody's service.
    pub(crate) fn own_names(&self) -> Vec<String> {
        let mut names = self.deny_names.clone();
        names.extend(self.broker_name());
        names
    }

    /// Addresses need no name rule, and `localhost` is judged by its address.
    fn broker_name(&self) -> Option<String> {
        let url = Url::parse(self.broker.amqp_url.expose_secret()).ok()?;
        let host = url.host_str()?;
        let is_address = host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok();
        (!is_address && host != "localhost").then(|| host.to_owned())
    }
}

fn region(r: &Reader<'_>) -> Option<String> {
    let region = r.or("REGION", DEFAULT_REGION.to_owned())?;
    if valid_region(&region) {
        return Some(region);
    }
    r.refuse(
        "REGION",
        format!("`{region}` is not 1 to 63 lower-case letters, digits and -"),
    )
}

fn allow_rules(r: &Reader<'_>) -> Option<Vec<AllowRule>> {
    let text = r.text("PROBE_ALLOW_CIDRS").unwrap_or_default();
    match AllowRule::parse_list(&text) {
        Ok(rules) => Some(rules),
        Err(errors) => {
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            r.refuse("PROBE_ALLOW_CIDRS", said.join("; "))
        }
    }
}

fn extra_roots(r: &Reader<'_>) -> Option<Vec<CertificateDer<'static>>> {
    const NAME: &str = "PROBE_EXTRA_CA_FILE";
    let Some(path) = r.text(NAME) else {
        return Some(Vec::new());
    };
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(error) => return r.refuse(NAME, format!("cannot read {path}: {error}")),
    };
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match roots {
        Ok(roots) if !roots.is_empty() => Some(roots),
        Ok(_none) => r.refuse(NAME, format!("{path} holds no certificate in PEM form")),
        Err(error) => r.refuse(NAME, format!("{path} is not valid PEM: {error}")),
    }
}

/// Names the product and where to ask about it: the page of the operator's choice, or the installation's own address.
fn user_agent(r: &Reader<'_>) -> Option<String> {
    let base = r.optional::<Url>("APP_BASE_URL");
    match r.optional::<Url>("PROBE_CONTACT_URL").or(base) {
        Some(url) => Some(format!("{USER_AGENT} (+{url})")),
        None => Some(USER_AGENT.to_owned()),
    }
}

/// Any http(s) URLs, also private ones: they are the operator's choice.
fn self_check_urls(r: &Reader<'_>) -> Option<Vec<Url>> {
    const NAME: &str = "SELF_CHECK_URLS";
    let texts = r.list::<String>(NAME)?;
    if texts.len() > selfcheck::MAX_URLS {
        return r.refuse(NAME, format!("more than {} URLs", selfcheck::MAX_URLS));
    }
    let policy = selfcheck::policy();
    let mut urls = Vec::with_capacity(texts.len());
    let mut refused = Vec::new();
    for (n, text) in (1..).zip(&texts) {
        match guard::judge_text(text, &policy) {
            Ok((url, _)) => urls.push(url),
            // By its place: the text may hold a password.
            Err(refusal) => refused.push(format!("URL {n} {refusal}")),
        }
    }
    if !refused.is_empty() {
        return r.refuse(NAME, refused.join("; "));
    }
    Some(urls)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn defaults_need_nothing_but_a_broker() {
        let vars = HashMap::from([
            ("AMQP_URL", "amqp://u:p@broker.example/v"),
            ("APP_BASE_URL", "https://status.example"),
            ("PROBE_DENY_NAMES", "internal.example, db.example"),
            (
                "SELF_CHECK_URLS",
                "https://one.example, http://10.0.0.1:8080/up",
            ),
        ]);
        let config = Config::from_env(&vars).unwrap();
        assert_eq!(
            (config.pool_size, config.per_tenant, config.per_address),
            (1000, 250, 64)
        );
        assert_eq!(config.region, "default");
        assert_eq!(config.user_agent, "Pulsemon/0.1 (+https://status.example/)");
        assert_eq!(
            config.own_names(),
            ["internal.example", "db.example", "broker.example"]
        );
        let urls: Vec<_> = config.self_check_urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["https://one.example/", "http://10.0.0.1:8080/up"]);
        assert!(config.allow.is_empty() && config.deny.is_empty() && config.extra_roots.is_empty());
    }

    #[test]
    fn whoever_is_probed_is_told_where_to_ask() {
        let told = |vars: &[(&'static str, &'static str)]| {
            let mut vars: HashMap<_, _> = vars.iter().copied().collect();
            vars.insert("AMQP_URL", "amqp://broker");
            Config::from_env(&vars).unwrap().user_agent
        };
        assert_eq!(told(&[]), "Pulsemon/0.1");
        let base = ("APP_BASE_URL", "https://a.example");
        let contact = ("PROBE_CONTACT_URL", "https://b.example/probes");
        assert_eq!(told(&[base]), "Pulsemon/0.1 (+https://a.example/)");
        assert_eq!(
            told(&[base, contact]),
            "Pulsemon/0.1 (+https://b.example/probes)"
        );
    }

    #[test]
    fn every_bad_self_check_url_is_named_by_its_place() {
        let vars = HashMap::from([
            ("AMQP_URL", "amqp://u:p@broker"),
            (
                "SELF_CHECK_URLS",
                "ftp://x, https://good.example, http://user@x/",
            ),
        ]);
        let told = Config::from_env(&vars).unwrap_err().to_string();
        assert!(
            told.contains("URL 1 ") && told.contains("; URL 3 "),
            "{told}"
        );
        assert!(!told.contains("URL 2"), "{told}");
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let vars = HashMap::from([
            ("AMQP_URL", "http://broker"),
            ("REGION", "Mars!"),
            ("WORKER_POOL_SIZE", "0"),
            ("PROBES_PER_TENANT", "many"),
            ("PROBES_PER_ADDRESS", "-1"),
            ("PROBE_ALLOW_CIDRS", "localhost"),
            ("PROBE_DENY_CIDRS", "10.0.0.0/40"),
            ("PROBE_EXTRA_CA_FILE", "/nowhere/ca.pem"),
            ("APP_BASE_URL", "status"),
            ("PROBE_CONTACT_URL", "abuse"),
            ("SELF_CHECK_URLS", "https://one.example, ftp://two.example"),
        ]);
        let errors = Config::from_env(&vars).unwrap_err();
        let mut named = errors.names();
        named.sort_unstable();
        let mut expected: Vec<&str> = vars.keys().copied().collect();
        expected.sort_unstable();
        assert_eq!(named, expected);
    }
}
