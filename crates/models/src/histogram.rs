//! Latencies in sparse log buckets: mergeable, with a bounded relative error.
//!
//! Each bucket is 4 % wide (γ = 1.04), so that a quantile is off by at most 2 % (and, being
//! told in whole microseconds, half of one). Bounds are
//! whole microseconds from integer arithmetic: every machine puts a value into the same bucket.
//!
//! # As bytes
//! An empty histogram is no bytes at all. Any other is: the version byte 1; the first bucket
//! used (little endian, two bytes); the number of bitmap bytes; the bitmap of buckets used, from the
//! first one on, lowest bit first; and one LEB128 varint a used bucket, its count. With at most
//! [`Histogram::SMALL_TOTAL`] values that is at most [`Histogram::MAX_SMALL_BYTES`] bytes, however they lie.

/// What is shorter is counted here: 0.1 ms.
const LOWEST_US: u32 = 100;

/// Buckets up to the first bound at or above 120 s.
const BUCKETS: usize = 358;

/// Upper bound (inclusive, in microseconds) of each bucket. Frozen by a test: stored histograms
/// depend on it.
const UPPER_US: [u32; BUCKETS] = upper_bounds();

#[expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "evaluated by the compiler, which would refuse an overflow"
)]
const fn upper_bounds() -> [u32; BUCKETS] {
    const SCALE: u128 = 1_000_000_000_000;
    let mut bounds = [0; BUCKETS];
    let mut scaled = LOWEST_US as u128 * SCALE;
    let mut index = 0;
    while index < BUCKETS {
        bounds[index] = (scaled / SCALE) as u32;
        scaled = scaled * 104 / 100;
        index += 1;
    }
    bounds
}

/// Counts by latency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and count, ascending; no count is 0.
    buckets: Vec<(u16, u64)>,
}

/// The bytes are not a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a histogram: {0}")]
pub struct BadHistogram(&'static str);

/// The only encoding so far.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 4;

impl Histogram {
    /// So many values always encode to [`Self::MAX_SMALL_BYTES`] or less. An hour of the shortest
    /// interval has 3 600, a day 86 400.
    pub const SMALL_TOTAL: u64 = 4_000_000;

    /// 4 bytes of header, 45 of bitmap, 2 for each of 358 counts, and a third for the at most
    /// 244 counts of 16 384 and more: 1 009.
    pub const MAX_SMALL_BYTES: usize = 1024;

    /// Without values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buckets: Vec::new(),
        }
    }

    /// Counts one latency. Below 0.1 ms counts as 0.1 ms, above 120 s as 120 s.
    pub fn record(&mut self, latency_us: u32) {
        self.add(bucket_of(latency_us), 1);
    }

    /// Adds all of `other`; the order of merges does not matter.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add(bucket, count);
        }
    }

    fn add(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => {
                if let Some(entry) = self.buckets.get_mut(at) {
                    entry.1 = entry.1.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.1))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The latency in microseconds that `percent` (0 to 100) of the values do not exceed, within 2 %; the
    /// smallest such value (nearest rank). `None` without values.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<u32> {
        let total = u128::from(self.total());
        let rank = (total * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|&(bucket, count)| {
            seen += u128::from(count);
            (seen >= rank).then(|| representative_us(bucket))
        })
    }

    /// Buckets with values: upper bound in microseconds (inclusive) and count, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64)> {
        self.buckets
            .iter()
            .map(|&(bucket, count)| (upper_us(bucket), count))
    }

    /// The encoding that the module describes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (Some(&(first, _)), Some(&(last, _))) = (self.buckets.first(), self.buckets.last())
        else {
            return Vec::new();
        };
        let mut bitmap = vec![0_u8; usize::from((last - first) / 8) + 1];
        for &(bucket, _) in &self.buckets {
            let offset = bucket - first;
            if let Some(byte) = bitmap.get_mut(usize::from(offset / 8)) {
                *byte |= 1 << (offset % 8);
            }
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + bitmap.len() + 2 * self.buckets.len());
        bytes.push(VERSION);
        bytes.extend(first.to_le_bytes());
        // At most 45, as there are 358 buckets.
        bytes.push(u8::try_from(bitmap.len()).unwrap_or(u8::MAX));
        bytes.extend(bitmap);
        for &(_, count) in &self.buckets {
            push_varint(&mut bytes, count);
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are not exactly one histogram of a known version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadHistogram> {
        if bytes.is_empty() {
            return Ok(Self::new());
        }
        let Some((&[version, low, high, bitmap_bytes], rest)) = bytes.split_first_chunk() else {
            return Err(BadHistogram("its header is cut off"));
        };
        if version != VERSION {
            return Err(BadHistogram("its version is unknown"));
        }
        let Some((bitmap, mut rest)) = rest.split_at_checked(usize::from(bitmap_bytes)) else {
            return Err(BadHistogram("its bitmap is cut off"));
        };
        let first = u16::from_le_bytes([low, high]);
        let mut buckets = Vec::with_capacity(rest.len());
        for (byte, at) in bitmap.iter().zip(0_u16..) {
            for bit in (0..8_u16).filter(|bit| byte & (1 << bit) != 0) {
                let bucket = first.saturating_add(at * 8 + bit);
                if usize::from(bucket) >= BUCKETS {
                    return Err(BadHistogram("a bucket does not exist"));
                }
                let (count, after) = take_varint(rest)?;
                if count == 0 {
                    return Err(BadHistogram("a count is zero"));
                }
                buckets.push((bucket, count));
                rest = after;
            }
        }
        if rest.is_empty() {
            Ok(Self { buckets })
        } else {
            Err(BadHistogram("bytes follow its end"))
        }
    }
}

fn bucket_of(latency_us: u32) -> u16 {
    let index = UPPER_US.partition_point(|&upper| upper < latency_us);
    u16::try_from(index.min(BUCKETS - 1)).unwrap_or(0)
}

fn upper_us(bucket: u16) -> u32 {
    UPPER_US.get(usize::from(bucket)).copied().unwrap_or(0)
}

/// The value with the least relative error to both ends of the bucket: their harmonic mean, rounded.
fn representative_us(bucket: u16) -> u32 {
    let upper = u64::from(upper_us(bucket));
    let Some(below) = bucket.checked_sub(1) else {
        return LOWEST_US;
    };
    let lower = u64::from(upper_us(below)) + 1;
    let ends = lower + upper;
    u32::try_from((2 * lower * upper + ends / 2) / ends).unwrap_or(u32::MAX)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_varint(bytes: &[u8]) -> Result<(u64, &[u8]), BadHistogram> {
    let mut value = 0_u64;
    let mut rest = bytes;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest
            .split_first()
            .ok_or(BadHistogram("a count is cut off"))?;
        rest = after;
        let part = u64::from(byte & 0x7f);
        let shifted = part << shift;
        if shifted >> shift != part {
            break;
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return Ok((value, rest));
        }
    }
    Err(BadHistogram("a count is too large"))
}

#[cfg(test)]
mod tests;
