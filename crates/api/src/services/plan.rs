//! What an edit means: a pure function of the service and the request.

use chrono::TimeDelta;
use db::services::{Service, ServiceChange};
use models::Time;
use models::id::ServiceId;
use models::interval::Interval;
use models::slot;

use super::fields::{Patch, refuse_long_timeout};
use crate::error::Problem;
use crate::input::Fields;

/// Whether an edit starts or stops probing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does neither.
    None,
    /// A paused service is resumed.
    Resume,
    /// An active service is paused.
    Pause,
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// The columns that change.
    pub(super) change: ServiceChange,
    /// The configuration of probes changes, or begins anew.
    pub(super) new_version: bool,
    /// Whether probing starts or stops.
    pub(super) turn: Turn,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.change == ServiceChange::default()
    }
}

/// Holds `patch` against `service`. What `fields` had noted already comes in the same answer.
///
/// # Errors
/// 422 with everything that is wrong.
pub(super) fn plan(service: &Service, patch: &Patch, mut fields: Fields) -> Result<Plan, Problem> {
    if patch.url.as_ref().is_some_and(|url| *url != service.url) {
        fields.refuse(
            "url",
            "can not be changed: delete the service and create another",
        );
    }
    refuse_timeout_that_does_not_fit(service, patch, &mut fields);
    fields.finish()?;

    let interval_ms = changed(
        patch.interval.map(|interval| column(interval.ms())),
        service.interval_ms,
    );
    let change = ServiceChange {
        name: changed(
            patch.name.as_ref().map(|name| name.as_str().to_owned()),
            service.name.clone(),
        ),
        interval_ms,
        phase_ms: interval_ms.map(|ms| {
            let ms = u32::try_from(ms).unwrap_or(1);
            column(slot::phase_ms(ServiceId(service.id), ms))
        }),
        timeout_ms: changed(
            patch.timeout_seconds.map(|s| i32::from(s) * 1000),
            service.timeout_ms,
        ),
        expected_status: changed(patch.expected_status, service.expected_status),
        sla_target: changed(
            patch
                .sla_target
                .and_then(|target| i16::try_from(target.hundredths()).ok()),
            service.sla_target,
        ),
        ssl_expiry_days: changed(patch.ssl_expiry_days, service.ssl_expiry_days),
        follow_redirects: changed(patch.follow_redirects, service.follow_redirects),
        is_active: changed(patch.is_active, service.is_active),
        ..ServiceChange::default()
    };
    let turn = match change.is_active {
        None => Turn::None,
        Some(true) => Turn::Resume,
        Some(false) => Turn::Pause,
    };
    let probes_differ = change.interval_ms.is_some()
        || change.timeout_ms.is_some()
        || change.expected_status.is_some()
        || change.follow_redirects.is_some();
    Ok(Plan {
        change,
        new_version: probes_differ || turn == Turn::Resume,
        turn,
    })
}

/// A probe may not outlast its interval, whichever of the two was given.
fn refuse_timeout_that_does_not_fit(service: &Service, patch: &Patch, fields: &mut Fields) {
    if patch.interval.is_none() && patch.timeout_seconds.is_none() {
        return;
    }
    let present = u32::try_from(service.interval_ms)
        .ok()
        .and_then(Interval::from_ms);
    let Some(interval) = patch.interval.or(present) else {
        return;
    };
    let timeout = patch
        .timeout_seconds
        .or_else(|| u8::try_from(service.timeout_ms / 1000).ok());
    if let Some(timeout) = timeout {
        refuse_long_timeout(fields, timeout, interval);
    }
}

/// When the `first` probe of a new configuration may go: at once, or when the time of the extra probe before it is
/// over. One that still waits is replaced, a millisecond later so that their ids differ.
pub(super) fn first_probe_at(before: Option<Time>, stamp: Time, min_interval_seconds: u32) -> Time {
    match before {
        None => stamp,
        Some(waiting) if waiting > stamp => waiting + TimeDelta::milliseconds(1),
        Some(sent) => stamp.max(sent + TimeDelta::seconds(i64::from(min_interval_seconds))),
    }
}

/// The new value, if it is one.
fn changed<T: PartialEq>(given: Option<T>, present: T) -> Option<T> {
    given.filter(|value| *value != present)
}

/// Intervals and phases are at most a day.
fn column(ms: u32) -> i32 {
    i32::try_from(ms).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
