//! How much of an HTTP/1 body has come, and whether that was all of it. What it says is nobody's business.

use super::chunks::{Chunks, Progress};
use super::head::BodyEnds;

/// A body that is read.
#[derive(Debug)]
pub(super) struct Body {
    ends: Ends,
    read: u64,
}

#[derive(Debug)]
enum Ends {
    AfterBytes(u64),
    AfterChunks(Chunks),
    WithConnection,
}

/// Its chunks are not as they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadChunks;

impl Body {
    pub(super) fn new(ends: BodyEnds) -> Self {
        let ends = match ends {
            BodyEnds::AfterBytes(length) => Ends::AfterBytes(length),
            BodyEnds::AfterChunks => Ends::AfterChunks(Chunks::default()),
            BodyEnds::WithConnection => Ends::WithConnection,
        };
        Self { ends, read: 0 }
    }

    /// Bytes of the body itself so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Whether it is whole when the connection ends here.
    pub(super) fn may_end(&self) -> bool {
        matches!(self.ends, Ends::WithConnection)
    }

    /// Takes what came next; whether that was the end.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<bool, BadChunks> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match &mut self.ends {
            Ends::AfterBytes(all) => {
                self.read = self.read.saturating_add(length).min(*all);
                Ok(self.read == *all)
            }
            Ends::WithConnection => {
                self.read = self.read.saturating_add(length);
                Ok(false)
            }
            Ends::AfterChunks(chunks) => {
                let progress = chunks.take(bytes);
                self.read = chunks.read();
                match progress {
                    Progress::More => Ok(false),
                    Progress::End => Ok(true),
                    Progress::Broken => Err(BadChunks),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_known_length_ends_after_it_and_one_without_never_by_itself() {
        let mut known = Body::new(BodyEnds::AfterBytes(5));
        assert_eq!(known.take(b"abc"), Ok(false));
        assert_eq!(known.take(b"defgh"), Ok(true));
        assert_eq!((known.read(), known.may_end()), (5, false));
        assert_eq!(Body::new(BodyEnds::AfterBytes(0)).take(b""), Ok(true));
        let mut open = Body::new(BodyEnds::WithConnection);
        assert_eq!(open.take(b"abc"), Ok(false));
        assert_eq!((open.read(), open.may_end()), (3, true));
    }
}
