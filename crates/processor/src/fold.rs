//! Hands what was read to the rules, and collects what they want written. No I/O but the reading
//! of [`Known`].

use std::collections::BTreeMap;

use db::Conn;
use models::Time;
use models::certificate::CertificateFacts;
use models::evaluate::{
    self, Case, Folded, Incident, Raised, Rules, SeenCertificate, State, Watched,
};
use models::health::{ClosedHour, Health, RowsSay, Sums};
use models::id::IncidentId;
use uuid::Uuid;

use crate::batch::{Failed, Groups, Place};
use crate::opinion::{Doubt, Voided};
use crate::pending::Pending;
use crate::rows;
use crate::worker::new_id;

/// A service and its state, as of the locks.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) user_id: Uuid,
    pub(crate) watched: Watched,
    pub(crate) state: State,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) services: BTreeMap<Uuid, Service>,
    pub(crate) health: BTreeMap<Place, Health>,
    pub(crate) certificates: BTreeMap<Uuid, SeenCertificate>,
}

impl Known {
    /// The services `ids` and their state; health rows and certificates are the caller's.
    pub(crate) async fn read(conn: &mut Conn, ids: &[Uuid]) -> Result<Self, Failed> {
        let mut known = Self::default();
        for row in db::services::watched::watched(conn, ids).await? {
            let service = Service {
                user_id: row.user_id,
                watched: rows::watched(&row)?,
                state: rows::state(&row)?,
            };
            known.services.insert(row.id, service);
        }
        Ok(known)
    }
}

/// What happens to the latencies of a cached window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Latencies {
    /// Closed hours join it.
    Add(Sums),
    /// It was computed anew.
    Replace(Sums),
}

/// A state to write.
#[derive(Debug)]
pub(crate) struct NewState {
    pub(crate) service_id: Uuid,
    pub(crate) state: State,
    pub(crate) latencies: Latencies,
}

/// An alert and whose it is.
#[derive(Debug)]
pub(crate) struct NewAlert {
    pub(crate) service_id: Uuid,
    pub(crate) raised: Raised,
}

/// All that has to be written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) health: Vec<Health>,
    pub(crate) closed: Vec<(Place, ClosedHour)>,
    pub(crate) states: Vec<NewState>,
    pub(crate) incidents: Vec<(Uuid, Incident)>,
    pub(crate) certificates: Vec<(Uuid, SeenCertificate, CertificateFacts)>,
    pub(crate) alerts: Vec<NewAlert>,
    /// Hours, one entry for each failure in their rollups that is voided.
    pub(crate) voided: Vec<(Place, Time)>,
    pub(crate) doubted: Vec<Doubt>,
    pub(crate) late: u64,
}

/// What the rows of a place tell beside its new results.
#[derive(Debug)]
pub(crate) struct Told {
    /// What second opinions have voided.
    pub(crate) voided: Voided,
    /// The streaks, where they have to be known.
    pub(crate) rows: BTreeMap<Place, RowsSay>,
    /// What is in doubt, where a breach may be told.
    pub(crate) in_doubt: Pending,
}

/// Folds each place's new results through the rules.
pub(crate) fn fold(
    known: &mut Known,
    groups: &Groups<'_>,
    mut told: Told,
    rules: &Rules,
    now: Time,
) -> Changes {
    let mut changes = Changes::default();
    for (place, arrived) in groups {
        let service_id = place.0;
        let health = known.health.remove(place);
        let (Some(health), Some(service)) = (health, known.services.get_mut(&service_id)) else {
            continue; // gone: its results were dropped
        };
        let before = service.state.clone();
        let case = Case {
            rules,
            service: &service.watched,
            state: before.clone(),
            health,
            voided: told.voided.remove(place).unwrap_or_default(),
            rows: told.rows.remove(place),
            in_doubt: told.in_doubt.remove(place).unwrap_or_default(),
            certificate: known.certificates.get(&service_id).cloned(),
            now,
        };
        let mut new_incident = || IncidentId(new_id(now));
        let folded = evaluate::evaluate(case, arrived, &mut new_incident);
        service.state = folded.state.clone();
        if let Some(incident) = &mut service.state.incident {
            incident.is_new = false; // for the next region of the same service
        }
        if let Some((seen, _)) = &folded.certificate {
            known.certificates.insert(service_id, seen.clone());
        }
        collect(&mut changes, place, &before, folded);
    }
    changes
}

fn collect(changes: &mut Changes, place: &Place, before: &State, folded: Folded) {
    let service_id = place.0;
    let is_flipped = differs(before, &folded.state) || !folded.alerts.is_empty();
    if is_flipped || !folded.window_added.is_empty() {
        changes.states.push(NewState {
            service_id,
            state: folded.state,
            latencies: Latencies::Add(folded.window_added),
        });
    }
    changes.health.push(folded.health);
    let closed = folded.closed.into_iter();
    changes
        .closed
        .extend(closed.map(|closed| (place.clone(), closed)));
    let incidents = folded.incidents.into_iter();
    changes
        .incidents
        .extend(incidents.map(|incident| (service_id, incident)));
    if let Some((seen, facts)) = folded.certificate {
        changes.certificates.push((service_id, seen, facts));
    }
    let alerts = folded.alerts.into_iter();
    changes
        .alerts
        .extend(alerts.map(|raised| NewAlert { service_id, raised }));
    let voided = folded.voided.into_iter();
    changes
        .voided
        .extend(voided.map(|hour| (place.clone(), hour)));
    let doubted = folded.doubted.into_iter().map(|failure| Doubt {
        place: place.clone(),
        failure,
    });
    changes.doubted.extend(doubted);
    changes.late += folded.late;
}

/// Whether the service's state row has to change.
fn differs(before: &State, after: &State) -> bool {
    let incident = |state: &State| state.incident.as_ref().map(|incident| incident.id);
    before.status != after.status
        || incident(before) != incident(after)
        || before.sla_breached != after.sla_breached
        || before.sla_breaches != after.sla_breaches
        || before.day != after.day
        || before.sla != after.sla
}
