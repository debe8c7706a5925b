//! The HTTP API of Pulsemon.
