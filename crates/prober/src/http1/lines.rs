//! Where the head of an HTTP/1 answer ends, followed line by line as its bytes come: each is looked at once, in however
//! small pieces a server sends them.

use memchr::memchr;

/// Blank lines that may come before a head. Some servers send one too many after what they sent before.
const MAX_BLANK_LINES: usize = 4;

/// How far the lines of a head were followed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Bytes that were looked at.
    looked_at: usize,
    line_begins: usize,
    lines: usize,
    blank_lines: usize,
}

/// What the lines so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Not yet a whole head.
    Part,
    /// A head, with its blank line: so many bytes, counted with what stands before it.
    Head(usize),
    /// A line that does not end with CR LF.
    BareLineFeed,
    TooManyBlankLines,
}

impl Lines {
    /// Whole lines so far that are not blank.
    pub(super) fn count(&self) -> usize {
        self.lines
    }

    /// Goes on where it ended the last time: `received` has all bytes since then and before.
    pub(super) fn follow(&mut self, received: &[u8]) -> Found {
        loop {
            let new = received.get(self.looked_at..).unwrap_or_default();
            let Some(at) = memchr(b'\n', new) else {
                self.looked_at = received.len();
                return Found::Part;
            };
            let end = self.looked_at + at + 1;
            let line = received.get(self.line_begins..end).unwrap_or_default();
            (self.looked_at, self.line_begins) = (end, end);
            match line {
                b"\r\n" if self.lines > 0 => return Found::Head(end),
                b"\r\n" if self.blank_lines == MAX_BLANK_LINES => return Found::TooManyBlankLines,
                b"\r\n" => self.blank_lines += 1,
                [.., b'\r', b'\n'] => self.lines += 1,
                _ => return Found::BareLineFeed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_blank_line_and_none_of_its_lines_with_a_bare_line_feed() {
        let found = |text: &str| Lines::default().follow(text.as_bytes());
        assert_eq!(found("HTTP/1.1 200 OK\r\nA: b\r\n"), Found::Part);
        assert_eq!(found("HTTP/1.1 200 OK\r\n\r\na\nb"), Found::Head(19));
        assert_eq!(found("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), Found::Head(23));
        for bare in [
            "HTTP/1.1 200 OK\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\n",
            "\r\n\r\nHTTP/1.1 200 OK\r\nA: b\n\r\n",
            "\n",
        ] {
            assert_eq!(found(bare), Found::BareLineFeed, "{bare:?}");
        }
        assert_eq!(found(&"\r\n".repeat(4)), Found::Part);
        assert_eq!(found(&"\r\n".repeat(5)), Found::TooManyBlankLines);
    }

    #[test]
    fn lines_that_come_byte_by_byte_are_the_same_lines() {
        let head = b"\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        let mut lines = Lines::default();
        for end in 0..head.len() {
            assert_eq!(lines.follow(&head[..end]), Found::Part, "{end}");
        }
        assert_eq!(lines.follow(head), Found::Head(head.len()));
        assert_eq!(lines.count(), 2);
    }
}
