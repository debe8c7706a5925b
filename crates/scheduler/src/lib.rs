//! Turns due slots into probe jobs.
