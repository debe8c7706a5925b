//! Delivers alerts and account mail.
