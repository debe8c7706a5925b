//! Chains of certificates. What must hold stands in `prober::fuzzing`.
#![no_main]

mod certificate {
    pub mod der;
}

use certificate::der;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| prober::fuzzing::certificate(input));

// A byte changed anywhere else than in a leaf of the tree makes DER that nobody reads further than to its length: so
// half of the changes are made to one element, and the lengths around it are made to fit.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = (seed & 1 == 0)
        .then(|| der::mutate(&data[..size], seed >> 1, max_size, fuzzer_mutate))
        .flatten();
    match mutated {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
