//! The output of a program: its last lines for a report, and all of it on the console.

mod readable;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use self::readable::readable;
use crate::say;

/// Lines kept for the report of a death: enough for a panic or a list of bad settings.
const TAIL_LINES: usize = 20;

/// A longer line is cut in two: no program may grow our memory.
const LINE_BYTES: u64 = 64 * 1024;

/// Names are padded to this width, so that lines stand in one column.
const NAME_WIDTH: usize = 10;

/// The last lines of one program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Tail {
    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines kept, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

/// The last lines of a log file.
pub(crate) fn tail_of_file(path: &Path) -> Vec<String> {
    let tail = Tail::default();
    if let Ok(file) = std::fs::File::open(path) {
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            tail.push(line);
        }
    }
    tail.lines()
}

/// Copies a pipe to the console, line by line, until the program closes it.
pub(crate) fn follow(
    name: &str,
    pipe: impl Read + Send + 'static,
    tail: &Tail,
) -> std::io::Result<JoinHandle<()>> {
    let prefix = prefix(name, std::io::stdout().is_terminal());
    let tail = tail.clone();
    std::thread::Builder::new()
        .name(format!("log-{name}"))
        .spawn(move || {
            for_each_line(pipe, LINE_BYTES, |line| {
                let line = readable(line);
                say::result(format_args!("{prefix}{line}"));
                tail.push(line.into_owned());
            });
        })
}

/// Every line until the pipe is closed; one that is longer than `limit` bytes comes in pieces.
fn for_each_line(pipe: impl Read, limit: u64, mut each: impl FnMut(&str)) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => each(String::from_utf8_lossy(&line).trim_end()),
        }
    }
}

/// `name | `, in a colour of its own on a terminal.
fn prefix(name: &str, coloured: bool) -> String {
    // The six plain colours that are legible on light and dark grounds alike.
    let colour = 31 + name.bytes().map(u32::from).sum::<u32>() % 6;
    if coloured {
        format!("\u{1b}[{colour}m{name:<NAME_WIDTH$}|\u{1b}[0m ")
    } else {
        format!("{name:<NAME_WIDTH$}| ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_newest_lines_in_order() {
        let tail = Tail::default();
        for n in 0..TAIL_LINES + 2 {
            tail.push(n.to_string());
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines.first().map(String::as_str), Some("2"));
        assert_eq!(lines.last().map(String::as_str), Some("21"));
    }

    #[test]
    fn lines_stand_in_one_column_and_colour_needs_a_terminal() {
        assert_eq!(prefix("api", false), "api       | ");
        assert!(prefix("api", true).starts_with("\u{1b}["));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_and_long_lines_come_in_pieces() {
        let mut lines = Vec::new();
        for_each_line("one\nlonger\nend".as_bytes(), 4, |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(lines, ["one", "long", "er", "end"]);
    }
}
