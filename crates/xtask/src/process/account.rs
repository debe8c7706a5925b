//! Another user's account, for a server that refuses to run as root.

use std::path::Path;

use anyhow::{Context, bail};

/// Numeric ids of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
}

impl Account {
    /// Looks the name up in `/etc/passwd`.
    pub(crate) fn find(name: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        parse(&text, name).with_context(|| format!("there is no user {name:?} in /etc/passwd"))
    }

    /// Gives a file or folder to this user.
    pub(crate) fn take(self, path: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to uid {}", path.display(), self.uid))
    }

    /// Fails with a clear text when this user cannot pass through one of the folder's parents.
    pub(crate) fn check_reach(self, folder: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::MetadataExt;
        for parent in folder.ancestors().skip(1).filter(|p| p.exists()) {
            let meta = parent.metadata()?;
            let needed = if meta.uid() == self.uid {
                0o100
            } else if meta.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & needed == 0 {
                bail!(
                    "PostgreSQL does not run as root, and the user it runs as cannot reach {}: {} is closed to it. \
                     Set PULSEMON_DATA to a folder elsewhere, for example /var/lib/pulsemon",
                    folder.display(),
                    parent.display()
                );
            }
        }
        Ok(())
    }
}

fn parse(passwd: &str, name: &str) -> Option<Account> {
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find_map(|fields| match fields.as_slice() {
            [user, _, uid, gid, ..] if *user == name => Some(Account {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            }),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_the_line_of_that_very_user() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:9:9::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(
            parse(passwd, "postgres"),
            Some(Account { uid: 101, gid: 104 })
        );
        assert_eq!(parse(passwd, "nobody"), None);
    }
}
