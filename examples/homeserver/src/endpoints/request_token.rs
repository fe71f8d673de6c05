//! The six `requestToken` endpoints: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken>
//! and its sisters. They differ in what the token is for, and in the medium.

use crate::addresses;
use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::phones;
use crate::threepids::{self, Wanted};
use crate::who::{self, Peer, user_ref};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use matrix_uia::endpoint::threepid::{
    GivenAddress, Medium, Purpose, RequestTokenRequest, RequestTokenResponse,
};
use matrix_uia::server::account::Action;
use matrix_uia::server::reference::UserRef;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{MatrixError, Text};

/// The six, for [`client_paths`](crate::http::client_paths).
pub(super) fn paths() -> Vec<(String, MethodRouter<SharedApp>)> {
    let mut paths = Vec::new();
    for (parent, purpose) in [
        ("/register", Purpose::Register),
        ("/account/password", Purpose::Reset),
        ("/account/3pid", Purpose::Add),
    ] {
        for medium in Medium::ALL {
            let handler = async move |State(app): State<SharedApp>, peer: Peer, body: JsonBody| {
                request(&app, &peer, &body.0, purpose, medium).await
            };
            paths.push((format!("{parent}/{}/requestToken", medium.name()), post(handler)));
        }
    }
    paths
}

async fn request(
    app: &App,
    peer: &Peer,
    body: &[u8],
    purpose: Purpose,
    medium: Medium,
) -> Result<Response, Failure> {
    let requester = admit(app, peer, purpose).await?;
    let request = RequestTokenRequest::parse(medium, body)?;
    let threepid = match request.address {
        GivenAddress::Email(email) => addresses::threepid(Medium::Email, email)?,
        GivenAddress::Phone { country, number } => phones::threepid(&country.to_cow(), &number.to_cow())?,
        _ => return Err(MatrixError::unrecognized().into()),
    };
    let next_link = request.next_link.map(|link| link.to_cow());
    let id_server = request.id_server.map(|server| server.to_cow());
    let wanted = Wanted {
        purpose,
        requester,
        threepid,
        client_secret: request.client_secret,
        send_attempt: request.send_attempt,
        next_link: next_link.as_deref(),
        id_server: id_server.as_deref(),
    };
    let sid = threepids::request(app, peer, wanted).await?;
    let submit_url = threepids::submit_url(app);
    let mut answered = RequestTokenResponse::new(Text::new(&sid));
    // What comes by SMS is typed in; in an e-mail there is a link.
    answered.submit_url = (medium == Medium::Msisdn).then_some(Text::new(&submit_url));
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = answered.write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

/// Whether the server does at all what the token would be for, and who asks.
async fn admit(app: &App, peer: &Peer, purpose: Purpose) -> Result<Option<UserRef>, Failure> {
    let forbidden = |message| Err(MatrixError::new(ErrorCode::Forbidden, message).into());
    let capabilities = &app.config.capabilities;
    match purpose {
        Purpose::Register => {
            super::legacy(app)?;
            if app.config.registration.enabled { Ok(None) } else { forbidden("Registration is disabled.") }
        }
        Purpose::Reset => {
            super::legacy(app)?;
            // As of the call that it is for (rule R9). A registration's is open to guests, like the registration.
            who::refuse_guest(app, peer).await?;
            if capabilities.change_password {
                Ok(None)
            } else {
                forbidden("Passwords can't be changed here.")
            }
        }
        // Deployed clients ask without their token; one that has it is asked for by that user alone.
        Purpose::Add => {
            let who = who::maybe(app, peer, Action::AddThreepid).await?;
            if capabilities.threepid_changes {
                Ok(who.map(|who| user_ref(&who.user)))
            } else {
                forbidden("Addresses can't be changed here.")
            }
        }
    }
}
