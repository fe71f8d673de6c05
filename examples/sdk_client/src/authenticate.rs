//! Any call of matrix-sdk's that takes `auth: Option<AuthData>`, through the crate's client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use matrix_sdk::ruma::api::client::error::ErrorBody;
use matrix_sdk::ruma::api::client::uiaa::AuthData;
use matrix_uia::client::{CallName, Client, Next, OwnedFailure, Progress, Prompt, Reply};
use matrix_uia::wire::{AuthType, UserIdentifier};
use matrix_uia::{Secret, Text, Timestamp};

/// What this program can ask its user.
const CAN: &[AuthType<'static>] = &[AuthType::Password];

/// Whose password it is, and which.
pub struct Login<'l> {
    pub user: &'l str,
    pub password: &'l str,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Makes the call until it succeeds or the server says no. `send` is the SDK's method.
///
/// # Errors
///
/// The SDK's own error, or why the flow can't be walked.
pub async fn authenticate<T>(
    name: &str,
    login: &Login<'_>,
    send: impl AsyncFn(Option<AuthData>) -> matrix_sdk::Result<T>,
) -> Outcome<T> {
    let client = Client::new(CAN).unattended();
    let mut progress = Progress::<4096>::new(CallName::new(name)?);
    loop {
        let request = match client.next(&mut progress, now()) {
            Next::Send(request) => request,
            Next::Prompt(Prompt::Password(prompt)) => {
                prompt.answer(UserIdentifier::User(Text::new(login.user)), Secret::new(login.password))
            }
            Next::Wait { until, .. } => {
                tokio::time::sleep(Duration::from_millis(until.since(now()).get())).await;
                continue;
            }
            Next::Failed(failure) => return Err(OwnedFailure::from(failure).into()),
            other => return Err(format!("not in this example: {other:?}").into()),
        };
        let (ticket, auth) = (request.ticket(), request.auth_as(|json| serde_json::from_str(json))?);
        // Dropped with this future, the flight says that the request was abandoned.
        let flight = client.flight(&mut progress, ticket, now());
        if let std::ops::ControlFlow::Break(result) = flight.settle(send(auth).await, reply, now()) {
            return Ok(result?);
        }
    }
}

/// What the server had said. `None`: no answer, or nothing that a homeserver says.
fn reply(error: &matrix_sdk::Error) -> Option<Reply<Vec<u8>>> {
    if let Some(challenge) = error.as_uiaa_response() {
        return Some(Reply::challenge(serde_json::to_vec(challenge).ok()?));
    }
    let error = error.as_client_api_error()?;
    let body = match &error.body {
        ErrorBody::Standard(body) => serde_json::to_vec(body).ok()?,
        ErrorBody::Json(body) => serde_json::to_vec(body).ok()?,
        ErrorBody::NotJson { bytes, .. } => bytes.to_vec(),
    };
    Some(Reply::new(error.status_code.as_u16(), body))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis().try_into().unwrap_or(u64::MAX))
}
