//! Running cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::{is_ci, variable};

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

fn target() -> PathBuf {
    let configured: Option<OsString> = variable("CARGO_TARGET_DIR").map(Into::into);
    configured.map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}
