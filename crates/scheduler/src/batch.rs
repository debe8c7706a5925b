//! How jobs travel: signed, and in batches for one region, closed at 50 jobs or 48 KiB.

use bus::{Outgoing, OutgoingError, Route};
use models::Time;
use models::message::{JobBatch, MAX_BATCH_BYTES, MAX_BATCH_ITEMS, ProbeJob};
use models::probe::ProbeKind;
use models::signature::Keys;

/// A message, and what of the caller's is in it.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) message: Outgoing,
    pub(crate) region: String,
    pub(crate) items: Vec<T>,
}

/// Fills batches in the order in which jobs come.
#[derive(Debug)]
pub(crate) struct Batches<'a, T> {
    published_at: Time,
    keys: &'a Keys,
    open: Vec<Open<T>>,
    closed: Vec<Batch<T>>,
}

#[derive(Debug)]
struct Open<T> {
    region: String,
    bytes: usize,
    jobs: Vec<ProbeJob>,
    items: Vec<T>,
}

impl<'a, T> Batches<'a, T> {
    /// `published_at` is PostgreSQL's time; probers learn their clocks' offset from it.
    pub(crate) const fn new(published_at: Time, keys: &'a Keys) -> Self {
        Self {
            published_at,
            keys,
            open: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Signs a job and adds it. A `confirm` travels alone, because a prober may have to hand it back.
    ///
    /// # Errors
    /// When the batch that this closes cannot be encoded.
    pub(crate) fn push(&mut self, mut job: ProbeJob, item: T) -> Result<(), OutgoingError> {
        job.signature = Some(self.keys.sign(&job));
        let bytes = most_bytes(&job);
        let alone = job.kind == ProbeKind::Confirm;
        if alone {
            let open = Open {
                region: job.region.clone(),
                bytes,
                jobs: vec![job],
                items: vec![item],
            };
            return self.close(open);
        }
        let at = match self.open.iter().position(|open| open.region == job.region) {
            Some(at) => at,
            None => {
                self.open.push(Open::of(job.region.clone()));
                self.open.len() - 1
            }
        };
        let Some(open) = self.open.get_mut(at) else {
            return Ok(()); // cannot be: it was found or pushed above
        };
        let full = (open.jobs.len() >= MAX_BATCH_ITEMS || open.bytes + bytes > MAX_BATCH_BYTES)
            .then(|| std::mem::replace(open, Open::of(job.region.clone())));
        open.bytes += bytes;
        open.jobs.push(job);
        open.items.push(item);
        full.map_or(Ok(()), |full| self.close(full))
    }

    /// All batches.
    ///
    /// # Errors
    /// When one cannot be encoded.
    pub(crate) fn finish(mut self) -> Result<Vec<Batch<T>>, OutgoingError> {
        for open in std::mem::take(&mut self.open) {
            self.close(open)?;
        }
        Ok(self.closed)
    }

    fn close(&mut self, open: Open<T>) -> Result<(), OutgoingError> {
        let Some(first) = open.jobs.first() else {
            return Ok(());
        };
        let id = first.probe_id;
        let batch = JobBatch {
            published_at: self.published_at,
            jobs: open.jobs,
        };
        self.closed.push(Batch {
            message: Outgoing::json(Route::jobs(open.region.as_str()), id, &batch)?,
            region: open.region,
            items: open.items,
        });
        Ok(())
    }
}

impl<T> Open<T> {
    const fn of(region: String) -> Self {
        Self {
            region,
            bytes: ENVELOPE_BYTES,
            jobs: Vec::new(),
            items: Vec::new(),
        }
    }
}

/// Braces, names and the time around the jobs.
const ENVELOPE_BYTES: usize = 80;
/// All of a job but its texts of varying length.
const JOB_BYTES: usize = 680;

/// No job's JSON is longer. A normalised URL holds nothing that JSON escapes.
fn most_bytes(job: &ProbeJob) -> usize {
    let prober = job.avoid_prober.as_ref().map_or(0, String::len);
    JOB_BYTES + job.url.len() + job.region.len() + 2 * prober
}

#[cfg(test)]
mod tests;
