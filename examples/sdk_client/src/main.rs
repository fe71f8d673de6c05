//! Four calls of matrix-sdk's that ask for user-interactive authentication.
//!
//!     MATRIX_PASSWORD=… sdk_client https://matrix.example.org alice delete-devices ABC DEF
//!     MATRIX_PASSWORD=… MATRIX_NEW_PASSWORD=… sdk_client https://matrix.example.org alice password
//!     MATRIX_PASSWORD=… sdk_client https://matrix.example.org alice cross-signing
//!     MATRIX_PASSWORD=… sdk_client https://matrix.example.org alice deactivate

mod authenticate;

use std::env;

use authenticate::{Login, authenticate};
use matrix_sdk::Client;
use matrix_sdk::config::RequestConfig;

const USAGE: &str = "usage: sdk_client URL USER delete-devices ID… | password | cross-signing | deactivate";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let (Some(url), Some(user), Some(command)) = (args.next(), args.next(), args.next()) else {
        return Err(USAGE.into());
    };
    let password = env::var("MATRIX_PASSWORD")?;
    let login = Login { user: &user, password: &password };

    // The SDK would repeat a request by itself, the password with it: waiting is the crate's.
    let config = RequestConfig::new().disable_retry();
    let client = Client::builder().homeserver_url(url).request_config(config).build().await?;
    client.matrix_auth().login_username(&user, &password).initial_device_display_name("sdk_client").await?;

    match command.as_str() {
        "delete-devices" => {
            let devices: Vec<_> = args.map(Into::into).collect();
            authenticate("delete devices", &login, async |auth| {
                Ok(client.delete_devices(&devices, auth).await?)
            })
            .await?;
        }
        "password" => {
            let new = env::var("MATRIX_NEW_PASSWORD")?;
            authenticate("password", &login, async |auth| client.account().change_password(&new, auth).await)
                .await?;
        }
        "cross-signing" => {
            authenticate("cross-signing", &login, async |auth| {
                client.encryption().bootstrap_cross_signing(auth).await
            })
            .await?;
        }
        "deactivate" => {
            authenticate("deactivate", &login, async |auth| {
                client.account().deactivate(None, auth, false).await
            })
            .await?;
        }
        _ => return Err(USAGE.into()),
    }
    println!("done");
    Ok(())
}
