//! Places in lists: opaque to clients, bound by a MAC to the route, the tenant and the filter that they came from, and
//! good for a day.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use hmac::{Hmac, Mac as _};
use models::Time;
use models::id::UserId;
use runtime::Clock;
use runtime::env::KeyPair;
use sha2::Sha256;
use uuid::Uuid;

use crate::auth::derived_key;
use crate::error::Problem;

/// Half of the hash is far out of reach of guessing online.
const MAC_BYTES: usize = 16;
/// Time and id of the position, and the second in which it was sealed.
const BODY_BYTES: usize = 8 + 16 + 8;
/// For how long a cursor opens its list: nobody pages for longer, and a leaked one ends some time.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// What a cursor belongs to; with anything else it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Name of the route.
    pub(crate) route: &'static str,
    /// Whose list.
    pub(crate) user: UserId,
    /// Everything that selects rows: path ids and filters.
    pub(crate) filter: String,
}

/// The last row of a page: the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// What the list is sorted by, to the microsecond.
    pub(crate) at: Time,
    /// Decides between rows of one time.
    pub(crate) id: Uuid,
}

/// Seals and opens cursors.
#[derive(Clone)]
pub(crate) struct Cursors {
    clock: Clock,
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursors").finish_non_exhaustive()
    }
}

impl Cursors {
    /// Under keys derived from the signing keys.
    ///
    /// # Errors
    /// Never for keys of a [`KeyPair`].
    pub(crate) fn new(keys: &KeyPair, clock: Clock) -> anyhow::Result<Self> {
        let purpose = "list cursor v2";
        Ok(Self {
            clock,
            current: derived_key(&keys.current, purpose)?,
            previous: keys
                .previous
                .as_ref()
                .map(|key| derived_key(key, purpose))
                .transpose()?,
        })
    }

    /// The cursor of the page after `position`.
    #[must_use]
    pub(crate) fn seal(&self, scope: &Scope, position: Position) -> String {
        let mut bytes = position.at.timestamp_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(position.id.as_bytes());
        bytes.extend_from_slice(&self.clock.now().timestamp().to_be_bytes());
        let tag = mac(&self.current, scope, &bytes).finalize().into_bytes();
        bytes.extend(tag.iter().take(MAC_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position that a cursor of this very list names.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn open(&self, scope: &Scope, text: &str) -> Result<Position, Problem> {
        let refused = || Problem::malformed("The cursor does not belong to this list.");
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_not_base64| refused())?;
        let (body, tag) = bytes.split_at_checked(BODY_BYTES).ok_or_else(refused)?;
        let is_ours = tag.len() == MAC_BYTES
            && [Some(&self.current), self.previous.as_ref()]
                .into_iter()
                .flatten()
                .any(|key| mac(key, scope, body).verify_truncated_left(tag).is_ok());
        if !is_ours {
            return Err(refused());
        }
        let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes).ok();
        let (at, rest) = body.split_at_checked(8).ok_or_else(refused)?;
        let (id, sealed) = rest.split_at_checked(16).ok_or_else(refused)?;
        let (at, sealed) = number(at).zip(number(sealed)).ok_or_else(refused)?;
        if self.clock.now().timestamp().saturating_sub(sealed) > LIFE.num_seconds() {
            return Err(Problem::malformed(
                "The cursor has expired: begin at the first page.",
            ));
        }
        Ok(Position {
            at: DateTime::from_timestamp_micros(at).ok_or_else(refused)?,
            id: Uuid::from_slice(id).map_err(|_length| refused())?,
        })
    }
}

fn mac(key: &Hmac<Sha256>, scope: &Scope, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    // The lengths keep the parts apart.
    mac.update(format!("{}|{}|{}|", scope.route, scope.user, scope.filter.len()).as_bytes());
    mac.update(scope.filter.as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use runtime::ClockShift;

    use super::*;

    fn scope() -> Scope {
        Scope {
            route: "services",
            user: UserId(Uuid::nil()),
            filter: "status=up".to_owned(),
        }
    }

    fn cursors(key: &str, previous: Option<&str>) -> Cursors {
        at(key, previous, &ClockShift::new())
    }

    fn at(key: &str, previous: Option<&str>, shift: &ClockShift) -> Cursors {
        let keys = KeyPair {
            current: key.into(),
            previous: previous.map(Into::into),
        };
        Cursors::new(&keys, Clock::with_shift(shift.clone())).unwrap()
    }

    #[test]
    fn a_cursor_opens_only_the_list_it_came_from() {
        let position = Position {
            at: "2026-01-31T12:00:00.123456Z".parse().unwrap(),
            id: Uuid::now_v7(),
        };
        let sealed = cursors("one", None).seal(&scope(), position);
        assert_eq!(
            cursors("one", None).open(&scope(), &sealed).unwrap(),
            position
        );
        assert_eq!(
            cursors("two", Some("one")).open(&scope(), &sealed).unwrap(),
            position
        );
        assert!(cursors("two", None).open(&scope(), &sealed).is_err());
        for foreign in [
            Scope {
                route: "alerts",
                ..scope()
            },
            Scope {
                user: UserId(Uuid::now_v7()),
                ..scope()
            },
            Scope {
                filter: String::new(),
                ..scope()
            },
        ] {
            assert!(cursors("one", None).open(&foreign, &sealed).is_err());
        }
    }

    #[test]
    fn a_cursor_opens_for_a_day() {
        let shift = ClockShift::new();
        let cursors = at("one", None, &shift);
        let position = Position {
            at: Time::UNIX_EPOCH,
            id: Uuid::nil(),
        };
        let sealed = cursors.seal(&scope(), position);
        shift.advance(LIFE - TimeDelta::minutes(1));
        assert!(cursors.open(&scope(), &sealed).is_ok());
        shift.advance(TimeDelta::minutes(2));
        assert!(cursors.open(&scope(), &sealed).is_err());
    }

    #[test]
    fn a_tampered_cursor_is_refused() {
        let position = Position {
            at: Time::UNIX_EPOCH,
            id: Uuid::nil(),
        };
        let sealed = cursors("one", None).seal(&scope(), position);
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut tampered = bytes.clone();
            tampered[at] ^= 1;
            assert!(
                cursors("one", None)
                    .open(&scope(), &URL_SAFE_NO_PAD.encode(tampered))
                    .is_err()
            );
        }
        for garbage in ["", "a", "====", &sealed[1..], &format!("{sealed}AAAA")] {
            assert!(cursors("one", None).open(&scope(), garbage).is_err());
        }
    }
}
