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
}

/// Clients by number; neighbours want the same, and of some only one can have it.
pub const WANTS: [(Want, &str); 14] = [
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

    pub const fn path(&self) -> &'static str {
        match self.want {
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
            Want::DeleteDevices => json!({ "devices": [format!("D{}", self.number % 2)] }),
        }
    }

    /// The stages of its flow.
    pub const fn stages(&self, two_stages: bool) -> &'static [&'static str] {
        match self.want {
            Want::Register if two_stages => &["m.login.registration_token", "m.login.dummy"],
            Want::Register => &["m.login.registration_token"],
            Want::ResetPassword => &["m.login.email.identity"],
            Want::DeleteDevices => &["m.login.dummy", "m.login.password"],
            Want::ChangePassword | Want::Deactivate | Want::AddAddress => &["m.login.password"],
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
