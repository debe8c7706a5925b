//! How the bus is, for `/readyz`.

/// One connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStatus {
    /// Nobody asked for it (a process that only publishes never opens a consuming connection).
    Unused,
    /// It works.
    Connected,
    /// The broker takes no messages for now (memory or disk alarm); the text is its reason.
    Blocked(String),
    /// It is being dialled again; the text says why it is away, without credentials.
    Disconnected(String),
}

/// Both connections of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusStatus {
    /// Where messages are published.
    pub publishing: LinkStatus,
    /// Where messages are consumed.
    pub consuming: LinkStatus,
}

impl BusStatus {
    /// `None` when all that is used works, else what does not, for an operator.
    pub fn trouble(&self) -> Option<String> {
        let links = [
            ("publishing", &self.publishing),
            ("consuming", &self.consuming),
        ];
        links.into_iter().find_map(|(name, link)| match link {
            LinkStatus::Unused | LinkStatus::Connected => None,
            LinkStatus::Blocked(reason) => Some(format!("{name}: blocked by the broker: {reason}")),
            LinkStatus::Disconnected(reason) => Some(format!("{name}: {reason}")),
        })
    }

    /// Whether all that is used works.
    pub fn is_ready(&self) -> bool {
        self.trouble().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_nobody_uses_is_no_trouble_and_a_blocked_one_is() {
        let mut status = BusStatus {
            publishing: LinkStatus::Connected,
            consuming: LinkStatus::Unused,
        };
        assert!(status.is_ready());
        status.publishing = LinkStatus::Blocked("low on memory".into());
        assert!(status.trouble().unwrap().contains("low on memory"));
        status.publishing = LinkStatus::Connected;
        status.consuming = LinkStatus::Disconnected("connection refused".into());
        assert!(status.trouble().unwrap().starts_with("consuming"));
    }
}
