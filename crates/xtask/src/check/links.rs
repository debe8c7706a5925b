//! A link from one document to a file of the repository leads somewhere.

use std::path::Path;

use anyhow::Context;

use super::tree;

/// Every link to a file that is not there.
pub(super) fn findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in tree::files(root, "md")? {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let folder = path.parent().unwrap_or(root);
        for (number, target) in links(&text) {
            let exists = match target.strip_prefix('/') {
                Some(from_root) => root.join(from_root).exists(),
                None => folder.join(target).exists(),
            };
            if !exists {
                let name = tree::shown(root, &path);
                found.push(format!("{name}:{number}: {target} does not exist"));
            }
        }
    }
    Ok(found)
}

/// Line numbers and targets of all links to files. Code is not looked at: it holds no links.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let outside_code = line.split('`').step_by(2);
        for piece in outside_code.flat_map(|part| part.split("](").skip(1)) {
            let target = piece.split([')', ' ', '#']).next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !elsewhere {
                found.push((index + 1, target));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found_and_others_left_alone() {
        let text = "See [a](docs/a.md#part) and [b](https://x.y/z), [c](#here).\n\
                    `[no](code.md)`\n```\n[no](block.md)\n```\n![d](/img/d.png \"title\")";
        assert_eq!(links(text), [(1, "docs/a.md"), (6, "/img/d.png")]);
    }
}
