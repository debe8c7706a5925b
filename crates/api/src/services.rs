//! Services: what a tenant may ask for, and the transactions that make it so.
//!
//! `fields` reads requests, `plan` decides (pure), `create`, `edit`, `delete` and `probe` are one transaction each.
//! Lock order, for every process: users → health → `service_state` → services → incidents → alerts → deliveries.

mod create;
mod delete;
mod edit;
mod fields;
mod judge;
mod plan;
mod probe;
mod quota;
mod stamp;

pub(crate) use create::{Created, create};
pub(crate) use delete::delete;
pub(crate) use edit::edit;
pub(crate) use fields::{NewService, Patch};
pub(crate) use judge::UrlJudge;
pub(crate) use probe::probe_now;
pub(crate) use quota::active_limit;
