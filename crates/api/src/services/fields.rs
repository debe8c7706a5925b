//! A service as a request describes it: what exists is valid.

use guard::Refusal;
use models::interval::Interval;
use models::service::{ServiceName, ServiceUrl, SlaTarget, default_timeout_seconds};

use super::judge::UrlJudge;
use crate::input::{self, Complaint, Fields, Given, Node};

/// A service to create.
#[derive(Debug, Clone)]
pub(crate) struct NewService {
    /// Its name.
    pub(crate) name: ServiceName,
    /// What is probed; it may be.
    pub(crate) url: ServiceUrl,
    /// How often.
    pub(crate) interval: Interval,
    /// One deadline around a probe: 1 to 60, not over the interval.
    pub(crate) timeout_seconds: u8,
    /// The status that counts as up.
    pub(crate) expected_status: i16,
    /// What the SLA is measured against.
    pub(crate) sla_target: SlaTarget,
    /// When the warnings about its certificate begin: 1 to 90.
    pub(crate) ssl_expiry_days: i16,
    /// Whether redirects are followed.
    pub(crate) follow_redirects: bool,
    /// Whether it is probed at once.
    pub(crate) is_active: bool,
}

/// What an edit gives; the rest stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    /// Its name.
    pub(crate) name: Option<ServiceName>,
    /// How often.
    pub(crate) interval: Option<Interval>,
    /// One deadline around a probe, in seconds.
    pub(crate) timeout_seconds: Option<u8>,
    /// The status that counts as up.
    pub(crate) expected_status: Option<i16>,
    /// What the SLA is measured against.
    pub(crate) sla_target: Option<SlaTarget>,
    /// When the warnings about its certificate begin.
    pub(crate) ssl_expiry_days: Option<i16>,
    /// Whether redirects are followed.
    pub(crate) follow_redirects: Option<bool>,
    /// Pause or resume.
    pub(crate) is_active: Option<bool>,
    /// The URL as given, in its normal form where it has one; it must be the one that is there.
    pub(crate) url: Option<String>,
}

const TIMEOUTS: std::ops::RangeInclusive<i64> = 1..=60;
const STATUSES: std::ops::RangeInclusive<i64> = 100..=599;
const EXPIRY_DAYS: std::ops::RangeInclusive<i64> = 1..=90;
const DEFAULT_STATUS: i16 = 200;
const DEFAULT_EXPIRY_DAYS: i16 = 30;

impl NewService {
    /// Reads every field; what is wrong is noted in `fields`, which the caller finishes.
    pub(crate) async fn read(
        fields: &mut Fields,
        judge: &UrlJudge,
        min_interval_seconds: u32,
    ) -> Option<Self> {
        let name = fields.required("name", name);
        let url = fields.required("url", |node| url(node).map_err(|refused| refused.0));
        let interval = fields.optional("interval", |node| interval(node, min_interval_seconds));
        let timeout = fields.optional("timeout_seconds", timeout);
        let expected_status = fields.optional("expected_status", expected_status);
        let sla_target = fields.optional("sla_target", sla_target);
        let ssl_expiry_days = fields.optional("ssl_expiry_days", ssl_expiry_days);
        let follow_redirects = fields.optional("follow_redirects", input::boolean);
        let is_active = fields.optional("is_active", input::boolean);
        let interval = interval.or(default_interval(min_interval_seconds));
        let timeout_seconds = match (timeout, interval) {
            (Given::Value(timeout), Some(interval)) => {
                refuse_long_timeout(fields, timeout, interval);
                Some(timeout)
            }
            (Given::Absent, Some(interval)) => u8::try_from(default_timeout_seconds(interval)).ok(),
            (Given::Wrong, _) | (_, None) => None,
        };
        if let Some(url) = &url {
            refuse_forbidden(fields, judge.judge(url).await);
        }
        Some(Self {
            name: name?,
            url: url?,
            interval: interval?,
            timeout_seconds: timeout_seconds?,
            expected_status: expected_status.or(DEFAULT_STATUS)?,
            sla_target: sla_target.or(SlaTarget::DEFAULT)?,
            ssl_expiry_days: ssl_expiry_days.or(DEFAULT_EXPIRY_DAYS)?,
            follow_redirects: follow_redirects.or(true)?,
            is_active: is_active.or(true)?,
        })
    }
}

impl NewService {
    /// What is asked for, every default filled in: the same for two requests that differ in their spelling only.
    #[must_use]
    pub(crate) fn canonical(&self) -> String {
        let url = self.url.as_str();
        let (interval, timeout) = (self.interval.as_str(), self.timeout_seconds);
        let (status, days) = (self.expected_status, self.ssl_expiry_days);
        let (target, redirects) = (self.sla_target.hundredths(), self.follow_redirects);
        let (active, name) = (self.is_active, self.name.as_str());
        // The name comes last: it alone can hold anything.
        format!("{url} {interval} {timeout} {status} {target} {days} {redirects} {active} {name}")
    }
}

impl Patch {
    /// Reads what is given; what is wrong is noted in `fields`, which [`super::edit()`] finishes, because only the
    /// service itself tells whether a timeout fits.
    pub(crate) fn read(fields: &mut Fields, min_interval_seconds: u32) -> Self {
        Self {
            name: fields.optional("name", name).value(),
            url: fields
                .optional("url", |node| {
                    let text = input::text(node)?;
                    Ok(ServiceUrl::parse(text)
                        .map_or_else(|_| text.to_owned(), |url| url.as_str().to_owned()))
                })
                .value(),
            interval: fields
                .optional("interval", |node| interval(node, min_interval_seconds))
                .value(),
            timeout_seconds: fields.optional("timeout_seconds", timeout).value(),
            expected_status: fields.optional("expected_status", expected_status).value(),
            sla_target: fields.optional("sla_target", sla_target).value(),
            ssl_expiry_days: fields.optional("ssl_expiry_days", ssl_expiry_days).value(),
            follow_redirects: fields.optional("follow_redirects", input::boolean).value(),
            is_active: fields.optional("is_active", input::boolean).value(),
        }
    }
}

/// A minute, or the shortest allowed where that is longer.
fn default_interval(min_seconds: u32) -> Interval {
    if Interval::DEFAULT.seconds() >= min_seconds {
        return Interval::DEFAULT;
    }
    Interval::allowed(min_seconds)
        .next()
        .unwrap_or(Interval::DEFAULT)
}

/// Names both fields when a probe could outlast its interval.
pub(super) fn refuse_long_timeout(fields: &mut Fields, timeout_seconds: u8, interval: Interval) {
    if u32::from(timeout_seconds) > interval.seconds() {
        fields.refuse(
            "timeout_seconds",
            format!("must not be longer than the interval ({interval})"),
        );
        fields.refuse(
            "interval",
            format!("is shorter than timeout_seconds ({timeout_seconds})"),
        );
    }
}

fn refuse_forbidden(fields: &mut Fields, verdict: Result<(), Refusal>) {
    match verdict {
        Ok(()) => {}
        Err(refusal) if refusal.is_about_destination() => {
            fields.refuse_url("url", refusal.to_string());
        }
        Err(refusal) => fields.refuse("url", refusal.to_string()),
    }
}

fn name(node: &Node) -> Result<ServiceName, Complaint> {
    ServiceName::parse(input::text(node)?).map_err(|refused| refused.0)
}

fn url(node: &Node) -> Result<ServiceUrl, models::service::Refused> {
    let text = input::text(node).map_err(models::service::Refused)?;
    ServiceUrl::parse(text)
}

fn interval(node: &Node, min_seconds: u32) -> Result<Interval, Complaint> {
    let text = input::text(node)?;
    let wanted = text.parse::<Interval>().ok();
    wanted
        .filter(|interval| interval.seconds() >= min_seconds)
        .ok_or_else(|| {
            let allowed: Vec<&str> = Interval::allowed(min_seconds)
                .map(Interval::as_str)
                .collect();
            format!("must be one of {}", allowed.join(" "))
        })
}

fn timeout(node: &Node) -> Result<u8, Complaint> {
    let seconds = input::integer(node, &TIMEOUTS)?;
    u8::try_from(seconds).map_err(|error| error.to_string())
}

fn expected_status(node: &Node) -> Result<i16, Complaint> {
    let status = input::integer(node, &STATUSES)?;
    i16::try_from(status).map_err(|error| error.to_string())
}

fn sla_target(node: &Node) -> Result<SlaTarget, Complaint> {
    SlaTarget::from_percent(input::number(node)?).map_err(|refused| refused.0)
}

fn ssl_expiry_days(node: &Node) -> Result<i16, Complaint> {
    let days = input::integer(node, &EXPIRY_DAYS)?;
    i16::try_from(days).map_err(|error| error.to_string())
}
