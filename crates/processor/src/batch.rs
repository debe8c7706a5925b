//! The one transaction of a batch of results.
//!
//! Locks go by the one order: health rows, then the states of what flips, then incidents, alerts
//! and deliveries. Everything else is read after the health locks, in statements of their own,
//! whose snapshots are younger than whatever the locks waited for.

use std::collections::{BTreeMap, BTreeSet};

use db::results::streak::{Asked, streaks};
use db::{Abort, Conn};
use models::Time;
use models::evaluate::{Arrived, needs_rows};
use models::health::{Health, RowsSay, Verdict};
use models::probe::ProbeResult;
use models::span::Span;
use uuid::Uuid;

use crate::fold::{self, Known, Told};
use crate::opinion::{self, Voided};
use crate::pending;
use crate::rows::{self, Corrupt};
use crate::worker::Worker;
use crate::write;

/// Why a batch was rolled back.
pub(crate) type Failed = Abort<Corrupt>;

impl From<Corrupt> for Failed {
    fn from(corrupt: Corrupt) -> Self {
        Self::Refused(corrupt)
    }
}

/// What a batch came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Rows that are new.
    pub(crate) stored: u64,
    /// Results that were here before.
    pub(crate) duplicates: u64,
    /// Results of services that are gone.
    pub(crate) gone: u64,
    /// Results that came after a newer one.
    pub(crate) late: u64,
    /// Alerts to be sent now.
    pub(crate) alerts: Vec<Uuid>,
    /// Services with a failure that another prober has to look at.
    pub(crate) doubted: Vec<Uuid>,
}

/// Commits `results`, which are valid, mended, and sorted by [`sort`].
pub(crate) async fn commit(worker: &Worker, results: &[ProbeResult]) -> Result<Done, Failed> {
    let now = worker.clock.now();
    worker
        .db
        .transaction(async |conn: &mut Conn| take(conn, worker, results, now).await)
        .await
}

/// The order in which results are folded, and in which their rows are inserted.
pub(crate) fn sort(results: &mut [ProbeResult]) {
    results.sort_by(|a, b| {
        let key = |r: &ProbeResult| (r.service_id, r.scheduled_at, r.kind.code());
        key(a).cmp(&key(b)).then_with(|| a.region.cmp(&b.region))
    });
}

async fn take(
    conn: &mut Conn,
    worker: &Worker,
    results: &[ProbeResult],
    now: Time,
) -> Result<Done, Failed> {
    let health = lock_health(conn, results).await?;
    let present: Vec<&ProbeResult> = results
        .iter()
        .filter(|result| health.contains_key(&place(result)))
        .collect();
    let mut known = read_known(conn, health, &present).await?;
    let spans = read_spans(conn, &present).await?;
    let judged: Vec<Arrived<'_>> = present
        .iter()
        .map(|result| Arrived {
            result,
            verdict: verdict(result, &known, &spans),
        })
        .collect();
    let answered = opinion::answered(conn, &present).await?;
    let new = insert(conn, &judged).await?;
    let voided = opinion::weigh(conn, &known, answered, &new).await?;
    let gone = results.len() - present.len();
    let duplicates = present.len() - new.len();
    let groups = by_place(&new);
    let rows = read_rows(conn, &known, &groups, &voided).await?;
    let rules = &worker.rules;
    let in_doubt = pending::after_results(conn, &known, &groups, &voided, (rules, now)).await?;
    let told = Told {
        voided,
        rows,
        in_doubt,
    };
    let changes = fold::fold(&mut known, &groups, told, rules, now);
    let late = changes.late;
    let doubted = opinion::services(&changes.doubted);
    let alerts = write::write(conn, &known, changes, worker.cooldown, now).await?;
    Ok(Done {
        stored: rows::count(new.len()),
        duplicates: rows::count(duplicates),
        gone: rows::count(gone),
        late,
        alerts,
        doubted,
    })
}

/// A service in a region.
pub(crate) type Place = (Uuid, String);

pub(crate) fn place(result: &ProbeResult) -> Place {
    (result.service_id.as_uuid(), result.region.clone())
}

async fn lock_health(
    conn: &mut Conn,
    results: &[ProbeResult],
) -> Result<BTreeMap<Place, Health>, Failed> {
    let places: BTreeSet<(Uuid, &str)> = results
        .iter()
        .map(|result| (result.service_id.as_uuid(), result.region.as_str()))
        .collect();
    let (services, regions): (Vec<Uuid>, Vec<&str>) = places.into_iter().unzip();
    let mut health = BTreeMap::new();
    for row in db::health::fold::lock(conn, &services, &regions).await? {
        let place = (row.service_id, row.region.clone());
        health.insert(place, rows::health(row)?);
    }
    Ok(health)
}

async fn read_known(
    conn: &mut Conn,
    health: BTreeMap<Place, Health>,
    present: &[&ProbeResult],
) -> Result<Known, Failed> {
    let ids: BTreeSet<Uuid> = health.keys().map(|place| place.0).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut known = Known::read(conn, &ids).await?;
    known.health = health;
    let with_certificate: BTreeSet<Uuid> = present
        .iter()
        .filter(|result| result.certificate.is_some())
        .map(|result| result.service_id.as_uuid())
        .collect();
    if !with_certificate.is_empty() {
        let ids: Vec<Uuid> = with_certificate.into_iter().collect();
        for row in db::certificates::fold::seen(conn, &ids).await? {
            known
                .certificates
                .insert(row.service_id, rows::seen_certificate(row));
        }
    }
    Ok(known)
}

/// By service and configuration.
type Spans = BTreeMap<(Uuid, i32), Span>;

async fn read_spans(conn: &mut Conn, present: &[&ProbeResult]) -> Result<Spans, Failed> {
    let wanted: BTreeSet<(Uuid, i32)> = present
        .iter()
        .filter(|result| result.kind.counts())
        .map(|result| (result.service_id.as_uuid(), result.config_version))
        .collect();
    let (services, versions): (Vec<Uuid>, Vec<i32>) = wanted.into_iter().unzip();
    let rows = db::spans::of_versions(conn, &services, &versions).await?;
    let spans = rows.into_iter().map(|row| {
        let span = Span {
            config_version: row.config_version,
            interval_ms: u32::try_from(row.interval_ms).unwrap_or(0),
            phase_ms: u32::try_from(row.phase_ms).unwrap_or(0),
            from_at: row.from_at,
            to_at: row.to_at,
        };
        ((row.service_id, row.config_version), span)
    });
    Ok(spans.collect())
}

fn verdict(result: &ProbeResult, known: &Known, spans: &Spans) -> Verdict {
    let service_id = result.service_id.as_uuid();
    let service = known.services.get(&service_id);
    let health = known.health.get(&place(result));
    let (Some(service), Some(health)) = (service, health) else {
        return Verdict {
            counted: false,
            moves_state: false,
        };
    };
    let span = spans.get(&(service_id, result.config_version));
    let watched = &service.watched;
    let current = watched.is_active.then_some(watched.config_version);
    Verdict::of(result, span, current, health.streak_since)
}

/// Inserts the rows; what took is new.
async fn insert<'a>(conn: &mut Conn, judged: &[Arrived<'a>]) -> Result<Vec<Arrived<'a>>, Failed> {
    if judged.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = judged
        .iter()
        .map(|arrived| rows::result_row(arrived.result, arrived.verdict))
        .collect();
    let took = db::results::insert_new(conn, &rows).await?;
    let mut took: BTreeSet<Uuid> = took.into_iter().collect();
    // A result that stands twice in the batch is new once.
    let is_new = |arrived: &&Arrived<'_>| took.remove(&arrived.result.probe_id.as_uuid());
    Ok(judged.iter().filter(is_new).copied().collect())
}

/// New results by place, in the order of [`sort`].
pub(crate) type Groups<'a> = BTreeMap<Place, Vec<Arrived<'a>>>;

fn by_place<'a>(new: &[Arrived<'a>]) -> Groups<'a> {
    let mut groups: Groups<'a> = BTreeMap::new();
    for arrived in new {
        groups
            .entry(place(arrived.result))
            .or_default()
            .push(*arrived);
    }
    groups
}

/// What the rows say, where the fold has to know.
async fn read_rows(
    conn: &mut Conn,
    known: &Known,
    groups: &Groups<'_>,
    voided: &Voided,
) -> Result<BTreeMap<Place, RowsSay>, Failed> {
    let mut asked = Vec::new();
    for (place, arrived) in groups {
        let Some(health) = known.health.get(place) else {
            continue;
        };
        let Some(upto) = health.last_scheduled_at else {
            continue; // nothing is late, no streak has begun
        };
        let service = known.services.get(&place.0);
        let has_incident = service.is_some_and(|service| service.state.incident.is_some());
        if voided.contains_key(place) || needs_rows(health, has_incident, arrived) {
            asked.push(Asked {
                service_id: place.0,
                region: place.1.clone(),
                since: health.streak_since,
                upto,
            });
        }
    }
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let told = streaks(conn, &asked).await?;
    let told = told.into_iter().map(|row| {
        let place = (row.service_id, row.region.clone());
        (place, rows::told(row))
    });
    Ok(told.collect())
}
