//! One test per numbered rule, named after it. The rules are the crate's reading of the
//! spec; each test names the section it rests on.

mod account;
mod client;
mod client_choice;
mod client_interrupted;
mod client_patience;
mod client_synapse;
#[cfg(feature = "alloc")]
mod cross_signing;
mod deactivation;
mod errors;
mod fallback;
mod login;
mod page_lost;
mod password;
mod registration;
mod table;
mod threepid;
mod uia;
mod uia_account;
mod uia_attempts;
mod uia_binding;
mod uia_claims;
mod uia_outcome;
mod uia_stages;
