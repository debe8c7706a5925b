//! Schemas of single values that many answers share.

use std::borrow::Cow;

use models::alert::{AlertKind, DeliveryStatus, EndReason};
use models::audit::AuditEvent;
use models::interval::Interval;
use models::probe::{ErrorClass, ErrorKind, Outcome, ProbeKind};
use models::service::Status;
use models::window::Window;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::KeyScope;

/// A component for a value that is text or a number in our structs and has a form of its own in the document.
macro_rules! value {
    ($name:ident, $title:literal, $schema:expr) => {
        #[doc = concat!("`", $title, "` in the document.")]
        #[derive(Debug)]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($title)
            }
        }
    };
}

value!(
    Timestamp,
    "Timestamp",
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("date-time".to_owned())))
        .pattern(Some(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"))
        .description(Some("RFC 3339 in UTC with milliseconds."))
        .examples(["2026-01-31T12:00:00.000Z"])
        .build()
);
value!(
    Percentage,
    "Percentage",
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(100))
        .description(Some(
            "At most two decimals, rounded down and never up: 99.996 is 99.99."
        ))
        .examples([99.99])
        .build()
);
value!(
    Milliseconds,
    "Milliseconds",
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .description(Some("A duration with at most one decimal."))
        .examples([12.3])
        .build()
);
value!(
    StatusName,
    "Status",
    one_of(
        Status::ALL.into_iter().map(Status::as_str),
        "`unknown`: no result yet. `up`: the last result was good. `failing`: the last result failed, the streak is \
         under the threshold. `down`: an incident is open. `paused`: not probed."
    )
);
value!(
    IntervalName,
    "Interval",
    one_of(
        Interval::ALL.into_iter().map(Interval::as_str),
        "How often a service is probed. An installation may refuse the shortest (`MIN_INTERVAL_SECONDS`, 10 s unless \
         set); the problem then lists what it allows."
    )
);
value!(
    WindowName,
    "Window",
    one_of(
        Window::NAMED.into_iter().map(|named| named.0),
        "A rolling window: whole UTC hours and the open one; over 30 days whole UTC days."
    )
);
value!(
    ProbeKindName,
    "ProbeKind",
    one_of(
        ProbeKind::ALL.into_iter().map(ProbeKind::as_str),
        "Why it was probed. Only `slot`, the schedule, counts in sums and SLA."
    )
);
value!(
    OutcomeName,
    "Outcome",
    one_of(
        [Outcome::Up, Outcome::Down, Outcome::Inconclusive]
            .into_iter()
            .map(Outcome::as_str),
        "`inconclusive`: we can not say, so it counts neither way."
    )
);
value!(
    ErrorKindName,
    "ErrorKind",
    one_of(
        ErrorKind::ALL.iter().map(|kind| kind.as_str()),
        "What went wrong, precisely. More kinds may come."
    )
);
value!(
    ErrorClassName,
    "ErrorClass",
    one_of(classes().into_iter(), "What went wrong, in short.")
);
value!(
    AlertKindName,
    "AlertType",
    one_of(
        AlertKind::ALL.iter().map(|kind| kind.as_str()),
        "What the owner is told about."
    )
);
value!(
    DeliveryStatusName,
    "AlertStatus",
    one_of(
        DeliveryStatus::ALL
            .iter()
            .filter(|status| **status != DeliveryStatus::Sending)
            .map(|status| status.as_str()),
        "The worst unfinished of its deliveries, else `sent` if any was sent, else `failed`, else `suppressed`."
    )
);
value!(
    EndReasonName,
    "EndReason",
    one_of(
        EndReason::ALL.iter().map(|reason| reason.as_str()),
        "Why an incident ended."
    )
);

value!(
    KeyScopeName,
    "KeyScope",
    one_of(
        KeyScope::ALL.into_iter().map(KeyScope::as_str),
        "`read` opens what shows, `write` that and what changes."
    )
);

value!(
    AuditEventName,
    "AuditEvent",
    one_of(
        AuditEvent::ALL.iter().map(|event| event.as_str()),
        "A security event. More kinds may come."
    )
);

fn classes() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for kind in ErrorKind::ALL {
        let class: ErrorClass = kind.class();
        if !names.contains(&class.as_str()) {
            names.push(class.as_str());
        }
    }
    names
}

fn one_of(names: impl Iterator<Item = &'static str>, about: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names.collect::<Vec<_>>()))
        .description(Some(about))
        .build()
        .into()
}
