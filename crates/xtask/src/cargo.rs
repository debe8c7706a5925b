//! Running cargo.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::environment::{is_ci, variable};
use crate::process::once;

/// A cargo subcommand in the workspace. In CI the lock file must be up to date.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.arg(subcommand).current_dir(workspace());
    if is_ci() && subcommand != "fmt" {
        command.arg("--locked");
    }
    command
}

/// The workspace's folder: this crate's manifest stands two levels below it.
pub(crate) fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().and_then(Path::parent).unwrap_or(manifest)
}

/// A binary of a release build.
pub(crate) fn release_binary(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// A binary of a build for development.
pub(crate) fn debug_binary(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// Where cargo builds to: people move it by a variable or by a file, so cargo is asked, once.
pub(crate) fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        let mut metadata = cargo("metadata");
        metadata.args(["--no-deps", "--format-version", "1"]);
        let told = once::output(&mut metadata)
            .ok()
            .and_then(|text| target_in(&text));
        told.unwrap_or_else(|| workspace().join("target"))
    })
}

fn target_in(metadata: &str) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    Some(metadata.get("target_directory")?.as_str()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_it_builds_to() {
        let metadata = r#"{"packages":[],"target_directory":"/elsewhere"}"#;
        assert_eq!(target_in(metadata), Some("/elsewhere".into()));
        assert_eq!(target_in("{}"), None);
    }
}
