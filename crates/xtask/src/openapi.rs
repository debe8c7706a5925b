//! `cargo xtask openapi`: the contract's document, written where people and tools read it.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::process::once;

/// The test that compares `docs/openapi.json` with the code writes it when this is set: the document needs nothing
/// but the api's library, and that test is built anyway.
const WRITE: &str = "PULSEMON_WRITE_OPENAPI";
const TEST: &str = "openapi::tests::the_document_in_docs_is_this_one";

/// Writes `docs/openapi.json`.
pub(crate) fn openapi(interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let mut test = cargo("test");
    test.args(["--package", "api", "--lib", "--", "--exact", TEST]);
    once::succeed(test.env(WRITE, "1"), interrupt)?;
    Ok(ExitCode::SUCCESS)
}
