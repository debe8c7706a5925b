//! The api as its users meet it: real sockets, a real database.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a broken step should stop the test where it broke"
)]

mod accounts;
mod admin;
mod app;
mod audit;
mod forms;
mod http;
mod keys;
mod lifetimes;
mod limits;
mod links;
mod lists;
mod names;
mod openapi;
mod outages;
mod pages;
mod quota;
mod registrations;
mod repeats;
mod schema;
mod services;
mod sessions;
mod tenancy;
mod timing;
mod validation;
mod versions;
