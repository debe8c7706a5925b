//! Rollups: closed hours join their hour and their day, and windows are computed from both.
//!
//! Counts are added by the database; histograms are merged here, which is safe because whoever
//! touches a service's rollups holds its health rows.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use db::Conn;
use db::partitions::Keep;
use db::rollups::sums::{self as table, Span};
use db::rollups::void::{Voided, void as void_rows};
use models::Time;
use models::health::{ClosedHour, Sums};
use models::histogram::Histogram;
use models::sla::Checks;
use models::window::{Window, day_of};
use uuid::Uuid;

use crate::batch::{Failed, Place};
use crate::rows;

/// Adds closed hours to the rollups of their hours and days. One that was open all through a long
/// stop of the product may be older than what is kept: it has no partition to go to any more, and
/// must not stand in the way of what came after it.
pub(crate) async fn add(
    conn: &mut Conn,
    closed: &[(Place, ClosedHour)],
    now: Time,
) -> Result<(), Failed> {
    let keep = Keep::default();
    // A day less: a partition goes as soon as all of it is too old.
    let oldest = |days: u32| now - TimeDelta::days(i64::from(days) - 1);
    let (oldest_hour, oldest_day) = (oldest(keep.hourly), oldest(keep.daily));
    let mut hours: BTreeMap<Key<'_>, Sums> = BTreeMap::new();
    let mut days: BTreeMap<Key<'_>, Sums> = BTreeMap::new();
    for ((service_id, region), closed) in closed {
        let key = |at| (*service_id, region.as_str(), at);
        if closed.hour >= oldest_hour {
            let hour = hours.entry(key(closed.hour)).or_default();
            hour.merge(&closed.sums);
        }
        let day = day_of(closed.hour);
        if day >= oldest_day {
            days.entry(key(day)).or_default().merge(&closed.sums);
        }
    }
    add_to(conn, Span::Hour, &hours).await?;
    add_to(conn, Span::Day, &days).await
}

/// Failures of closed hours become inconclusive, each entry one, in their hours and days.
pub(crate) async fn void(conn: &mut Conn, voided: &[(Place, Time)]) -> Result<(), Failed> {
    if voided.is_empty() {
        return Ok(());
    }
    let by_hour = voided.iter().map(|(place, hour)| (place, *hour));
    void_rows(conn, Span::Hour, &counted(by_hour)).await?;
    let by_day = voided.iter().map(|(place, hour)| (place, day_of(*hour)));
    void_rows(conn, Span::Day, &counted(by_day)).await?;
    Ok(())
}

fn counted<'a>(voided: impl Iterator<Item = (&'a Place, Time)>) -> Vec<Voided> {
    let mut failures: BTreeMap<Key<'a>, i32> = BTreeMap::new();
    for ((service_id, region), at) in voided {
        let key = (*service_id, region.as_str(), at);
        *failures.entry(key).or_default() += 1;
    }
    let rows = failures.into_iter();
    rows.map(|((service_id, region, at), failures)| Voided {
        service_id,
        region: region.to_owned(),
        at,
        failures,
    })
    .collect()
}

/// Service, region and first moment.
type Key<'a> = (Uuid, &'a str, Time);

async fn add_to(
    conn: &mut Conn,
    span: Span,
    added: &BTreeMap<Key<'_>, Sums>,
) -> Result<(), Failed> {
    if added.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key<'_>> = added.keys().copied().collect();
    let mut merged: BTreeMap<(Uuid, String, Time), Histogram> = BTreeMap::new();
    for (service, region, at, bytes) in table::histograms(conn, span, &keys).await? {
        let histogram = rows::histogram(&bytes, service)?;
        merged.insert((service, region, at), histogram);
    }
    let mut new_rows = Vec::with_capacity(added.len());
    for (key, sums) in added {
        let (service, region, at) = *key;
        let stored = merged.remove(&(service, region.to_owned(), at));
        let mut histogram = stored.unwrap_or_default();
        histogram.merge(&sums.histogram);
        new_rows.push(rows::sum_row(*key, sums, &histogram));
    }
    table::add(conn, span, &new_rows).await?;
    Ok(())
}

/// The closed hours of both cached windows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Of the last 24 hours.
    pub(crate) day: Checks,
    /// Of the SLA window.
    pub(crate) sla: Sums,
}

/// Computes the windows of these services as of `now`. Hours that are not over yet are in them as
/// far as their rollups are: an open hour stands in the health row alone.
pub(crate) async fn windows(
    conn: &mut Conn,
    services: &[Uuid],
    sla_window: Window,
    now: Time,
) -> Result<BTreeMap<Uuid, Windows>, Failed> {
    let parts = sla_window.at(now);
    let [(early_from, early_to), (late_from, _)] = parts.edges;
    let day_from = Window::DAY.at(now).from();
    let since = late_from.min(day_from);
    let mut windows: BTreeMap<Uuid, Windows> = BTreeMap::new();
    for row in table::hours(conn, services, (early_from, early_to), since).await? {
        let window = windows.entry(row.service_id).or_default();
        let hour = row.at;
        let sums = rows::sums(&row)?;
        if hour >= day_from {
            window.day = window.day.plus(sums.checks);
        }
        if hour >= late_from || (hour >= early_from && hour < early_to) {
            window.sla.merge(&sums);
        }
    }
    for row in table::days(conn, services, parts.days).await? {
        let window = windows.entry(row.service_id).or_default();
        window.sla.merge(&rows::sums(&row)?);
    }
    Ok(windows)
}
