//! Whether the name servers are there at all, whatever they say about some tenant's name.

use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::time::Instant;

use crate::judge::{Target, TargetHost};
use crate::resolve::{ResolveError, Resolver, classify};

impl Resolver {
    /// Asks for the name servers of the root: every resolver knows them or can find them out, and the question costs
    /// it nothing while it remembers.
    ///
    /// # Errors
    /// [`ResolveError::Timeout`] after `deadline`; [`ResolveError::ServFail`] when they refuse or can't answer even
    /// this, [`ResolveError::Local`] when they can't be asked.
    pub async fn reach(&self, deadline: Instant) -> Result<(), ResolveError> {
        let question = self.dns.lookup(Name::root(), RecordType::NS);
        let answer = tokio::time::timeout_at(deadline, question)
            .await
            .map_err(|_elapsed| ResolveError::Timeout)?;
        match answer.map_err(|error| classify(&error)) {
            // Also a name server of some zone only, which knows nothing of the root, is one that answers.
            Ok(_) | Err(ResolveError::NxDomain | ResolveError::NoAddress) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the address of `target` comes from a name server: neither a literal nor a local name that this machine's
    /// hosts file knows.
    pub fn must_ask(&self, target: &Target) -> bool {
        let TargetHost::Name { name, is_local } = target.target_host() else {
            return false;
        };
        let is_known = || {
            Name::from_ascii(format!("{name}."))
                .is_ok_and(|name| !self.lookup_hosts(&name).is_empty())
        };
        !(*is_local && is_known())
    }
}
