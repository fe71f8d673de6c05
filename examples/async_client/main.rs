//! Changes a password:
//!
//!     MATRIX_ACCESS_TOKEN=… MATRIX_PASSWORD=… MATRIX_NEW_PASSWORD=… \
//!         cargo run --example async_client -- http://127.0.0.1:8008 alice
//!
//! Interrupted, it is run again with the same arguments: `password.progress` says how far it came.

use matrix_uia::client::{Call, Patience};
use matrix_uia::wire::Raw;
use matrix_uia_async_client::{Caller, Error, File};
use std::env;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let (Some(homeserver), Some(user)) = (args.next(), args.next()) else {
        return Err("usage: async_client URL USER".into());
    };
    let (access_token, password) = (env::var("MATRIX_ACCESS_TOKEN")?, env::var("MATRIX_PASSWORD")?);
    let body = serde_json::json!({ "new_password": env::var("MATRIX_NEW_PASSWORD")? }).to_string();
    let caller = Caller {
        http: reqwest::Client::new(),
        homeserver: homeserver.trim_end_matches('/'),
        access_token: &access_token,
        user: &user,
        password: &password,
        patience: Patience::default(),
    };
    // It says which account and which server the progress is for: another's is refused.
    let name = format!("password of {user} at {homeserver}");
    let call = Call::new(&name, Raw::parse(&body)?)?;
    caller.call("/_matrix/client/v3/account/password", &call, &File::at("password.progress")).await?;
    println!("the password is changed");
    Ok(())
}
