//! The dependency graph, as `cargo metadata` tells it for the platform we run on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How one package needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// To run, or to be built.
    Normal,
    /// For its tests only.
    Dev,
}

/// One package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) licence: String,
    /// Package ids.
    pub(crate) needs: BTreeSet<(String, Need)>,
}

/// All packages by id.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
    pub(crate) members: BTreeSet<String>,
}

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

impl Graph {
    /// Asks cargo; without the network if that is enough.
    pub(crate) fn load() -> Self {
        let host = host();
        let offline = metadata(&["--filter-platform", &host, "--offline"]);
        let metadata = offline.or_else(|_| metadata(&["--filter-platform", &host]));
        Self::from_metadata(&metadata.unwrap())
    }

    fn from_metadata(metadata: &Value) -> Self {
        let mut packages = BTreeMap::new();
        for package in array(metadata, "packages") {
            let found = Package {
                name: text(package, "name"),
                licence: package["license"].as_str().unwrap_or("none").to_owned(),
                needs: BTreeSet::new(),
            };
            packages.insert(text(package, "id"), found);
        }
        for node in array(&metadata["resolve"], "nodes") {
            let needs = array(node, "deps").iter().flat_map(|dep| {
                let id = text(dep, "pkg");
                array(dep, "dep_kinds").iter().map(move |kind| {
                    let need = if kind["kind"] == "dev" {
                        Need::Dev
                    } else {
                        Need::Normal
                    };
                    (id.clone(), need)
                })
            });
            let package = packages.get_mut(&text(node, "id")).unwrap();
            package.needs.extend(needs);
        }
        let members = array(metadata, "workspace_members")
            .iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        Self { packages, members }
    }

    /// Names of our crates.
    pub(crate) fn our_names(&self) -> BTreeSet<&str> {
        self.members.iter().map(|id| self.name(id)).collect()
    }

    /// What one of our crates names in its manifest.
    pub(crate) fn direct(&self, ours: &str, wanted: &[Need]) -> BTreeSet<&str> {
        let package = &self.packages[self.id_of(ours)];
        package
            .needs
            .iter()
            .filter(|(_, need)| wanted.contains(need))
            .map(|(id, _)| self.name(id))
            .collect()
    }

    /// Everything that one of our crates is built from, itself included.
    pub(crate) fn reach(&self, ours: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.id_of(ours)];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let needs = self.packages[id].needs.iter();
                open.extend(
                    needs
                        .filter(|(_, need)| *need == Need::Normal)
                        .map(|(id, _)| id.as_str()),
                );
            }
        }
        seen.into_iter().map(|id| self.name(id)).collect()
    }

    /// The shortest way from one of our crates to a package, to be shown when there should be none.
    pub(crate) fn way(&self, ours: &str, target: &str) -> String {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = std::collections::VecDeque::from([self.id_of(ours)]);
        while let Some(id) = open.pop_front() {
            if self.name(id) == target {
                let mut way = vec![self.name(id)];
                let mut at = id;
                while let Some(before) = came_from.get(at) {
                    way.push(self.name(before));
                    at = before;
                }
                way.reverse();
                return way.join(" -> ");
            }
            for (next, need) in &self.packages[id].needs {
                if *need == Need::Normal
                    && next != self.id_of(ours)
                    && !came_from.contains_key(next.as_str())
                {
                    came_from.insert(next.as_str(), id);
                    open.push_back(next);
                }
            }
        }
        format!("{ours} does not reach {target}")
    }

    fn name(&self, id: &str) -> &str {
        &self.packages[id].name
    }

    fn id_of(&self, ours: &str) -> &str {
        let found = self.members.iter().find(|id| self.name(id) == ours);
        found.unwrap_or_else(|| panic!("there is no crate {ours}"))
    }
}

fn metadata(args: &[&str]) -> Result<Value, String> {
    let out = cargo(&["metadata", "--format-version", "1"], args)?;
    serde_json::from_slice(&out).map_err(|e| e.to_string())
}

/// What cargo prints, or what it complains about.
pub(crate) fn cargo(command: &[&str], args: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(env!("CARGO"))
        .args(command)
        .args(args)
        .current_dir(workspace())
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.unwrap().to_owned()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
