//! Follows the frames of an HTTP/2 connection (RFC 9113, section 4.1), because the library that reads them tells a probe
//! little more than that something went wrong.

use super::hpack::Lists;

/// Length, type, flags and stream.
const HEAD_BYTES: usize = 9;
/// As much of a payload as holds an error's code.
const CODE_BYTES: usize = 8;
/// The largest frame that we allow, which is what every client allows that says nothing else.
const MAX_FRAME_BYTES: usize = 16 * 1024;
/// The bytes of one header block from which on it is too large, compressed as it is; and those of the list that it
/// stands for.
const MAX_BLOCK_BYTES: usize = 16 * 1024;
/// The bytes of all lists of one connection from which on they are too large: interim answers may come without end, and
/// each byte of theirs can stand for a hundred in memory.
const MAX_LISTS_BYTES: usize = 64 * 1024;
/// The library takes no header block that comes in more frames than this after the first.
const MAX_CONTINUATIONS: usize = 5;
/// The first and only request of a connection.
const OUR_STREAM: u32 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;
/// Bytes of a priority, before a header block.
const PRIORITY_BYTES: usize = 5;

/// What came so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FramesSeen {
    /// Payloads of all header frames.
    pub(crate) header_bytes: usize,
    /// One header block was larger than 16 KiB.
    pub(crate) large_block: bool,
    /// One header block stood for more than 16 KiB of headers.
    pub(crate) large_list: bool,
    /// All header blocks together stood for more than 64 KiB of headers.
    pub(crate) large_lists: bool,
    /// One header block came in more than six frames.
    pub(crate) long_block: bool,
    /// The code of the last GOAWAY.
    pub(crate) go_away: Option<u32>,
    /// The code of the `RST_STREAM` that ended our request.
    pub(crate) reset: Option<u32>,
    /// The answer has ended, as the server says.
    pub(crate) ended: bool,
    /// It does not begin as HTTP/2 begins, or has a frame that is larger than allowed.
    pub(crate) not_http2: bool,
}

impl FramesSeen {
    /// Headers are too large: whatever comes behind them is not to be read any more.
    pub(crate) fn is_too_large(&self) -> bool {
        self.large_block || self.large_list || self.large_lists
    }
}

/// Reads pieces of any size; keeps no payload but an error's code, and a header block until it is whole.
#[derive(Debug, Default)]
pub(super) struct Frames {
    seen: FramesSeen,
    head: Vec<u8>,
    kind: u8,
    flags: u8,
    stream: u32,
    /// Bytes of the payload that are still to come.
    left: usize,
    /// The payload's beginning.
    code: Vec<u8>,
    /// The payload of a header frame.
    fragment: Vec<u8>,
    /// Its block so far, unless that is too large anyway.
    block: Vec<u8>,
    block_bytes: usize,
    lists: Lists,
    lists_bytes: usize,
    continuations: usize,
    any_frame: bool,
}

impl Frames {
    pub(super) fn seen(&self) -> FramesSeen {
        self.seen
    }

    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.seen.not_http2 {
            if self.head.len() < HEAD_BYTES {
                bytes = fill(&mut self.head, HEAD_BYTES, bytes);
                self.begin();
            } else {
                bytes = self.payload(bytes);
            }
            if self.head.len() == HEAD_BYTES && self.left == 0 {
                self.end();
            }
        }
    }

    /// Once a head is complete.
    fn begin(&mut self) {
        let [a, b, c, kind, flags, stream @ ..] = self.head.as_slice() else {
            return;
        };
        let Ok(stream) = <[u8; 4]>::try_from(stream) else {
            return; // more of the head is to come
        };
        self.left = [a, b, c]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(**byte));
        (self.kind, self.flags) = (*kind, *flags);
        self.stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        let is_first = !std::mem::replace(&mut self.any_frame, true);
        self.seen.not_http2 = self.left > MAX_FRAME_BYTES || (is_first && self.kind != SETTINGS);
        match self.kind {
            HEADERS => {
                self.block.clear();
                (self.block_bytes, self.continuations) = (0, 0);
            }
            CONTINUATION => self.continuations = self.continuations.saturating_add(1),
            _ => {}
        }
        self.seen.long_block |= self.continuations > MAX_CONTINUATIONS;
    }

    fn payload<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at_checked(self.left).unwrap_or((bytes, &[]));
        self.left = self.left.saturating_sub(now.len());
        fill(&mut self.code, CODE_BYTES, now);
        if matches!(self.kind, HEADERS | CONTINUATION) {
            self.seen.header_bytes = self.seen.header_bytes.saturating_add(now.len());
            self.block_bytes = self.block_bytes.saturating_add(now.len());
            self.seen.large_block |= self.block_bytes > MAX_BLOCK_BYTES;
            if !self.seen.large_block {
                self.fragment.extend_from_slice(now);
            }
        }
        later
    }

    fn end(&mut self) {
        let code = |from: usize| {
            let digits = self.code.get(from..)?.first_chunk()?;
            Some(u32::from_be_bytes(*digits))
        };
        let is_last = matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0;
        self.seen.ended |= is_last && self.stream == OUR_STREAM;
        match (self.kind, self.stream) {
            (RST_STREAM, OUR_STREAM) => self.seen.reset = code(0).or(self.seen.reset),
            (GOAWAY, 0) => self.seen.go_away = code(4).or(self.seen.go_away),
            (HEADERS | CONTINUATION, _) => self.end_fragment(),
            _ => {}
        }
        self.head.clear();
        self.code.clear();
    }

    /// Once the payload of a header frame is complete.
    fn end_fragment(&mut self) {
        let fragment = match self.kind {
            HEADERS => without_frills(&self.fragment, self.flags),
            _ => self.fragment.as_slice(),
        };
        self.block.extend_from_slice(fragment);
        self.fragment.clear();
        if self.flags & END_HEADERS == 0 {
            return;
        }
        if !self.seen.large_block {
            let list = self.lists.bytes_of(&self.block).unwrap_or(0);
            self.lists_bytes = self.lists_bytes.saturating_add(list);
            self.seen.large_list |= list > MAX_BLOCK_BYTES;
            self.seen.large_lists |= self.lists_bytes > MAX_LISTS_BYTES;
        }
        self.block.clear();
        (self.block_bytes, self.continuations) = (0, 0);
    }
}

/// What the payload of HEADERS holds of a block: neither its padding nor its priority (RFC 9113, section 6.2).
fn without_frills(payload: &[u8], flags: u8) -> &[u8] {
    let (padding, rest) = match payload.split_first() {
        Some((padding, rest)) if flags & PADDED != 0 => (usize::from(*padding), rest),
        _ => (0, payload),
    };
    let end = rest.len().saturating_sub(padding);
    let begin = if flags & PRIORITY == 0 {
        0
    } else {
        PRIORITY_BYTES
    };
    rest.get(begin..end).unwrap_or_default()
}

/// Moves bytes over until `kept` has `length`; returns what is left.
fn fill<'a>(kept: &mut Vec<u8>, length: usize, bytes: &'a [u8]) -> &'a [u8] {
    let missing = length.saturating_sub(kept.len());
    let (now, later) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
    kept.extend_from_slice(now);
    later
}

/// The name of an error's code (RFC 9113, section 7).
pub(crate) fn code_name(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| format!("code {code}"), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [
            length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
        ];
        [&head, payload].concat()
    }

    /// However it is cut into pieces.
    fn seen(frames: &[Vec<u8>]) -> FramesSeen {
        let bytes = frames.concat();
        let by = |piece: usize| {
            let mut frames = Frames::default();
            bytes.chunks(piece).for_each(|piece| frames.read(piece));
            frames.seen()
        };
        let whole = by(bytes.len());
        for piece in [1, 2, 8, 9, 10, 1000] {
            assert_eq!(by(piece), whole, "in pieces of {piece}");
        }
        whole
    }

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        let settings = frame(SETTINGS, 0, 0, &[0; 6]);
        let mut expected = FramesSeen::default();
        assert_eq!(seen(&vec![settings.clone(); 40]), expected);
        let away = frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2, b'x']);
        expected.go_away = Some(2);
        assert_eq!(seen(&[settings.clone(), away.clone()]), expected);
        let reset = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 7]);
        assert_eq!(seen(&[settings.clone(), away.clone(), reset(3)]), expected);
        expected.reset = Some(7);
        assert_eq!(seen(&[settings.clone(), away, reset(1)]), expected);
        let text = seen(&[b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]);
        assert!(text.not_http2);
        assert!(seen(&[frame(6, 0, 0, &[0; 8])]).not_http2, "no settings");
    }

    #[test]
    fn header_blocks_are_measured_each_by_itself() {
        let settings = frame(SETTINGS, 0, 0, &[]);
        let whole = frame(HEADERS, END_HEADERS, 1, &[0; 10_000]);
        let small = seen(&[settings.clone(), whole.clone(), whole]);
        assert!(!small.large_block && small.header_bytes == 20_000);
        let begun = frame(HEADERS, 0, 1, &[0; 10_000]);
        let more = |flags| frame(CONTINUATION, flags, 1, &[0; 7_000]);
        assert!(seen(&[settings.clone(), begun.clone(), more(0)]).large_block);
        let piece = frame(CONTINUATION, 0, 1, &[0]);
        let pieces = |count| {
            [
                vec![settings.clone(), begun.clone()],
                vec![piece.clone(); count],
            ]
        };
        assert!(!seen(&pieces(5).concat()).long_block);
        assert!(seen(&pieces(6).concat()).long_block);
    }

    #[test]
    fn a_short_block_that_stands_for_a_long_list_is_seen_however_it_is_dressed() {
        let settings = frame(SETTINGS, 0, 0, &[]);
        // A field of 1000 bytes that goes into the table, and the same again so often.
        let long = [&[0x40, 1, b'x', 0x7f, 0xe8, 0x06][..], &[b'y'; 999]].concat();
        let block = |again: usize| [long.clone(), vec![0xbe; again]].concat();
        let dressed = |block: &[u8]| [&[3, 0, 0, 0, 0, 0], block, &[0; 3]].concat();
        let all = END_HEADERS | PADDED | PRIORITY;
        for (again, is_large) in [(14, false), (15, true)] {
            let plain = frame(HEADERS, END_HEADERS, 1, &block(again));
            let padded = frame(HEADERS, all, 1, &dressed(&block(again)));
            let (one, other) = (
                frame(HEADERS, 0, 1, &block(again)[..7]),
                block(again).split_off(7),
            );
            let cut = [one, frame(CONTINUATION, END_HEADERS, 1, &other)].concat();
            for headers in [plain, padded, cut] {
                let seen = seen(&[settings.clone(), headers]);
                assert_eq!((seen.large_list, seen.large_block), (is_large, false));
            }
        }
        // What one block put into the table, the next one may name.
        let first = frame(HEADERS, END_HEADERS, 1, &long);
        let next = |again| frame(HEADERS, END_HEADERS, 1, &vec![0xbe; again]);
        assert!(seen(&[settings.clone(), first.clone(), next(16)]).large_list);
        // Many that are small enough: 63 fields and one are 66 000 bytes.
        for (count, is_large) in [(8, false), (9, true)] {
            let all = [vec![settings.clone(), first.clone()], vec![next(7); count]].concat();
            let seen = seen(&all);
            assert_eq!((seen.large_lists, seen.large_list), (is_large, false));
        }
    }

    #[test]
    fn the_end_of_our_answer_is_seen_and_that_of_another_is_not() {
        let settings = frame(SETTINGS, 0, 0, &[]);
        let ended = |frames: Vec<u8>| seen(&[settings.clone(), frames]).ended;
        assert!(ended(frame(DATA, END_STREAM, 1, b"all")));
        assert!(ended(frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x88])));
        assert!(!ended(frame(DATA, 0, 1, b"half")));
        assert!(!ended(frame(DATA, END_STREAM, 3, b"all")));
        assert!(!ended(frame(6, END_STREAM, 0, &[0; 8])), "an answered PING");
    }

    #[test]
    fn codes_have_their_names() {
        assert_eq!(code_name(0), "NO_ERROR");
        assert_eq!(code_name(13), "HTTP_1_1_REQUIRED");
        assert_eq!(code_name(99), "code 99");
    }
}
