//! A file holds one idea, a function one screen.

use std::path::Path;

use anyhow::Context;

use super::tree;

/// Production lines of a file: those before its first top-level `#[cfg(test)]`.
const FILE_LINES: usize = 400;

/// Lines of code in a function, without blank lines and comments.
const FUNCTION_LINES: usize = 60;

/// Written by a program.
const GENERATED: [&str; 1] = ["crates/db/src/schema.rs"];

/// Every file and function that is too long.
pub(super) fn findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in tree::files(&root.join("crates"), "rs")? {
        let relative = path.strip_prefix(root).unwrap_or(&path);
        if !is_production(relative) || GENERATED.iter().any(|g| relative == Path::new(g)) {
            continue;
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let name = tree::shown(root, &path).to_string();
        found.extend(judge(&name, &text));
    }
    Ok(found)
}

/// Below `src`, and neither a `tests.rs` nor in the folder of one.
fn is_production(path: &Path) -> bool {
    let has = |part: &str| path.iter().any(|name| name == part);
    has("src") && !has("tests") && !path.ends_with("tests.rs")
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let production: Vec<_> = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .collect();
    let mut found = Vec::new();
    if production.len() > FILE_LINES {
        found.push(format!(
            "{name}: {} production lines, {FILE_LINES} is the limit: split it by idea",
            production.len()
        ));
    }
    for (index, line) in production.iter().enumerate() {
        let Some(function) = function_name(line) else {
            continue;
        };
        let lines = body_lines(production.get(index..).unwrap_or_default());
        if lines > FUNCTION_LINES {
            found.push(format!(
                "{name}:{}: fn {function} has {lines} lines, {FUNCTION_LINES} is the limit",
                index + 1
            ));
        }
    }
    found
}

/// The function that begins on this line. rustfmt puts each on a line of its own.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let begins = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "async" | "const" | "extern" | "\"C\"") || word.starts_with("pub(")
    });
    let name = after.split(['(', '<']).next()?;
    begins.then_some(name)
}

/// Lines of code from the signature to the brace that closes it, at the signature's own indent.
fn body_lines(lines: &[&str]) -> usize {
    let Some(first) = lines.first() else { return 0 };
    let indent = first.len() - first.trim_start().len();
    let closes = |line: &str| {
        let own = line.len() - line.trim_start().len();
        own == indent && (line.trim_start().starts_with('}') || line.ends_with(';'))
    };
    if first.ends_with(';') || first.ends_with('}') {
        return 1;
    }
    let to_end = lines.iter().position(|line| closes(line)).unwrap_or(0);
    lines
        .iter()
        .take(to_end + 1)
        .map(|line| line.trim_start())
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        let body = "    step();\n".repeat(lines - 2);
        format!("pub(crate) async fn long<T>() {{\n    // why\n\n{body}}}\n")
    }

    #[test]
    fn a_function_over_the_limit_is_named_and_one_at_the_limit_is_not() {
        assert!(judge("f.rs", &function(FUNCTION_LINES)).is_empty());
        let found = judge("f.rs", &function(FUNCTION_LINES + 1));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("f.rs:1: fn long has 61 lines"),
            "{found:?}"
        );
    }

    #[test]
    fn tests_are_as_long_as_they_are_wherever_they_lie() {
        for (path, is_judged) in [
            ("crates/guard/src/judge.rs", true),
            ("crates/guard/src/tests.rs", false),
            ("crates/guard/src/tests/urls.rs", false),
            ("crates/api/tests/it/limits.rs", false),
        ] {
            assert_eq!(is_production(Path::new(path)), is_judged, "{path}");
        }
    }

    #[test]
    fn only_production_lines_count_for_a_file() {
        let short = "// line\n".repeat(FILE_LINES);
        let tests = format!("{short}#[cfg(test)]\nmod tests {{\n{}", "//\n".repeat(500));
        assert!(judge("f.rs", &tests).is_empty());
        assert_eq!(judge("f.rs", &format!("{short}// one more\n")).len(), 1);
    }

    #[test]
    fn a_signature_without_a_body_ends_on_its_line() {
        let lines = ["    fn name(&self) -> String;", "}"];
        assert_eq!(function_name(lines[0]), Some("name"));
        assert_eq!(body_lines(&lines), 1);
        assert_eq!(function_name("    let x = make_fn (1);"), None);
    }
}
