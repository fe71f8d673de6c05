//! A client of User-Interactive Authentication on a Cortex-M4, without a heap, an operating
//! system or a runtime crate: a device registers its account, changes its password, can't
//! deactivate the account, and the core stops.
//!
//! `.ci/bare-metal` builds it, measures it and runs it in QEMU. With the feature `probe` it says
//! what each call takes of the stack. With `answers` it prints what it shows and sends, and so
//! does the same program on the host: they are compared.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[path = "../board.rs"]
mod board;
#[cfg(not(target_os = "none"))]
#[path = "../host.rs"]
mod board;
mod calls;
#[cfg(all(feature = "probe", target_os = "none"))]
mod probe;
mod prompts;
mod script;
#[cfg(all(feature = "probe", target_os = "none"))]
#[path = "../stack.rs"]
mod stack;

use matrix_uia::client::{Call, Client};
use matrix_uia::wire::{AuthType, Raw};

use crate::calls::{Failure, make};
use crate::script::{DEACTIVATION, PASSWORD, REGISTRATION, Script, Step};

/// What this device can ask its user for. `m.login.dummy` asks for nothing.
const CAN: &[AuthType<'static>] = &[AuthType::RegistrationToken, AuthType::Terms, AuthType::Password];

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    if answers_as_it_should() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// Makes three calls, and holds what is shown, sent and made of them against scripts.
fn answers_as_it_should() -> bool {
    let registration = r#"{"username":"lamp","password":"wonderland","inhibit_login":true}"#;
    let password = r#"{"new_password":"looking-glass"}"#;
    plays(REGISTRATION, "register", registration, Ok(()))
        && plays(PASSWORD, "account/password", password, Ok(()))
        && plays(DEACTIVATION, "account/deactivate", "{}", Err(Failure::Unusable))
}

/// Whether a call comes to that, and the device has shown and sent what the script has.
#[inline(never)]
fn plays(steps: &'static [Step], path: &str, body: &str, outcome: Result<(), Failure>) -> bool {
    let mut script = Script::new(steps);
    call(&mut script, path, body) == outcome && script.is_over()
}

fn call(script: &mut Script, path: &str, body: &str) -> Result<(), Failure> {
    let client = Client::new(CAN);
    let body = Raw::parse(body).map_err(|_| Failure::Unusable)?;
    let call = Call::new(path, body).map_err(|_| Failure::Unusable)?;
    make(&client, &call, path, script)
}
