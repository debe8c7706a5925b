//! Redirects as servers send them. What must hold stands in `prober::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| prober::fuzzing::redirect(input));
