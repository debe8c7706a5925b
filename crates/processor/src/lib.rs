//! Turns probe results into state, figures and alerts.
