//! How large the list of headers is that a compressed block stands for (HPACK, RFC 7541). The library that unpacks it
//! refuses one that is too large as it refuses one that is malformed, so its size is worked out beside it: only lengths
//! are followed, and nothing is unpacked.

use std::collections::VecDeque;

/// What the table of a connection holds, as nobody asked for another size (RFC 9113, section 6.5.2).
const TABLE_BYTES: usize = 4096;
/// Counted for each field beside its name and value (RFC 7541, section 4.1).
const EACH_BYTES: usize = 32;

/// Names and values that need not be sent (RFC 7541, appendix A).
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// How many codes of Huffman's have how many bits (RFC 7541, appendix B). The codes of one length follow one another,
/// and the longer ones come behind the shorter.
#[rustfmt::skip]
const CODES: [(u32, u32); 21] = [
    (5, 10), (6, 26), (7, 32), (8, 6), (10, 5), (11, 3), (12, 2), (13, 6), (14, 2), (15, 3), (19, 3), (20, 8), (21, 13),
    (22, 26), (23, 29), (24, 12), (25, 4), (26, 15), (27, 19), (28, 29), (30, 4),
];

/// The lengths of one connection's table.
#[derive(Debug)]
pub(super) struct Lists {
    /// The newest first.
    table: VecDeque<Field>,
    table_bytes: usize,
    most_bytes: usize,
}

/// Bytes of a name and its value.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: usize,
    value: usize,
}

impl Field {
    fn bytes(self) -> usize {
        self.name
            .saturating_add(self.value)
            .saturating_add(EACH_BYTES)
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            table_bytes: 0,
            most_bytes: TABLE_BYTES,
        }
    }
}

impl Lists {
    /// Bytes of the list that the next block stands for; `None` of what is no such block.
    pub(super) fn bytes_of(&mut self, block: &[u8]) -> Option<usize> {
        let (mut sum, mut rest) = (0_usize, block);
        while let Some(first) = rest.first().copied() {
            let (field, after) = if first & 0x80 != 0 {
                let (index, after) = number(rest, 7)?;
                (Some(self.field(index)?), after)
            } else if first & 0x40 != 0 {
                let (field, after) = self.literal(rest, 6)?;
                self.insert(field);
                (Some(field), after)
            } else if first & 0x20 != 0 {
                let (most, after) = number(rest, 5)?;
                self.most_bytes = Some(most).filter(|most| *most <= TABLE_BYTES)?;
                self.make_room(0);
                (None, after)
            } else {
                let (field, after) = self.literal(rest, 4)?;
                (Some(field), after)
            };
            sum = sum.saturating_add(field.map_or(0, Field::bytes));
            rest = after;
        }
        Some(sum)
    }

    /// One that is written out; its name may be an index.
    fn literal<'a>(&self, bytes: &'a [u8], prefix: u32) -> Option<(Field, &'a [u8])> {
        let (index, rest) = number(bytes, prefix)?;
        let (name, rest) = match index {
            0 => text(rest)?,
            index => (self.field(index)?.name, rest),
        };
        let (value, rest) = text(rest)?;
        Some((Field { name, value }, rest))
    }

    fn field(&self, index: usize) -> Option<Field> {
        let at = index.checked_sub(1)?;
        match STATIC.get(at) {
            Some((name, value)) => Some(Field {
                name: name.len(),
                value: value.len(),
            }),
            None => self.table.get(at.checked_sub(STATIC.len())?).copied(),
        }
    }

    fn insert(&mut self, field: Field) {
        self.make_room(field.bytes());
        if field.bytes() <= self.most_bytes {
            self.table_bytes += field.bytes();
            self.table.push_front(field);
        }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.table_bytes.saturating_add(bytes) > self.most_bytes {
            let Some(oldest) = self.table.pop_back() else {
                return;
            };
            self.table_bytes = self.table_bytes.saturating_sub(oldest.bytes());
        }
    }
}

/// A number that begins in the last `prefix` bits of the first byte (section 5.1).
fn number(bytes: &[u8], prefix: u32) -> Option<(usize, &[u8])> {
    /// Longer ones are larger than all that is ever read.
    const MOST_BYTES: usize = 4;
    let (first, mut rest) = bytes.split_first()?;
    let all = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & all;
    if value < all {
        return Some((value, rest));
    }
    for shift in (0..).step_by(7).take(MOST_BYTES) {
        let (byte, after) = rest.split_first()?;
        value += usize::from(byte & 0x7f) << shift;
        rest = after;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// The length of a text, unpacked (section 5.2).
fn text(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let is_packed = bytes.first()? & 0x80 != 0;
    let (length, rest) = number(bytes, 7)?;
    let (text, rest) = rest.split_at_checked(length)?;
    let length = if is_packed { unpacked(text) } else { length };
    Some((length, rest))
}

/// How many characters Huffman's codes stand for. What fills the last byte is none.
fn unpacked(packed: &[u8]) -> usize {
    let bits = packed
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)));
    let (mut characters, mut code, mut length) = (0, 0_u32, 0_u32);
    for bit in bits {
        (code, length) = (code << 1 | bit, length + 1);
        if is_code(code, length) {
            (characters, code, length) = (characters + 1, 0, 0);
        }
    }
    characters
}

fn is_code(code: u32, length: u32) -> bool {
    let (mut first, mut of_length) = (0_u32, 0_u32);
    for (bits, count) in CODES {
        first <<= bits - of_length;
        of_length = bits;
        if bits >= length {
            return bits == length && (first..first + count).contains(&code);
        }
        first += count;
    }
    false
}

#[cfg(test)]
mod tests;
