//! The 401 body.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use ruma_client_api::uiaa::{AuthFlow, AuthType, UiaaInfo, UiaaResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Unconvertible, errors};
use crate::server::respond::Challenge;
use crate::text::Text;
use crate::wire::ChallengeBody;
use crate::wire::error::AnyCode;

/// The keys of a 401 that are none of its error's.
const STATE: &[&str] = &["flows", "params", "session", "completed"];

/// Fails if the body has no `flows`, which the state before it then still holds, and ruma
/// has no word for.
impl TryFrom<&ChallengeBody<'_>> for UiaaInfo {
    type Error = Unconvertible;

    fn try_from(body: &ChallengeBody<'_>) -> Result<Self, Unconvertible> {
        if !body.has_flows() {
            return Err(Unconvertible::NoPlace("flows"));
        }
        let flows = body.flows().map(|flow| AuthFlow::new(flow.stages().map(AuthType::from).collect()));
        let mut info = Self::new(flows.collect());
        info.completed = body.completed().map(AuthType::from).collect();
        let params = body.params().map(|raw| RawValue::from_string(raw.as_str().to_owned()));
        info.params = params.transpose().map_err(|_| Unconvertible::NoPlace("params"))?;
        info.session = body.session.map(|session| session.expose().to_exact());
        info.auth_error = body.error().and_then(|error| errors::standard(&error, STATE)).map(Box::new);
        Ok(info)
    }
}

/// What a [`Challenge`] writes, as far as ruma can hold it.
#[derive(Deserialize)]
struct Written {
    flows: Vec<AuthFlow>,
    params: Box<RawValue>,
    session: String,
    #[serde(default)]
    completed: Vec<AuthType>,
    errcode: Option<String>,
    error: Option<String>,
}

/// Ruma's `UiaaInfo` leaves an empty `completed` out when it is written, and has no place
/// for the keys of [`Verdict::Continue`](crate::server::verdict::Verdict::Continue). A server that
/// needs either sends what [`write_body`](Challenge::write_body) writes.
impl From<&Challenge<'_>> for UiaaInfo {
    fn from(challenge: &Challenge<'_>) -> Self {
        let mut body = String::new();
        let written = challenge.write_body(&mut body).ok().and_then(|()| serde_json::from_str(&body).ok());
        debug_assert!(written.is_some(), "a challenge writes the keys that it has");
        // No flows and no session: a client can only start anew.
        let Some(Written { flows, params, session, completed, errcode, error }) = written else {
            return Self::new(Vec::new());
        };
        let mut info = Self::new(flows);
        info.completed = completed;
        info.params = Some(params);
        info.session = Some(session);
        info.auth_error = errcode.map(|code| {
            let code = AnyCode::from(Text::new(&code));
            Box::new(errors::plain(code, error.unwrap_or_default()))
        });
        info
    }
}

impl From<&Challenge<'_>> for UiaaResponse {
    fn from(challenge: &Challenge<'_>) -> Self {
        Self::AuthResponse(challenge.into())
    }
}
