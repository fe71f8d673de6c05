//! The endpoints of the account part of the Client-Server API, one module each.

pub mod account;
pub mod appservice;
pub mod deactivate;
pub mod devices;
pub mod login;
pub mod password;
pub mod refresh;
pub mod register;
pub mod signing_keys;
pub mod threepid;
