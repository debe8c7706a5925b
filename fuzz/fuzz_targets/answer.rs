//! Answers in HTTP/1 and HTTP/2. What must hold stands in `prober::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| prober::fuzzing::answer(input));
