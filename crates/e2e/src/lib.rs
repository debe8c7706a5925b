//! The whole pipeline, tested as a user sees it: HTTP in, probes at a real target, mail out.
//!
//! There is nothing here but tests; start with `tests/it/stack.rs`.
