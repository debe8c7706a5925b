//! The data folder: where it is, who holds it, what stands in it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::environment::{is_root, variable};

/// Test servers of one user that may run at the same time, say from several checkouts.
const TEST_FOLDERS: u32 = 16;

/// What `forget` removes: only what the launcher itself puts there, in case somebody points
/// `PULSEMON_DATA` at a folder that holds more.
const OURS: [&str; 9] = [
    "postgres", "rabbitmq", "outbox", "demo", "run", "logs", "ports", "secrets", "settings",
];

/// A data folder, held by this launcher until it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens and locks the folder of `cargo xtask up`.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let root = location()?;
        match Self::lock(&root)? {
            Some(folder) => Ok(folder),
            None => bail!(
                "another `cargo xtask up` runs on {}; stop it, or set PULSEMON_DATA to another folder",
                root.display()
            ),
        }
    }

    /// Opens and locks the first free folder for test servers, emptied.
    pub(crate) fn open_for_tests() -> anyhow::Result<Self> {
        let base = location()?;
        for n in 1..=TEST_FOLDERS {
            let name = if n == 1 {
                "test".to_owned()
            } else {
                format!("test-{n}")
            };
            if let Some(folder) = Self::lock(&base.join(name))? {
                return Ok(folder);
            }
        }
        bail!(
            "{TEST_FOLDERS} sets of test servers already run under {}",
            base.display()
        )
    }

    fn lock(root: &Path) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("make the data folder {}", root.display()))?;
        let path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("lock {}", path.display()));
            }
        }
        let folder = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        folder.make_dirs()?;
        Ok(Some(folder))
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Pid files.
    pub(crate) fn records(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Output of the servers.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The file of kept ports.
    pub(crate) fn ports(&self) -> PathBuf {
        self.root.join("ports")
    }

    /// The file of generated secrets.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// What the processes were started with, as a shell reads it.
    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("settings")
    }

    /// Forgets all data. Nothing that uses it may run.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        for name in OURS {
            let path = self.root.join(name);
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            match removed {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("remove {}", path.display()));
                }
                _ => {}
            }
        }
        self.make_dirs()
    }

    fn make_dirs(&self) -> anyhow::Result<()> {
        for dir in [self.records(), self.logs()] {
            std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        }
        Ok(())
    }
}

fn location() -> anyhow::Result<PathBuf> {
    let root = choose(
        variable("PULSEMON_DATA"),
        is_root(),
        variable("XDG_DATA_HOME"),
        variable("HOME"),
    )
    .context("neither PULSEMON_DATA nor HOME is set: where shall the data go?")?;
    let root = std::path::absolute(root)?;
    if root.to_string_lossy().contains(char::is_whitespace) {
        bail!(
            "the data folder {root:?} has a space in its name, and RabbitMQ's scripts cannot take that; set PULSEMON_DATA"
        );
    }
    Ok(root)
}

/// Root's home is closed to the user that `PostgreSQL` runs as, hence the other place.
fn choose(
    wanted: Option<String>,
    is_root: bool,
    xdg_data_home: Option<String>,
    home: Option<String>,
) -> Option<PathBuf> {
    if let Some(wanted) = wanted {
        return Some(wanted.into());
    }
    if is_root {
        return Some("/var/lib/pulsemon".into());
    }
    let base = xdg_data_home
        .map(PathBuf::from)
        .or_else(|| home.map(|home| Path::new(&home).join(".local/share")))?;
    Some(base.join("pulsemon"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_goes_where_the_user_says_else_into_the_users_own_place() {
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(choose(some("/d"), true, None, None), Some("/d".into()));
        assert_eq!(
            choose(None, true, some("/x"), some("/root")),
            Some("/var/lib/pulsemon".into())
        );
        assert_eq!(
            choose(None, false, some("/x"), some("/h")),
            Some("/x/pulsemon".into())
        );
        assert_eq!(
            choose(None, false, None, some("/h")),
            Some("/h/.local/share/pulsemon".into())
        );
        assert_eq!(choose(None, false, None, None), None);
    }

    #[test]
    fn a_folder_has_one_holder_and_forgetting_spares_what_is_not_ours() {
        let root = std::env::temp_dir().join(format!("xtask-folder-{}", std::process::id()));
        let folder = Folder::lock(&root).unwrap().unwrap();
        assert!(Folder::lock(&root).unwrap().is_none());
        std::fs::write(root.join("mine"), "x").unwrap();
        std::fs::write(folder.ports(), "x").unwrap();
        folder.forget().unwrap();
        assert!(root.join("mine").exists());
        assert!(!folder.ports().exists());
        drop(folder);
        assert!(Folder::lock(&root).unwrap().is_some());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
