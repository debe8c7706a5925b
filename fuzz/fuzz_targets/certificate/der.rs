//! Changes to one element of DER, with all lengths around it made to fit.

/// What an element may grow by.
const GROWTH: usize = 64;
/// Bit of the tag of an element that holds others.
const CONSTRUCTED: u8 = 0x20;
/// May hold others too: the value of an extension does.
const OCTET_STRING: u8 = 4;
/// Deeper than any certificate.
const DEPTH: usize = 16;

/// libFuzzer's own mutation of a buffer, its size and the most that it may become.
type Change = fn(&mut [u8], usize, usize) -> usize;

/// An element and what it holds: others, or bytes.
#[derive(Clone)]
struct Element {
    tag: u8,
    inner: Vec<Element>,
    bytes: Vec<u8>,
}

/// Changes an element that `choice` chooses; `None` where there is none, or the outcome is too long.
pub fn mutate(der: &[u8], choice: u32, max_size: usize, change: Change) -> Option<Vec<u8>> {
    let mut elements = parse(der, 0)?;
    let count = elements.iter().map(Element::count).sum::<usize>();
    let choice = choice as usize;
    let mut nth = choice % count.max(1);
    change_nth(&mut elements, &mut nth, choice / count.max(1), change);
    let changed: Vec<u8> = elements.iter().flat_map(Element::encode).collect();
    (changed.len() <= max_size).then_some(changed)
}

/// True when it was found among these or inside them.
fn change_nth(elements: &mut Vec<Element>, nth: &mut usize, how: usize, change: Change) -> bool {
    for at in 0..elements.len() {
        if *nth == 0 {
            match how % 8 {
                0 => drop(elements.remove(at)),
                1 => elements.insert(at, elements[at].clone()),
                2 => elements[at].tag ^= 1 << (how / 8 % 8),
                _ => elements[at].change(change),
            }
            return true;
        }
        *nth -= 1;
        if change_nth(&mut elements[at].inner, nth, how, change) {
            return true;
        }
    }
    false
}

impl Element {
    /// With all that it holds.
    fn count(&self) -> usize {
        1 + self.inner.iter().map(Element::count).sum::<usize>()
    }

    fn content(&self) -> Vec<u8> {
        match self.inner.is_empty() {
            true => self.bytes.clone(),
            false => self.inner.iter().flat_map(Element::encode).collect(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let content = self.content();
        let mut der = vec![self.tag];
        let digits = content.len().to_be_bytes();
        let digits = &digits[content.len().leading_zeros() as usize / 8..];
        match content.len() {
            short @ 0..0x80 => der.push(short as u8),
            _ => {
                der.push(0x80 | digits.len() as u8);
                der.extend(digits);
            }
        }
        der.extend(content);
        der
    }

    fn change(&mut self, change: Change) {
        let mut bytes = self.content();
        let length = bytes.len();
        bytes.resize(length + GROWTH, 0);
        let changed = change(&mut bytes, length, length + GROWTH);
        bytes.truncate(changed);
        (self.bytes, self.inner) = (bytes, Vec::new());
    }
}

/// Elements one behind the other to the very end; `None` where they are not that.
fn parse(der: &[u8], depth: usize) -> Option<Vec<Element>> {
    let (mut found, mut rest) = (Vec::new(), der);
    while let [tag, first, tail @ ..] = rest {
        let digits = if *first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
        let length = match digits {
            0 => usize::from(*first),
            1..=4 => tail
                .get(..digits)?
                .iter()
                .fold(0, |sum, digit| sum << 8 | *digit as usize),
            _ => return None,
        };
        let (bytes, after) = tail.get(digits..)?.split_at_checked(length)?;
        let may_hold = (tag & CONSTRUCTED != 0 || *tag == OCTET_STRING) && depth < DEPTH;
        let inner = may_hold.then(|| parse(bytes, depth + 1)).flatten();
        found.push(Element {
            tag: *tag,
            inner: inner.unwrap_or_default(),
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    (rest.is_empty() && !found.is_empty()).then_some(found)
}
