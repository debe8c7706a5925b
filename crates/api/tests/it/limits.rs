//! How often anybody may ask, over all processes.

mod clients;
mod mails;
mod passwords;
mod tenants;

use std::sync::Arc;

use crate::app::{Answer, TestApp};

const TOO_MANY: &str = "too-many-requests";

impl TestApp {
    /// Another process with these settings on the same database.
    async fn sibling(&self, settings: &[(&str, &str)]) -> Self {
        Self::on(Arc::clone(&self.db), settings).await
    }
}

fn number(answer: &Answer, header: &str) -> u64 {
    answer
        .header(header)
        .parse()
        .unwrap_or_else(|_| panic!("{header}: {:?}", answer.headers))
}
