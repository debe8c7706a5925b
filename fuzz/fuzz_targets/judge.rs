//! URLs as tenants type them. What must hold stands in `guard::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| guard::fuzzing::judge(input));
