//! The whole pipeline, tested as a user sees it.
