//! The real programs, to be killed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// One running program. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    settings: HashMap<String, String>,
    child: Child,
}

impl Program {
    /// Starts `pulsemon-<name>` with these settings and no others.
    pub(crate) fn start(name: &'static str, settings: &HashMap<String, String>) -> Self {
        Self {
            name,
            settings: settings.clone(),
            child: spawn(name, settings),
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// Starts it again, as a supervisor would.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.name, &self.settings);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already is none the worse.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(name: &str, settings: &HashMap<String, String>) -> Child {
    let program = folder().join(format!("pulsemon-{name}"));
    Command::new(&program)
        .env_clear()
        .envs(settings)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `cargo build --workspace --bins` makes it",
                program.display()
            )
        })
}

/// Where cargo puts programs: beside the folder of this test's own.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<test>");
    profile.to_owned()
}
