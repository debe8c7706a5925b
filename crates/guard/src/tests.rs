//! The whole of what is refused without a lookup: every range at its edges, every spelling of a literal, every rule
//! of a URL.

mod edges;
mod literals;
mod operator;
mod ranges;
mod urls;

use crate::{Policy, Refusal, Target, judge_text};

fn refused(text: &str) -> Refusal {
    judge_text(text, &Policy::public_only()).expect_err(text)
}

fn accepted(text: &str) -> Target {
    judge_text(text, &Policy::public_only())
        .unwrap_or_else(|error| panic!("{text} {error}"))
        .1
}
