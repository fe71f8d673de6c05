//! The server's side: the policy, the stored session, and the exchange that answers one
//! request.

pub mod account;
mod account_stored;
pub mod call;
mod carry_out;
pub mod check;
pub mod commit;
pub mod digest;
pub mod drive;
pub mod drive_page;
pub mod endpoint;
pub mod exchange;
mod extra;
pub mod flows;
pub mod grant;
mod lost;
pub mod operation;
pub mod page;
pub mod page_outcome;
pub mod prelude;
pub mod question;
pub mod reference;
pub mod respond;
pub mod rules;
pub mod seal;
pub mod sealed;
pub mod session;
pub mod store;
mod transition;
pub mod verdict;
