//! Files in a folder, one a mail: where mail goes on a machine that knows no mail server.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use models::id::DeliveryId;
use tokio::io::AsyncWriteExt as _;

use super::{Attempt, bounded};
use crate::letter::Letter;

/// An existing folder.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) async fn open(folder: &Path) -> anyhow::Result<Self> {
        tokio::fs::create_dir_all(folder)
            .await
            .with_context(|| format!("make the outbox folder {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(super) async fn send(&self, id: DeliveryId, letter: &Letter) -> Attempt {
        let message = match letter.mime(id) {
            Ok(message) => message.formatted(),
            Err(error) => {
                return Attempt::Refused {
                    error: bounded(error.to_string()),
                    alarm: false,
                };
            }
        };
        let path = self.folder.join(format!("{id}.eml"));
        match self.write(id, &path, &message).await {
            Ok(()) => {
                tracing::info!(
                    delivery.id = %id,
                    mail.subject = %letter.subject,
                    mail.file = %path.display(),
                    "no mail server is configured: the mail is in the outbox"
                );
                Attempt::Accepted { provider_id: None }
            }
            Err(error) => Attempt::Deferred {
                error: bounded(format!("write to the outbox: {error}")),
                retry_after: None,
                alarm: true,
            },
        }
    }

    /// By way of a rename: a reader sees a whole mail or none, and a repeat overwrites. Its name
    /// begins with a dot until then.
    async fn write(&self, id: DeliveryId, path: &Path, message: &[u8]) -> std::io::Result<()> {
        let unfinished = self.folder.join(format!(".{id}.{}", std::process::id()));
        let mut file = tokio::fs::File::create(&unfinished).await?;
        file.write_all(message).await?;
        file.sync_all().await?;
        drop(file);
        tokio::fs::rename(&unfinished, path).await
    }
}
