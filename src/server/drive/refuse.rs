//! A request that is refused before it has been checked.

use core::future::Future;

use super::host::{Changes, Guarded, Host, Loaded, Stop};
use crate::server::call::RefusedCall;
use crate::server::endpoint::Endpoint;
use crate::server::exchange::{Exchange, Incoming};
use crate::server::respond::Respond;
use crate::time::Timestamp;

/// Ends a request whose parameters are refused before it can be checked: if it belongs to
/// a session, other parameters may be sent there (rule U14).
///
/// What it returns is to be answered.
#[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
pub fn refuse<'r, H: Host<'r, E>, E: Endpoint>(
    host: &mut H,
    guarded: Guarded<'r, E::Op>,
    refused: RefusedCall<'r, E::Op>,
    arrived: Timestamp,
) -> impl Future<Output = Stop<'r, H::Error>> + Send {
    async move {
        let Guarded { flows, rules, kind, .. } = guarded;
        let error = refused.error;
        let mut incoming = Incoming::refused(flows, rules, kind, refused, arrived);
        let mut exchange = incoming.exchange();
        loop {
            exchange = match exchange {
                Exchange::Load(load) => match host.load(load.session_id()).await {
                    Ok(Loaded { session, stored: _, caller, now }) => {
                        load.found(session.as_ref(), caller, now)
                    }
                    Err(error) => return Stop::Host(error),
                },
                Exchange::Account(account) => match host.account(account.user()).await {
                    Ok(found) => account.found(found),
                    Err(error) => return Stop::Host(error),
                },
                Exchange::Commit(commit) => match host.commit(Changes::of(commit.work()), None).await {
                    Ok(committed) => commit.committed(committed),
                    Err(error) => return Stop::Host(error),
                },
                Exchange::Respond(respond) => return Stop::Respond(respond),
                // It is refused before any of these is asked.
                Exchange::Admit(_)
                | Exchange::Recall(_)
                | Exchange::Verify(_)
                | Exchange::Hash(_)
                | Exchange::Perform(_)
                | Exchange::Repeat(_) => return Stop::Respond(Respond::Error(error)),
            }
        }
    }
}

/// The request, if its check lets it pass; else ends it as [`refuse`] does.
///
/// ```
/// use matrix_uia::endpoint::Checked;
/// use matrix_uia::endpoint::password::PasswordStrength;
/// use matrix_uia::endpoint::register::{RegisterRequest, Registration};
/// use matrix_uia::server::{drive, prelude::*};
///
/// async fn begin<'r, H: Host<'r, Checked<Registration<'r>>, Error = MatrixError>>(
///     body: &'r [u8],
///     host: &mut H,
///     guarded: Guarded<'r, Register>,
///     now: Timestamp,
/// ) -> Result<Checked<Registration<'r>>, Respond<'r>> {
///     let request = RegisterRequest::parse(body)?;
///     let checked = request.check(&PasswordStrength::default(), "example.org");
///     Ok(drive::checked(checked, host, guarded, now).await?)
/// }
/// ```
///
/// # Errors
///
/// [`Stop`] is what to answer instead.
#[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
pub fn checked<'r, H: Host<'r, E>, E: Endpoint + Send>(
    checked: Result<E, RefusedCall<'r, E::Op>>,
    host: &mut H,
    guarded: Guarded<'r, E::Op>,
    arrived: Timestamp,
) -> impl Future<Output = Result<E, Stop<'r, H::Error>>> + Send {
    async move {
        match checked {
            Ok(request) => Ok(request),
            Err(refused) => Err(refuse::<H, E>(host, guarded, refused, arrived).await),
        }
    }
}
