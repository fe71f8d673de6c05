//! Bodies of requests, and what their answers say.

use alloc::format;
use alloc::string::{String, ToString};

use super::host::{Answer, Endpoint, Request};
use crate::server::session::SessionId;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::{AuthType, ChallengeBody};

pub(super) const USER: &str = "alice";
pub(super) const OLD: &str = "old-password-1";
pub(super) const NEW: &str = "new-password-2";
pub(super) const TOKEN: &str = "invitation";

/// A call as a client makes it: what it asks for, and what it can prove.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) endpoint: Endpoint,
    pub(super) token: Option<String>,
    /// The parameters, as the members of an object.
    pub(super) params: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) registration_token: String,
}

impl Script {
    /// Registers `name` with `password`, by a registration token.
    pub(super) fn register(name: &str, password: &str, registration_token: &str) -> Self {
        Self {
            endpoint: Endpoint::Register,
            token: None,
            params: format!(r#""username":"{name}","password":"{password}""#),
            user: name.to_string(),
            password: password.to_string(),
            registration_token: registration_token.to_string(),
        }
    }

    /// Changes the password of `user` from `password` to `new`.
    pub(super) fn password(token: &str, user: &str, password: &str, new: &str) -> Self {
        let params = format!(r#""new_password":"{new}""#);
        Self { endpoint: Endpoint::Password, params, ..Self::deactivate(token, user, password) }
    }

    /// Deactivates `user`.
    pub(super) fn deactivate(token: &str, user: &str, password: &str) -> Self {
        Self {
            endpoint: Endpoint::Deactivate,
            token: Some(token.to_string()),
            params: r#""erase":false"#.to_string(),
            user: user.to_string(),
            password: password.to_string(),
            registration_token: String::new(),
        }
    }

    /// The same without an access token: a stage has to name the user.
    pub(super) fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same without parameters.
    pub(super) fn bare(&self) -> Self {
        Self { params: String::new(), ..self.clone() }
    }

    /// The same with another password to prove.
    pub(super) fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_string(), ..self.clone() }
    }

    /// A request with that auth dict, or without one.
    pub(super) fn request(&self, auth: Option<&str>) -> Request {
        let auth = auth.map(|auth| format!(r#""auth":{auth}"#)).unwrap_or_default();
        let comma = if auth.is_empty() || self.params.is_empty() { "" } else { "," };
        let body = format!("{{{}{comma}{auth}}}", self.params);
        Request { endpoint: self.endpoint, token: self.token.clone(), body }
    }

    /// The request that attempts `stage` in `session`; `None` for a stage the kit can't pass.
    pub(super) fn attempt(&self, stage: &str, session: &str) -> Option<Request> {
        let Self { user, password, registration_token, .. } = self;
        let proof = match stage {
            "m.login.password" => {
                format!(r#","identifier":{{"type":"m.id.user","user":"{user}"}},"password":"{password}""#)
            }
            "m.login.registration_token" => format!(r#","token":"{registration_token}""#),
            "m.login.dummy" => String::new(),
            _ => return None,
        };
        let session = if session.is_empty() { String::new() } else { format!(r#","session":"{session}""#) };
        Some(self.request(Some(&format!(r#"{{"type":"{stage}"{proof}{session}}}"#))))
    }

    /// The request that only names the session.
    pub(super) fn poll(&self, session: &str) -> Request {
        self.request(Some(&format!(r#"{{"session":"{session}"}}"#)))
    }
}

/// What a 401 with flows says.
#[derive(Clone)]
pub(super) struct Challenge {
    pub(super) session: String,
    /// The next stage that the kit can pass, and whether it is the last.
    pub(super) next: Option<(String, bool)>,
    pub(super) completed: usize,
    pub(super) code: Option<String>,
}

impl Challenge {
    /// What it is stored under: of a sealed ID, that is its beginning.
    pub(super) fn id(&self) -> Option<SessionId> {
        SessionId::parse(Text::new(self.session.get(..SessionId::LEN)?))
    }

    /// Whether its ID holds it: then nothing is stored before a stage has passed or failed.
    pub(super) fn is_sealed(&self) -> bool {
        self.session.len() > SessionId::LEN
    }
}

impl Answer {
    pub(super) fn challenge(&self) -> Option<Challenge> {
        let body = ChallengeBody::parse(self.body.as_bytes()).ok()?;
        let known = |stage: &AuthType<'_>| {
            ["m.login.password", "m.login.registration_token", "m.login.dummy"]
                .into_iter()
                .any(|name| stage.name() == Text::new(name))
        };
        let completed = body.completed().count();
        let flow = body.flows().find(|flow| {
            let begun =
                flow.stages().zip(body.completed()).all(|(stage, passed)| stage.name() == passed.name());
            begun && flow.stages().all(|stage| known(&stage))
        });
        let next = flow.and_then(|flow| {
            let stage = flow.stages().nth(completed)?.name().to_string();
            Some((stage, flow.stages().count() == completed.saturating_add(1)))
        });
        (self.status == 401 && body.has_flows()).then_some(())?;
        let code = body.code.map(|code| code.name().to_string());
        Some(Challenge { session: body.session?.expose().to_string(), next, completed, code })
    }

    pub(super) fn code(&self) -> Option<String> {
        let body = ChallengeBody::parse(self.body.as_bytes()).ok()?;
        Some(body.code?.name().to_string())
    }

    /// Whether it is what [`MatrixError`] says.
    pub(super) fn is(&self, error: MatrixError) -> bool {
        self.status == error.status() && self.code().as_deref() == Some(error.code().name())
    }
}
