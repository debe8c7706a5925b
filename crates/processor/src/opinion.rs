//! Second opinions: what confirms answer is read, weighed and voided, and what is in doubt is
//! asked for. The rule itself is `models::opinion`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use db::Conn;
use db::extra_probes::{self, ExtraProbe};
use db::results::doubt as table;
use db::results::doubt::Key;
use models::Time;
use models::evaluate::Arrived;
use models::opinion::{Doubted, Opinion};
use models::probe::{Outcome, ProbeKind, ProbeResult};
use uuid::Uuid;

use crate::batch::{Failed, Place, place};
use crate::fold::Known;
use crate::rows;

/// Failures that confirms answer.
pub(crate) type Failures = BTreeMap<Key, Doubted>;

/// Failures that were voided, by place.
pub(crate) type Voided = BTreeMap<Place, Vec<Doubted>>;

/// The failures that successful confirms answer. To be read before the results are inserted: only
/// what was there before can have been doubted.
pub(crate) async fn answered(
    conn: &mut Conn,
    present: &[&ProbeResult],
) -> Result<Failures, Failed> {
    let wanted: BTreeSet<Key> = present
        .iter()
        .filter(|result| result.kind == ProbeKind::Confirm && result.outcome == Outcome::Up)
        .filter_map(|result| key(result))
        .collect();
    if wanted.is_empty() {
        return Ok(Failures::new());
    }
    let wanted: Vec<Key> = wanted.into_iter().collect();
    let mut failures = Failures::new();
    for row in table::read(conn, &wanted).await? {
        let key = Key {
            service_id: row.service_id,
            scheduled_at: row.scheduled_at,
            region: row.region.clone(),
            kind: row.kind,
        };
        failures.extend(rows::doubted(row).map(|doubted| (key, doubted)));
    }
    Ok(failures)
}

/// The failure that a confirm answers.
fn key(confirm: &ProbeResult) -> Option<Key> {
    let answers = confirm.answers.as_ref()?;
    Some(Key {
        service_id: confirm.service_id.as_uuid(),
        scheduled_at: answers.scheduled_at,
        region: confirm.region.clone(),
        kind: answers.kind.code(),
    })
}

/// Weighs the confirms that are new, and voids what they disprove.
pub(crate) async fn weigh(
    conn: &mut Conn,
    known: &Known,
    mut failures: Failures,
    new: &[Arrived<'_>],
) -> Result<Voided, Failed> {
    let (mut keys, mut voided) = (Vec::new(), Voided::new());
    for confirm in new.iter().map(|arrived| arrived.result) {
        if confirm.kind != ProbeKind::Confirm {
            continue;
        }
        let Some(service) = known.services.get(&confirm.service_id.as_uuid()) else {
            continue;
        };
        let watched = &service.watched;
        let current = watched.is_active.then_some(watched.config_version);
        let key = key(confirm);
        let failure = key.as_ref().and_then(|key| failures.get_mut(key));
        let opinion = Opinion::of(confirm, failure.as_deref(), current, watched.timeout_ms);
        metrics::counter!("pulsemon_processor_opinions_total", "opinion" => opinion.as_str())
            .increment(1);
        if let (Opinion::Voids, Some(key), Some(failure)) = (opinion, key, failure) {
            voided
                .entry(place(confirm))
                .or_default()
                .push(failure.clone());
            failure.voided = true; // for a second confirm of the same batch
            keys.push(key);
        }
    }
    if !keys.is_empty() {
        table::void(conn, &keys).await?;
    }
    Ok(voided)
}

/// A failure to be looked at by another prober.
#[derive(Debug)]
pub(crate) struct Doubt {
    pub(crate) place: Place,
    pub(crate) failure: Doubted,
}

/// Asks for second opinions; the rows are dispatched when nudged, or within a second.
pub(crate) async fn ask(conn: &mut Conn, doubts: &[Doubt], now: Time) -> Result<(), Failed> {
    if doubts.is_empty() {
        return Ok(());
    }
    // Whole milliseconds, as the probe's id has them, and each its own.
    let first = DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now);
    let asked: Vec<ExtraProbe> = doubts
        .iter()
        .zip(0..)
        .map(|(doubt, n)| row(doubt, first + TimeDelta::milliseconds(n), now))
        .collect();
    extra_probes::insert(conn, &asked).await?;
    Ok(())
}

fn row(doubt: &Doubt, scheduled_at: Time, now: Time) -> ExtraProbe {
    let (service_id, region) = doubt.place.clone();
    ExtraProbe {
        service_id,
        region,
        kind: ProbeKind::Confirm.as_str().to_owned(),
        scheduled_at,
        config_version: doubt.failure.config_version,
        dispatch_at: now,
        avoid_prober: Some(doubt.failure.prober.clone()),
        answers: Some(serde_json::json!(doubt.failure.answers())),
        created_at: now,
    }
}

/// Whose schedulers are to be nudged.
pub(crate) fn services(doubts: &[Doubt]) -> Vec<Uuid> {
    let services: BTreeSet<Uuid> = doubts.iter().map(|doubt| doubt.place.0).collect();
    services.into_iter().collect()
}
