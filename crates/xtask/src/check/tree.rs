//! The files that people write.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Folders that hold what tools make.
const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];

/// All files under a folder with this extension, in order.
pub(super) fn files(root: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = std::fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            // Links are not followed: they may lead in circles.
            if entry.file_type()?.is_dir() {
                let name = entry.file_name();
                if !NOT_OURS.iter().any(|skip| name == *skip) {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path as people write it.
pub(super) fn shown<'a>(root: &Path, path: &'a Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}
