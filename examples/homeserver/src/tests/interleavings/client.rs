//! What one client sends.

use serde_json::{Value, json};

pub const OLD: &str = "old-password";

/// One request of a client.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A stage in the client's session.
    Attempt { stage: usize, right: bool },
    /// The session alone.
    Poll,
    /// A stage without a session.
    OneShot { stage: usize, right: bool },
    /// The form of a stage's page.
    Page { stage: usize, right: bool },
    /// The page itself.
    Look(usize),
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Register,
    ChangePassword,
    ResetPassword,
    Deactivate,
    AddAddress,
    DeleteDevices,
    /// One device, by its path.
    DeleteDevice,
    UploadKeys,
    GetLoginToken,
}

/// Clients by number; neighbours want the same, and of some only one can have it.
pub const WANTS: [(Want, &str); 20] = [
    (Want::Register, ""),
    (Want::Register, ""),
    (Want::Register, ""),
    (Want::ChangePassword, "alice"),
    (Want::ChangePassword, "alice"),
    (Want::ResetPassword, "erin"),
    (Want::ResetPassword, "erin"),
    (Want::ChangePassword, "carol"),
    (Want::Deactivate, "carol"),
    (Want::Deactivate, "carol"),
    (Want::AddAddress, "dave"),
    (Want::AddAddress, "dave"),
    (Want::DeleteDevice, "frank"),
    (Want::DeleteDevice, "frank"),
    (Want::UploadKeys, "frank"),
    (Want::UploadKeys, "frank"),
    (Want::GetLoginToken, "frank"),
    (Want::GetLoginToken, "frank"),
    (Want::DeleteDevices, "dave"),
    (Want::DeleteDevices, "dave"),
];
pub const CLIENTS: usize = WANTS.len();

/// A client, in the run of that number.
#[derive(Clone, Debug)]
pub struct Client {
    pub want: Want,
    pub number: usize,
    pub run: usize,
    /// Whose account it is about.
    pub user: String,
    /// The user's password now.
    pub password: String,
}

impl Client {
    pub fn new(number: usize, run: usize) -> Self {
        let (want, user) = WANTS[number];
        Self { want, number, run, user: format!("{user}{run}"), password: OLD.to_owned() }
    }

    pub const fn method(&self) -> &'static str {
        if matches!(self.want, Want::DeleteDevice) { "DELETE" } else { "POST" }
    }

    pub const fn path(&self) -> &'static str {
        match self.want {
            Want::DeleteDevice if self.number.is_multiple_of(2) => "devices/D0",
            Want::DeleteDevice => "devices/D1",
            Want::UploadKeys => "keys/device_signing/upload",
            Want::GetLoginToken => "/_matrix/client/v1/login/get_token",
            Want::Register => "register",
            Want::ChangePassword | Want::ResetPassword => "account/password",
            Want::Deactivate => "account/deactivate",
            Want::AddAddress => "account/3pid/add",
            Want::DeleteDevices => "delete_devices",
        }
    }

    pub const fn has_token(&self) -> bool {
        !matches!(self.want, Want::Register | Want::ResetPassword)
    }

    /// The name that it registers.
    pub fn registers(&self) -> String {
        format!("bob{}-{}", self.number, self.run)
    }

    pub fn new_password(&self) -> String {
        format!("new-password-{}", self.number)
    }

    pub fn params(&self) -> Value {
        match self.want {
            Want::Register => json!({ "username": self.registers(), "password": "password-of-bob" }),
            Want::ChangePassword | Want::ResetPassword => {
                json!({ "new_password": self.new_password(), "logout_devices": false })
            }
            Want::Deactivate => json!({ "erase": true }),
            Want::AddAddress => json!({ "sid": format!("add{}", self.run), "client_secret": "monkeys" }),
            Want::UploadKeys => keys(&self.user, self.number),
            Want::DeleteDevice | Want::GetLoginToken => json!({}),
            Want::DeleteDevices => json!({ "devices": [format!("D{}", self.number % 2)] }),
        }
    }

    /// The stages of its flow.
    pub const fn stages(&self, two_stages: bool) -> &'static [&'static str] {
        match self.want {
            Want::Register if two_stages => &["m.login.registration_token", "m.login.dummy"],
            Want::Register => &["m.login.registration_token"],
            Want::ResetPassword => &["m.login.email.identity"],
            Want::DeleteDevices | Want::DeleteDevice => &["m.login.dummy", "m.login.password"],
            Want::ChangePassword
            | Want::Deactivate
            | Want::AddAddress
            | Want::UploadKeys
            | Want::GetLoginToken => &["m.login.password"],
        }
    }

    pub fn auth(&self, stage: &str, right: bool, session: Option<&str>) -> Value {
        let mut auth = match stage {
            "m.login.registration_token" => json!({ "token": self.invitation(right) }),
            "m.login.password" => json!({
                "identifier": { "type": "m.id.user", "user": self.user },
                "password": if right { &self.password } else { "wrong" },
            }),
            "m.login.email.identity" => json!({ "threepid_creds": {
                "sid": format!("reset{}", self.run), "client_secret": if right { "monkeys" } else { "wrong" },
            } }),
            _ => json!({}),
        };
        auth["type"] = stage.into();
        if let Some(session) = session {
            auth["session"] = session.into();
        }
        auth
    }

    /// The form of the stage's page.
    pub fn form(&self, stage: &str, right: bool, session: &str) -> String {
        let fields = match stage {
            "m.login.registration_token" => format!("token={}", self.invitation(right)),
            "m.login.password" => format!("password={}", if right { &self.password } else { "wrong" }),
            "m.login.email.identity" => {
                format!("sid=reset{}&client_secret={}", self.run, if right { "monkeys" } else { "wrong" })
            }
            _ => String::new(),
        };
        format!("session={session}&{fields}")
    }

    fn invitation(&self, right: bool) -> String {
        if right { format!("invitation{}", self.run) } else { "wrong".to_owned() }
    }
}

/// Cross-signing keys of a user, by number.
pub fn keys(user: &str, number: usize) -> Value {
    let key = |usage: &str| {
        let name = format!("ed25519:{usage}{number}");
        json!({ "user_id": format!("@{user}:localhost"), "usage": [usage], "keys": { name: format!("{usage}{number}") } })
    };
    json!({
        "master_key": key("master"), "self_signing_key": key("self_signing"), "user_signing_key": key("user_signing"),
    })
}
