//! The chunked transfer coding (RFC 9112, section 7.1), followed as its bytes come: only lengths are kept.

/// Extensions of all chunks, and lines behind the last one, together: no honest server comes near.
const MAX_ASIDE: usize = 16 * 1024;
/// A size of more hexadecimal digits is larger than anything that there is.
const MAX_SIZE_DIGITS: usize = 16;

/// Where in a chunked body the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// Of the chunk that is being read.
    left: u64,
    digits: usize,
    /// Bytes of all chunks.
    read: u64,
    /// Bytes beside sizes and chunks.
    aside: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// Blanks behind a size.
    AfterSize,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// The beginning of a line behind the last chunk.
    TrailerBegin,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
    End,
}

/// What became of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    End,
    Broken,
}

impl Chunks {
    /// Bytes of the chunks themselves so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Takes what came next.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Progress {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.state == State::Data {
                rest = self.skip_data(rest);
                continue;
            }
            match self.next(*byte) {
                Some(State::End) => {
                    self.state = State::End;
                    return Progress::End;
                }
                Some(state) => self.state = state,
                None => return Progress::Broken,
            }
            rest = after;
        }
        Progress::More
    }

    /// What stands behind the bytes of the chunk.
    fn skip_data<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (data, rest) = bytes.split_at(left.min(bytes.len()));
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(length);
        self.read = self.read.saturating_add(length);
        if self.left == 0 {
            self.state = State::DataReturn;
        }
        rest
    }

    /// The state behind one byte that is not data; `None` where it must not stand.
    fn next(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size, byte) if byte.is_ascii_hexdigit() => self.add_digit(byte),
            (State::Size, _) if self.digits == 0 => None,
            (State::Size | State::AfterSize, b' ' | b'\t') => self.beside(State::AfterSize),
            (State::Size | State::AfterSize, b';') => self.beside(State::Extension),
            (State::Size | State::AfterSize | State::Extension, b'\r') => Some(State::SizeLineFeed),
            (State::Extension | State::Trailer, b'\n') => None,
            (State::Extension, _) => self.beside(State::Extension),
            (State::SizeLineFeed, b'\n') => Some(self.after_size_line()),
            (State::DataReturn, b'\r') => Some(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Some(State::Size),
            (State::TrailerBegin, b'\r') => Some(State::LastLineFeed),
            (State::TrailerBegin, b'\n') => None,
            (State::Trailer, b'\r') => Some(State::TrailerLineFeed),
            (State::TrailerBegin | State::Trailer, _) => self.beside(State::Trailer),
            (State::TrailerLineFeed, b'\n') => Some(State::TrailerBegin),
            (State::LastLineFeed, b'\n') | (State::End, _) => Some(State::End),
            _ => None,
        }
    }

    fn add_digit(&mut self, digit: u8) -> Option<State> {
        let value = char::from(digit).to_digit(16)?;
        self.digits += 1;
        if self.digits > MAX_SIZE_DIGITS {
            return None;
        }
        self.left = self.left.checked_mul(16)?.checked_add(value.into())?;
        Some(State::Size)
    }

    fn after_size_line(&mut self) -> State {
        self.digits = 0;
        match self.left {
            0 => State::TrailerBegin,
            _ => State::Data,
        }
    }

    fn beside(&mut self, state: State) -> Option<State> {
        self.aside += 1;
        (self.aside <= MAX_ASIDE).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body, whole and byte by byte, and how much of it is data.
    fn taken(body: &[u8]) -> (Progress, u64) {
        let mut whole = Chunks::default();
        let progress = (whole.take(body), whole.read());
        let mut slow = Chunks::default();
        let mut last = Progress::More;
        for byte in body {
            last = slow.take(&[*byte]);
            if last != Progress::More {
                break;
            }
        }
        assert_eq!((last, slow.read()), progress, "byte by byte");
        progress
    }

    #[test]
    fn chunks_are_counted_up_to_the_last() {
        use Progress::{End, More};
        assert_eq!(taken(b"5\r\nhello\r\n0\r\n\r\n"), (End, 5));
        assert_eq!(taken(b"A \t\r\n0123456789\r\n0\r\n\r\n"), (End, 10));
        assert_eq!(
            taken(b"1;name=value\r\na\r\n000\r\nA: b\r\nC: d\r\n\r\n"),
            (End, 1)
        );
        assert_eq!(taken(b"0\r\n\r\nand more"), (End, 0));
        assert_eq!(taken(b"5\r\nhel"), (More, 3));
        assert_eq!(taken(b"5\r\nhello\r\n0\r\n"), (More, 5));
        assert_eq!(taken(b"fFfFfFfFfFfFfFfF\r\nx"), (More, 1));
    }

    #[test]
    fn what_is_not_chunked_is_broken() {
        for body in [
            b"zz\r\n".as_slice(),
            b"\r\n",
            b";x\r\n",
            b" 5\r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n",
            b"5 5\r\n",
            b"5\rX",
            b"1;a\nb\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\n",
            b"0\r\n\rX",
            b"00000000000000001\r\n",
            b"-1\r\n",
        ] {
            let said = String::from_utf8_lossy(body);
            assert_eq!(taken(body).0, Progress::Broken, "{said:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_have_a_bound() {
        let extension = [b"1;".as_slice(), &vec![b'x'; MAX_ASIDE], b"\r\n"].concat();
        assert_eq!(taken(&extension).0, Progress::Broken);
        let many = b"1;x\r\na\r\n".repeat(MAX_ASIDE / 2 + 1);
        assert_eq!(taken(&many).0, Progress::Broken);
        let trailers = [b"0\r\n".as_slice(), &b"A: b\r\n".repeat(MAX_ASIDE / 4 + 1)].concat();
        assert_eq!(taken(&trailers).0, Progress::Broken);
    }
}
