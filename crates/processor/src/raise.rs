//! Alerts become rows, with a delivery for each channel, before anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use db::Conn;
use db::alerts::Alert;
use db::alerts::raise as table;
use db::deliveries::Delivery;
use models::Time;
use models::alert::{AlertFacts, AlertKind, AlertService, DeliveryStatus};
use models::evaluate::Raised;
use models::id::ServiceId;
use uuid::Uuid;

use crate::batch::Failed;
use crate::fold::Service;
use crate::worker::new_id;

/// The one channel so far.
const EMAIL: &str = "email";
/// Alerts travel apart from account mail.
const LANE: &str = "alert";

/// An alert, its service, and until when it is held.
#[derive(Debug)]
pub(crate) struct ToRaise<'a> {
    pub(crate) service: &'a Service,
    pub(crate) raised: Raised,
    pub(crate) held_until: Option<Time>,
}

/// Raises what nobody raised before; answers with the alerts that are to be sent now.
pub(crate) async fn raise(
    conn: &mut Conn,
    alerts: Vec<ToRaise<'_>>,
    now: Time,
) -> Result<Vec<Uuid>, Failed> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<Alert> = alerts
        .iter()
        .zip(0..)
        .map(|(alert, place)| alert_row(alert, now + TimeDelta::microseconds(place)))
        .collect();
    let new: BTreeSet<Uuid> = table::insert_new(conn, &rows).await?.into_iter().collect();
    rows.retain(|row| new.contains(&row.id));
    count(&rows);
    let users: BTreeSet<Uuid> = rows.iter().map(|row| row.user_id).collect();
    let users: Vec<Uuid> = users.into_iter().collect();
    let emails = table::recipients(conn, &users).await?.into_iter().collect();
    let is_recovery = |row: &Alert| row.alert_type == AlertKind::Recovery.as_str();
    let (recoveries, others): (Vec<Alert>, Vec<Alert>) = rows.into_iter().partition(is_recovery);
    let mut deliveries = Vec::with_capacity(others.len());
    for row in &others {
        deliveries.extend(delivery(row, &emails, now));
    }
    table::deliver(conn, &deliveries, now).await?;
    if !recoveries.is_empty() {
        let followers = followers(conn, &recoveries, now).await?;
        table::deliver(conn, &followers, now).await?;
    }
    let sent_now = others.iter().filter(|row| row.held_until.is_none());
    Ok(sent_now.chain(&recoveries).map(|row| row.id).collect())
}

/// Alerts of one transaction are a microsecond apart, so that they are listed in their order.
fn alert_row(alert: &ToRaise<'_>, now: Time) -> Alert {
    let (service, raised) = (alert.service, &alert.raised);
    let facts = AlertFacts {
        service: AlertService {
            id: service.watched.id,
            name: service.watched.name.clone(),
            url: service.watched.url.clone(),
        },
        event: raised.event.clone(),
    };
    Alert {
        id: new_id(now),
        service_id: ServiceId::as_uuid(service.watched.id),
        user_id: service.user_id,
        alert_type: raised.kind.as_str().to_owned(),
        dedupe_key: raised.dedupe_key.clone(),
        incident_id: raised.incident.map(|incident| incident.as_uuid()),
        message: raised.message.clone(),
        facts: serde_json::json!(facts),
        held_until: alert.held_until,
        created_at: now,
    }
}

/// The owner's address at this time; none if the account is gone.
fn delivery(alert: &Alert, emails: &BTreeMap<Uuid, String>, now: Time) -> Option<Delivery> {
    let status = match alert.held_until {
        Some(_) => DeliveryStatus::Held,
        None => DeliveryStatus::Pending,
    };
    let recipient = emails.get(&alert.user_id)?;
    Some(fresh(alert, EMAIL, recipient, status, now))
}

/// A recovery goes where its failure went, after it: one delivery for each of the failure's.
async fn followers(
    conn: &mut Conn,
    recoveries: &[Alert],
    now: Time,
) -> Result<Vec<Delivery>, Failed> {
    let services: Vec<Uuid> = recoveries.iter().map(|alert| alert.service_id).collect();
    let incidents: Vec<String> = recoveries
        .iter()
        .map(|alert| alert.dedupe_key.clone())
        .collect();
    let mut deliveries = Vec::with_capacity(recoveries.len());
    for (incident, failure, channel, recipient) in
        table::failures_told(conn, &services, &incidents).await?
    {
        let alert = recoveries
            .iter()
            .find(|alert| alert.incident_id == Some(incident));
        if let Some(alert) = alert {
            deliveries.push(Delivery {
                follows: Some(failure),
                ..fresh(alert, &channel, &recipient, DeliveryStatus::Pending, now)
            });
        }
    }
    Ok(deliveries)
}

fn fresh(
    alert: &Alert,
    channel: &str,
    recipient: &str,
    status: DeliveryStatus,
    now: Time,
) -> Delivery {
    Delivery {
        id: new_id(now),
        lane: LANE.to_owned(),
        alert_id: Some(alert.id),
        user_id: alert.user_id,
        service_id: Some(alert.service_id),
        channel: channel.to_owned(),
        recipient: recipient.to_owned(),
        status: status.as_str().to_owned(),
        follows: None,
        attempts: 0,
        first_attempt_at: None,
        next_attempt_at: now,
        fence: 0,
        lease_until: None,
        rendered: None,
        last_error: None,
        provider_id: None,
        created_at: now,
        sent_at: None,
    }
}

fn count(rows: &[Alert]) {
    for row in rows {
        let held = if row.held_until.is_some() {
            "yes"
        } else {
            "no"
        };
        let kind = row.alert_type.clone();
        metrics::counter!("pulsemon_processor_alerts_total", "type" => kind, "held" => held)
            .increment(1);
        tracing::info!(
            service.id = %row.service_id,
            alert.id = %row.id,
            held,
            "raised {}",
            row.alert_type
        );
    }
}
