//! What is in doubt while an SLA is judged: read only where a breach may be told. The rule itself is
//! `models::opinion`.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use db::Conn;
use db::results::doubt::{Recent, recent};
use models::Time;
use models::evaluate::{Rules, Watched, needs_doubts};
use models::health::Health;
use models::opinion::{Doubted, doubtful_since, in_doubt};
use models::probe::{Answers, ProbeKind};

use crate::batch::{Failed, Groups, Place};
use crate::fold::Known;
use crate::opinion::Voided;
use crate::rows;

/// No slot is further from the one before, unless the product stood still: a failure after so long
/// begins a streak.
const LONGEST_GAP: TimeDelta = TimeDelta::days(2);

/// The counted failures that are in doubt, by place.
pub(crate) type Pending = BTreeMap<Place, Vec<Answers>>;

/// What is in doubt where new results may tell a breach. To be read after they were inserted and
/// what confirms disprove was voided.
pub(crate) async fn after_results(
    conn: &mut Conn,
    known: &Known,
    groups: &Groups<'_>,
    voided: &Voided,
    (rules, now): (&Rules, Time),
) -> Result<Pending, Failed> {
    let mut asked = Vec::new();
    for (place, arrived) in groups {
        let (health, service) = (known.health.get(place), known.services.get(&place.0));
        let (Some(health), Some(service)) = (health, service) else {
            continue; // gone: its results were dropped
        };
        let voided = voided.get(place).map_or(&[][..], Vec::as_slice);
        let (state, open) = (&service.state, health.open.checks);
        if needs_doubts(state, open, &service.watched, rules, (voided, arrived)) {
            asked.push(question(health, &service.watched, now));
        }
    }
    read(conn, known, &asked, now).await
}

/// What is in doubt in these places.
pub(crate) async fn of_places(
    conn: &mut Conn,
    known: &Known,
    places: &[Health],
    now: Time,
) -> Result<Pending, Failed> {
    let asked: Vec<Recent> = places
        .iter()
        .filter_map(|health| {
            let service = known.services.get(&health.service_id.as_uuid())?;
            Some(question(health, &service.watched, now))
        })
        .collect();
    read(conn, known, &asked, now).await
}

fn question(health: &Health, service: &Watched, now: Time) -> Recent {
    let since = doubtful_since(service.timeout_ms, now).max(health.streak_since);
    Recent {
        service_id: health.service_id.as_uuid(),
        region: health.region.clone(),
        since,
        floor: (since - LONGEST_GAP).max(health.streak_since),
    }
}

async fn read(
    conn: &mut Conn,
    known: &Known,
    asked: &[Recent],
    now: Time,
) -> Result<Pending, Failed> {
    if asked.is_empty() {
        return Ok(Pending::new());
    }
    let mut rows: BTreeMap<Place, Vec<Doubted>> = BTreeMap::new();
    for row in recent(conn, asked, ProbeKind::Confirm.code()).await? {
        let place = (row.service_id, row.region.clone());
        rows.entry(place).or_default().extend(rows::doubted(row));
    }
    let pending = rows.into_iter().filter_map(|(place, rows)| {
        let service = &known.services.get(&place.0)?.watched;
        let current = service.is_active.then_some(service.config_version);
        Some((place, in_doubt(&rows, current, service.timeout_ms, now)))
    });
    Ok(pending.collect())
}
