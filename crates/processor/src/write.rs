//! Writes what the rules decided: one statement a table, tables in the lock order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use db::Conn;
use db::incidents::Incident as IncidentRow;
use db::service_state::fold::{Locked, Written};
use models::Time;
use models::alert::EndReason;
use models::certificate::CertificateFacts;
use models::cooldown::Stamps;
use models::evaluate::{Incident, SeenCertificate};
use models::health::Sums;
use uuid::Uuid;

use crate::batch::Failed;
use crate::fold::{Changes, Known, Latencies, NewAlert, NewState};
use crate::opinion;
use crate::raise::{self, ToRaise};
use crate::rollup;
use crate::rows::{self, Corrupt};

/// Writes all changes; answers with the alerts that are to be sent now.
pub(crate) async fn write(
    conn: &mut Conn,
    known: &Known,
    changes: Changes,
    cooldown: TimeDelta,
    now: Time,
) -> Result<Vec<Uuid>, Failed> {
    if !changes.health.is_empty() {
        let rows: Vec<_> = changes.health.iter().map(rows::health_row).collect();
        db::health::fold::write(conn, &rows).await?;
    }
    rollup::add(conn, &changes.closed, now).await?;
    rollup::void(conn, &changes.voided).await?;
    opinion::ask(conn, &changes.doubted, now).await?;
    let held_until = write_states(conn, changes.states, &changes.alerts, cooldown, now).await?;
    write_incidents(conn, known, &changes.incidents).await?;
    if !changes.certificates.is_empty() {
        write_certificates(conn, &changes.certificates).await?;
    }
    let alerts = changes.alerts.into_iter().zip(held_until);
    let alerts = alerts.filter_map(|(alert, held_until)| {
        let service = known.services.get(&alert.service_id)?;
        Some(ToRaise {
            service,
            raised: alert.raised,
            held_until,
        })
    });
    raise::raise(conn, alerts.collect(), now).await
}

/// Writes the states that flipped. Whether an alert is held is decided here, under the lock of its
/// service's state: answers with the end of each alert's hold.
async fn write_states(
    conn: &mut Conn,
    states: Vec<NewState>,
    alerts: &[NewAlert],
    cooldown: TimeDelta,
    now: Time,
) -> Result<Vec<Option<Time>>, Failed> {
    if states.is_empty() {
        return Ok(vec![None; alerts.len()]);
    }
    // The last state of a service is the one after all of its regions.
    let mut newest: BTreeMap<Uuid, (NewState, Sums)> = BTreeMap::new();
    for new in states {
        let mut added = match newest.remove(&new.service_id) {
            Some((_, added)) => added,
            None => Sums::default(),
        };
        if let Latencies::Add(sums) = &new.latencies {
            added.merge(sums);
        }
        newest.insert(new.service_id, (new, added));
    }
    let ids: Vec<Uuid> = newest.keys().copied().collect();
    let mut locked: BTreeMap<Uuid, Locked> = BTreeMap::new();
    for row in db::service_state::fold::lock(conn, &ids).await? {
        locked.insert(row.service_id, row);
    }
    let mut held_until = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let Some(row) = locked.get_mut(&alert.service_id) else {
            held_until.push(None);
            continue;
        };
        let mut stamps = Stamps {
            failure_alerted_at: row.failure_alerted_at,
            sla_alerted_at: row.sla_alerted_at,
        };
        held_until.push(stamps.raise(alert.raised.kind, now, cooldown));
        row.failure_alerted_at = stamps.failure_alerted_at;
        row.sla_alerted_at = stamps.sla_alerted_at;
    }
    let mut rows = Vec::with_capacity(newest.len());
    for (service_id, (new, added)) in newest {
        if let Some(locked) = locked.remove(&service_id) {
            rows.push(state_row(&new, &added, locked)?);
        }
    }
    db::service_state::fold::write(conn, &rows).await?;
    Ok(held_until)
}

fn state_row(new: &NewState, added: &Sums, locked: Locked) -> Result<Written, Corrupt> {
    let (latency_sum_us, histogram) = match &new.latencies {
        Latencies::Replace(sums) => (sums.latency_sum_us, sums.histogram.to_bytes()),
        Latencies::Add(_) if added.is_empty() => {
            let sum = rows::count(locked.sla_latency_sum_us);
            (sum, locked.sla_histogram)
        }
        Latencies::Add(_) => {
            let mut histogram = rows::histogram(&locked.sla_histogram, locked.service_id)?;
            histogram.merge(&added.histogram);
            let sum = rows::count(locked.sla_latency_sum_us);
            (
                sum.saturating_add(added.latency_sum_us),
                histogram.to_bytes(),
            )
        }
    };
    let state = &new.state;
    Ok(Written {
        service_id: locked.service_id,
        status: state.status.as_str().to_owned(),
        incident_id: state
            .incident
            .as_ref()
            .map(|incident| incident.id.as_uuid()),
        sla_breached: state.sla_breached,
        sla_breaches: rows::small(state.sla_breaches.into()),
        failure_alerted_at: locked.failure_alerted_at,
        sla_alerted_at: locked.sla_alerted_at,
        day_judged: rows::large(state.day.judged),
        day_failed: rows::large(state.day.failed),
        day_excluded: rows::large(state.day.excluded),
        day_excluded_failed: rows::large(state.day.excluded_failed),
        sla_judged: rows::large(state.sla.judged),
        sla_failed: rows::large(state.sla.failed),
        sla_inconclusive: rows::large(state.sla.inconclusive),
        sla_excluded: rows::large(state.sla.excluded),
        sla_excluded_failed: rows::large(state.sla.excluded_failed),
        sla_latency_sum_us: rows::large(latency_sum_us),
        sla_histogram: histogram,
    })
}

/// Those that end make room before new ones open: a service has one open incident at most.
async fn write_incidents(
    conn: &mut Conn,
    known: &Known,
    incidents: &[(Uuid, Incident)],
) -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    let (mut opened, mut changed) = (Vec::new(), Vec::new());
    // Newest word first: a second region may have prolonged what the first opened.
    for (service_id, incident) in incidents.iter().rev() {
        if !seen.insert(incident.id) {
            continue;
        }
        let Some(service) = known.services.get(service_id) else {
            continue;
        };
        let is_new = incidents
            .iter()
            .any(|(_, other)| other.id == incident.id && other.is_new);
        let row = incident_row(*service_id, service.user_id, incident);
        let rows = if is_new { &mut opened } else { &mut changed };
        rows.push(row);
    }
    if !changed.is_empty() {
        db::incidents::fold::change(conn, &changed).await?;
    }
    if !opened.is_empty() {
        db::incidents::fold::open(conn, &opened).await?;
    }
    Ok(())
}

fn incident_row(service_id: Uuid, user_id: Uuid, incident: &Incident) -> IncidentRow {
    let end_reason = incident.ended_at.map(|_| EndReason::Recovered);
    IncidentRow {
        id: incident.id.as_uuid(),
        service_id,
        user_id,
        started_at: incident.started_at,
        ended_at: incident.ended_at,
        end_reason: end_reason.map(|reason| reason.as_str().to_owned()),
        cause: incident.cause.as_str().to_owned(),
        cause_message: incident.cause_message.clone(),
        failed_checks: rows::small(incident.failed_checks.into()),
        last_failure_at: incident.last_failure_at,
    }
}

async fn write_certificates(
    conn: &mut Conn,
    certificates: &[(Uuid, SeenCertificate, CertificateFacts)],
) -> Result<(), Failed> {
    // One row a service: the newest word.
    let newest: BTreeMap<Uuid, _> = certificates
        .iter()
        .map(|(service_id, seen, facts)| (*service_id, (seen, facts)))
        .collect();
    let (mut rows, mut all_facts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (service_id, (seen, facts)) in newest {
        rows.push(rows::certificate_row(service_id, seen));
        all_facts.push(serde_json::json!(facts));
        ends.push(facts.not_after);
    }
    db::certificates::fold::keep(conn, &rows, &all_facts, &ends).await?;
    Ok(())
}
