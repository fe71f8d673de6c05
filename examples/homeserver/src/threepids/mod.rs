//! Validating addresses, and what a validated one is good for: between the crate's values, the database and
//! the outbox.

mod proof;
mod request;
mod submit;

pub use proof::{add, claim, give, proved};
pub use request::{Wanted, request};
pub use submit::{SUBMIT_PATH, look, submit, submit_url};
