//! The little markup that descriptions use: paragraphs, `**bold**` and backticks.

/// Escapes everything that HTML reads as its own.
#[must_use]
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// One run of text as HTML.
#[must_use]
pub(super) fn inline(text: &str) -> String {
    let coded = paired(&escaped(text), "`", "code");
    paired(&coded, "**", "strong")
}

/// Blank lines part paragraphs.
#[must_use]
pub(super) fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| format!("<p>{}</p>", inline(part)))
        .collect()
}

/// Every second part between `mark`s becomes a `tag`; an odd one stays as it is.
fn paired(text: &str, mark: &str, tag: &str) -> String {
    let parts: Vec<&str> = text.split(mark).collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (index, part) in parts.iter().enumerate() {
        if !index.is_multiple_of(2) {
            out.push_str(&format!("<{tag}>{part}</{tag}>"));
        } else {
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_ours_and_everything_else_is_text() {
        assert_eq!(
            inline("a `b<c` **d**"),
            "a <code>b&lt;c</code> <strong>d</strong>"
        );
        assert_eq!(inline("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(inline("an odd ` stays"), "an odd ` stays");
        assert_eq!(paragraphs("a\n\nb\nc\n\n"), "<p>a</p><p>b\nc</p>");
    }
}
