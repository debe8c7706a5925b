//! Ids that cannot be mistaken for one another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The plain UUID, for a query or a message.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A tenant: one account.
    UserId
);
id!(
    /// One monitored endpoint.
    ServiceId
);
id!(
    /// One probe; derived from what it probes, see [`crate::probe::probe_id`].
    ProbeId
);
id!(
    /// One stretch of a service being down.
    IncidentId
);
id!(
    /// One thing worth telling the owner.
    AlertId
);
id!(
    /// One alert on its way to one recipient; the idempotency key towards providers.
    DeliveryId
);

impl ServiceId {
    /// The low 62 bits of the id: what phase and shard are computed from. Frozen by a golden test,
    /// because rows in the database depend on it.
    #[must_use]
    pub const fn hash62(self) -> u64 {
        let low = self.0.as_u64_pair().1;
        low & 0x3fff_ffff_ffff_ffff
    }
}
