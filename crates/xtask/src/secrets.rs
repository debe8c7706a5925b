//! Generated secrets: made once, kept in the data folder with mode 600, never printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Bytes of randomness in one secret; written as twice as many hex digits.
const SECRET_BYTES: usize = 32;

/// The secrets of one data folder.
#[derive(Debug)]
pub(crate) struct Secrets {
    path: PathBuf,
    known: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads the file, if there is one.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        };
        let known = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            known,
        })
    }

    /// The secret of that name; a new one is made and kept when there is none.
    pub(crate) fn secret(&mut self, name: &str) -> anyhow::Result<String> {
        if let Some(value) = self.known.get(name) {
            return Ok(value.clone());
        }
        let value = random_hex(SECRET_BYTES)?;
        self.known.insert(name.to_owned(), value.clone());
        self.save()?;
        Ok(value)
    }

    fn save(&self) -> anyhow::Result<()> {
        let mut text = String::new();
        for (name, value) in &self.known {
            writeln!(text, "{name}={value}")?;
        }
        write_private(&self.path, &text)
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}

/// Random hex digits from the kernel.
pub(crate) fn random_hex(bytes: usize) -> anyhow::Result<String> {
    let mut raw = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut raw))
        .context("read /dev/urandom")?;
    let mut hex = String::with_capacity(bytes * 2);
    for byte in raw {
        write!(hex, "{byte:02x}")?;
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let dir = std::env::temp_dir().join(format!("xtask-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("secrets");
        let first = Secrets::load(&path).unwrap().secret("JWT_SECRET").unwrap();
        let again = Secrets::load(&path).unwrap().secret("JWT_SECRET").unwrap();
        let other = Secrets::load(&path).unwrap().secret("SECRETS_KEY").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(first.len(), 2 * SECRET_BYTES);
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(mode & 0o777, 0o600);
    }
}
