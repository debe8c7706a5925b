//! What is in doubt at a moment, told by the rows: a confirm's row does not say what it answers,
//! but it is asked for when its failure is stored, so time says it.

use super::{Doubted, PATIENCE};
use crate::Time;
use crate::probe::{Answers, Outcome, ProbeKind};
use crate::slot::MAX_START_DELAY;
use chrono::TimeDelta;

/// No row due before this can be in doubt at `now`.
#[must_use]
pub fn doubtful_since(timeout_ms: u32, now: Time) -> Time {
    now - TimeDelta::milliseconds(timeout_ms.into()) - PATIENCE - MAX_START_DELAY
}

/// The counted failures that a second opinion may still void at `now`, in the order of `rows`.
///
/// `rows` are those of one service and region since [`doubtful_since`] that move state or are
/// confirms, and the newest older one that says whether a streak was running then, ordered by
/// (`scheduled_at`, kind). A failure that begins a streak is in doubt until its confirm is there,
/// whatever it says, or none can void it any more; so is all of the streak with it, for what a
/// void failure leaves is doubted in turn. `current` is the service's present configuration, `None`
/// while it is paused.
#[must_use]
pub fn in_doubt(
    rows: &[Doubted],
    current: Option<i32>,
    timeout_ms: u32,
    now: Time,
) -> Vec<Answers> {
    let answered = answered(rows);
    let mut in_doubt = Vec::new();
    // Whether the streak's first failure is in doubt; `None` between streaks.
    let mut is_doubtful = None;
    for row in rows.iter().filter(|row| is_decisive(row)) {
        if row.outcome == Outcome::Up {
            is_doubtful = None;
            continue;
        }
        let is_first_open =
            || row.is_open(current, timeout_ms, now) && !answered.contains(&row.answers());
        if *is_doubtful.get_or_insert_with(is_first_open) && row.counted {
            in_doubt.push(row.answers());
        }
    }
    in_doubt
}

/// Whether the row has a place in a streak.
fn is_decisive(row: &Doubted) -> bool {
    row.kind != ProbeKind::Confirm
        && row.moves_state
        && !row.voided
        && row.outcome != Outcome::Inconclusive
}

/// The failures that confirms have answered. Each answers one that was due before it was asked for:
/// void ones first, which were answered by a success, then the newest that began a streak.
fn answered(rows: &[Doubted]) -> Vec<Answers> {
    let mut confirms: Vec<&Doubted> = rows
        .iter()
        .filter(|row| row.kind == ProbeKind::Confirm)
        .collect();
    for void in rows.iter().filter(|row| row.voided) {
        let voids = |confirm: &&Doubted| {
            confirm.outcome == Outcome::Up && confirm.scheduled_at >= void.scheduled_at
        };
        if let Some(place) = confirms.iter().position(voids) {
            confirms.remove(place);
        }
    }
    let mut waiting = beginnings(rows);
    let mut answered = Vec::new();
    for confirm in confirms {
        let was_asked = |first: &&Doubted| first.scheduled_at <= confirm.scheduled_at;
        if let Some(place) = waiting.iter().rposition(was_asked) {
            answered.push(waiting.remove(place).answers());
        }
    }
    answered
}

/// The failures that streaks begin with.
fn beginnings(rows: &[Doubted]) -> Vec<&Doubted> {
    let mut was_up = true;
    let mut beginnings = Vec::new();
    for row in rows.iter().filter(|row| is_decisive(row)) {
        let is_up = row.outcome == Outcome::Up;
        if was_up && !is_up {
            beginnings.push(row);
        }
        was_up = is_up;
    }
    beginnings
}

#[cfg(test)]
mod tests;
