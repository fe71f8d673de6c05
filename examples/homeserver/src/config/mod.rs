//! The config file: its types, and the value of every key that is left out.
//!
//! `read` turns a file into these types, `check` refuses what the types can't. A `Config` that exists is
//! valid; whether the crate accepts its flows as a policy is the crate's to say.

mod check;
mod edges;
mod error;
mod object;
mod rates;
mod read;

pub use edges::Edges;
pub use error::ConfigError;
pub use matrix_uia::endpoint::threepid::Medium;
pub use rates::{RateLimit, RateLimits};

use crate::network::Network;
use crate::secrets::Secret;
use matrix_uia::Millis;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that can be configured.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Config {
    pub server_name: String,
    pub users: Vec<User>,
    pub registration: Registration,
    pub flows: Flows,
    /// By auth type.
    pub params: Map<String, Value>,
    pub recaptcha_accepts: Vec<Secret>,
    pub registration_tokens: Vec<RegistrationToken>,
    /// By host name.
    pub identity_servers: BTreeMap<String, IdentityServer>,
    /// In any case.
    pub threepid_denied_domains: Vec<String>,
    pub hide_threepid_existence: bool,
    pub password_policy: PasswordPolicy,
    pub capabilities: Capabilities,
    pub appservices: Vec<Appservice>,
    pub legacy_login: bool,
    pub hide_deactivated: bool,
    pub login_token: LoginToken,
    /// For tokens asked for with `refresh_token: true`; `None`: they don't expire.
    pub access_token_lifetime_ms: Option<u64>,
    pub uia: Uia,
    pub rate_limits: RateLimits,
    pub edges: Edges,
    /// Whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<Network>,
    /// Whether an access token may stand in the query.
    pub query_tokens: bool,
    /// Whether a request that names an identity server which isn't trusted is refused. This server sends the
    /// message itself, so it needs none.
    pub strict_id_server: bool,
    /// `None`: there is no way to send an e-mail or an SMS.
    pub outbox: Option<PathBuf>,
}

/// The built-in alice is there unless a file's `users` replaces her.
impl Default for Config {
    fn default() -> Self {
        Self {
            server_name: "localhost".to_owned(),
            users: vec![alice()],
            registration: Registration::default(),
            flows: Flows::default(),
            params: Map::new(),
            recaptcha_accepts: Vec::new(),
            registration_tokens: Vec::new(),
            identity_servers: BTreeMap::new(),
            threepid_denied_domains: Vec::new(),
            hide_threepid_existence: false,
            password_policy: PasswordPolicy::default(),
            capabilities: Capabilities::default(),
            appservices: Vec::new(),
            legacy_login: true,
            hide_deactivated: false,
            login_token: LoginToken::default(),
            access_token_lifetime_ms: None,
            uia: Uia::default(),
            rate_limits: RateLimits::default(),
            edges: Edges::default(),
            trusted_proxies: Vec::new(),
            query_tokens: true,
            strict_id_server: false,
            outbox: None,
        }
    }
}

impl Config {
    /// What the server runs with when no file is given.
    pub fn without_file() -> Self {
        Self::default()
    }
}

/// Alice in wonderland, whom a newcomer finds here.
fn alice() -> User {
    User {
        localpart: "alice".to_owned(),
        password: Some(Secret::new("wonderland".to_owned())),
        status: Status::Active,
        admin: false,
        threepids: Vec::new(),
    }
}

/// An account that is made on the first start.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct User {
    pub localpart: String,
    /// `None`: an account that can't log in by password.
    #[serde(default)]
    pub password: Option<Secret>,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    pub admin: bool,
    #[serde(default)]
    pub threepids: Vec<Threepid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Active,
    Locked,
    Suspended,
    /// Made without password and 3PIDs, whatever the file gives.
    Deactivated,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Threepid {
    pub medium: Medium,
    /// In its canonical form.
    pub address: String,
    /// Where it is bound.
    #[serde(default)]
    pub id_server: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Registration {
    pub enabled: bool,
    pub guests: bool,
}

impl Default for Registration {
    fn default() -> Self {
        Self { enabled: true, guests: false }
    }
}

/// A list of flows, each a list of stages.
pub type FlowList = Vec<Vec<String>>;

/// The flows of each operation, merged with the defaults key by key.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Flows {
    pub register: FlowList,
    pub password: FlowList,
    pub password_reset: FlowList,
    pub deactivate: FlowList,
    pub delete_devices: FlowList,
    pub add_3pid: FlowList,
    pub device_signing: FlowList,
    pub get_login_token: FlowList,
    /// `None`: deactivation asks for an access token.
    pub deactivate_without_token: Option<FlowList>,
}

impl Default for Flows {
    fn default() -> Self {
        let only = |stage: &str| vec![vec![stage.to_owned()]];
        Self {
            register: only("m.login.dummy"),
            password: only("m.login.password"),
            password_reset: only("m.login.email.identity"),
            deactivate: only("m.login.password"),
            delete_devices: only("m.login.password"),
            add_3pid: only("m.login.password"),
            device_signing: only("m.login.password"),
            get_login_token: only("m.login.password"),
            deactivate_without_token: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct RegistrationToken {
    pub token: Secret,
    /// `None`: any number.
    #[serde(default = "once")]
    pub uses_allowed: Option<u64>,
    /// `None`: never.
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
}

/// What `uses_allowed` means when it is left out.
#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
const fn once() -> Option<u64> {
    Some(1)
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct IdentityServer {
    pub trusted: bool,
    pub unbind: Unbind,
}

impl Default for IdentityServer {
    fn default() -> Self {
        Self { trusted: true, unbind: Unbind::Success }
    }
}

/// How an identity server answers when a 3PID is to be unbound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unbind {
    Success,
    NoSupport,
    /// It can't be reached.
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct PasswordPolicy {
    pub minimum_length: usize,
    pub require_digit: bool,
    pub require_symbol: bool,
    pub require_lowercase: bool,
    pub require_uppercase: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            require_digit: false,
            require_symbol: false,
            require_lowercase: false,
            require_uppercase: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Capabilities {
    #[serde(rename = "m.change_password")]
    pub change_password: bool,
    #[serde(rename = "m.3pid_changes")]
    pub threepid_changes: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { change_password: true, threepid_changes: true }
    }
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Appservice {
    pub id: String,
    pub as_token: Secret,
    pub sender_localpart: String,
    /// Localparts that begin so are the application service's own.
    pub user_prefix: String,
}

impl Appservice {
    /// Whether the user is one of its own.
    pub fn owns(&self, localpart: &str) -> bool {
        localpart.starts_with(&self.user_prefix) || localpart == self.sender_localpart
    }
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct LoginToken {
    pub enabled: bool,
    pub lifetime_ms: u64,
}

impl LoginToken {
    /// How long one is good.
    pub const fn lifetime(&self) -> Millis {
        Millis::new(self.lifetime_ms)
    }
}

impl Default for LoginToken {
    fn default() -> Self {
        Self { enabled: true, lifetime_ms: 120_000 }
    }
}

/// How user-interactive authentication is done. The crate's own policy is made of this.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Uia {
    pub session_lifetime_ms: u64,
    pub session_limit: usize,
    pub stage_order: StageOrder,
    pub body_binding: BodyBinding,
    pub unknown_session: UnknownSession,
    pub one_shot: bool,
    pub replay: Replay,
    pub replay_ms: u64,
    pub max_failed_attempts: u32,
    pub recent_auth_ms: u64,
    pub sealed: bool,
    /// The most open sessions of one user, or of one address without a user.
    pub sessions_per_owner: usize,
    /// How long a claim holds whose request was never heard of again.
    pub claim_for_ms: u64,
}

impl Default for Uia {
    fn default() -> Self {
        Self {
            session_lifetime_ms: 900_000,
            session_limit: 100_000,
            stage_order: StageOrder::Strict,
            body_binding: BodyBinding::OmittedOrExact,
            unknown_session: UnknownSession::Restart,
            one_shot: true,
            replay: Replay::Result,
            replay_ms: 60_000,
            max_failed_attempts: 10,
            recent_auth_ms: 0,
            sealed: false,
            sessions_per_owner: 1_000,
            claim_for_ms: 60_000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageOrder {
    Strict,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyBinding {
    OmittedOrExact,
    Exact,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSession {
    Restart,
    Reject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replay {
    Result,
    Refuse,
}

object::only!(
    Config,
    User,
    Threepid,
    Registration,
    Flows,
    RegistrationToken,
    IdentityServer,
    PasswordPolicy,
    Capabilities,
    Appservice,
    LoginToken,
    Uia,
);
