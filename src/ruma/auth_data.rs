//! The auth dict, identifiers and 3PID credentials.

use alloc::string::String;

use ruma_client_api::uiaa;
use ruma_common::thirdparty::Medium;
use ruma_common::{OwnedClientSecret, OwnedSessionId};

use super::{Encoded, Unconvertible};
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::{self, Auth, AuthData, AuthType, ThreepidCreds, UserIdentifier};

/// The auth dict as ruma has it; `None` if there is none.
///
/// Only a type that ruma has no constructor for (`m.login.email.identity`,
/// `m.login.msisdn`, and what it calls custom) goes through JSON, and through ruma's
/// parser of it, never its `AuthData::new`: that reads the registration token's stage by
/// the name `m.registration_token`, which nobody sends (lesson 48).
///
/// # Security
///
/// What this makes in between is wiped. Ruma's value is not when it is dropped.
///
/// # Errors
///
/// [`Unconvertible`] if a key of the dict is at fault, or ruma can't hold what it says, as
/// the table of [the module](super) lists.
pub fn auth_data(auth: &Auth<'_>) -> Result<Option<uiaa::AuthData>, Unconvertible> {
    let (session, auth_type, data) = match auth {
        Auth::Absent => return Ok(None),
        Auth::Poll { session } => {
            return Ok(Some(uiaa::AuthData::fallback_acknowledgement(exposed(session))));
        }
        Auth::Attempt { session, auth_type, data } => (session.as_ref().map(exposed), auth_type, (*data)?),
    };
    Ok(Some(match (auth_type, data) {
        (AuthType::Password, AuthData::Password { identifier, password }) => {
            let mut theirs = uiaa::Password::new(identifier.into(), exposed(&password));
            theirs.session = session;
            uiaa::AuthData::Password(theirs)
        }
        (AuthType::Recaptcha, AuthData::Recaptcha { response }) => {
            let mut theirs = uiaa::ReCaptcha::new(exposed(&response));
            theirs.session = session;
            uiaa::AuthData::ReCaptcha(theirs)
        }
        (AuthType::RegistrationToken, AuthData::RegistrationToken { token }) => {
            let mut theirs = uiaa::RegistrationToken::new(exposed(&token));
            theirs.session = session;
            uiaa::AuthData::RegistrationToken(theirs)
        }
        (AuthType::Dummy, AuthData::Dummy) => {
            let mut theirs = uiaa::Dummy::new();
            theirs.session = session;
            uiaa::AuthData::Dummy(theirs)
        }
        (AuthType::Terms, AuthData::Terms) => {
            let mut theirs = uiaa::Terms::new();
            theirs.session = session;
            uiaa::AuthData::Terms(theirs)
        }
        (AuthType::OAuth, AuthData::OAuth) => {
            let mut theirs = uiaa::OAuth::new();
            theirs.session = session;
            uiaa::AuthData::OAuth(theirs)
        }
        (_, AuthData::EmailIdentity(creds) | AuthData::Msisdn(creds)) => {
            uiaa::ThirdpartyIdCredentials::try_from(&creds)?;
            through_json(auth, "threepid_creds")?
        }
        _ => through_json(auth, "data")?,
    }))
}

/// The same dict, read by ruma's own parser; `key` is named if it can't.
fn through_json(auth: &Auth<'_>, key: &'static str) -> Result<uiaa::AuthData, Unconvertible> {
    let mut encoded = Encoded::default();
    auth.write(&mut encoded).map_err(|_| Unconvertible::NoPlace(key))?;
    serde_json::from_slice(encoded.as_bytes()).map_err(|_| Unconvertible::NoPlace(key))
}

/// Ruma keeps secrets as plain text.
fn exposed(secret: &Secret<'_>) -> String {
    secret.expose().to_exact()
}

impl From<AuthType<'_>> for uiaa::AuthType {
    fn from(auth_type: AuthType<'_>) -> Self {
        Self::from(&*auth_type.name().to_cow())
    }
}

impl<'a> From<&'a uiaa::AuthType> for AuthType<'a> {
    fn from(auth_type: &'a uiaa::AuthType) -> Self {
        Self::from(auth_type.as_str())
    }
}

impl From<UserIdentifier<'_>> for uiaa::UserIdentifier {
    fn from(identifier: UserIdentifier<'_>) -> Self {
        match identifier {
            UserIdentifier::User(user) => Self::Matrix(uiaa::MatrixUserIdentifier::new(user.to_exact())),
            UserIdentifier::Thirdparty { medium, address } => {
                Self::third_party_id(Medium::from(medium.to_exact()), address.to_exact())
            }
            UserIdentifier::Phone { country, phone } => {
                Self::PhoneNumber(uiaa::PhoneNumberUserIdentifier::new(country.to_exact(), phone.to_exact()))
            }
        }
    }
}

/// Fails for a type of identifier that is somebody's own, and for text beyond the bounds.
impl<'a> TryFrom<&'a uiaa::UserIdentifier> for UserIdentifier<'a> {
    type Error = Unconvertible;

    fn try_from(identifier: &'a uiaa::UserIdentifier) -> Result<Self, Unconvertible> {
        let ours = match identifier {
            uiaa::UserIdentifier::Matrix(id) => Self::User(Text::new(&id.user)),
            uiaa::UserIdentifier::PhoneNumber(id) => {
                Self::Phone { country: Text::new(&id.country), phone: Text::new(&id.phone) }
            }
            other => match other.as_third_party_id() {
                Some((medium, address)) => {
                    Self::Thirdparty { medium: Text::new(medium.as_str()), address: Text::new(address) }
                }
                None => return Err(Unconvertible::NoPlace("identifier.type")),
            },
        };
        wire::bounded_identifier(&ours)?;
        Ok(ours)
    }
}

/// Fails for credentials made by hand, of a form that no auth dict could have brought.
impl TryFrom<&ThreepidCreds<'_>> for uiaa::ThirdpartyIdCredentials {
    type Error = Unconvertible;

    fn try_from(creds: &ThreepidCreds<'_>) -> Result<Self, Unconvertible> {
        let sid = OwnedSessionId::try_from(creds.sid.to_exact());
        let client_secret = OwnedClientSecret::try_from(exposed(&creds.client_secret));
        let mut theirs = Self::new(
            sid.map_err(|_| Unconvertible::NoPlace("sid"))?,
            client_secret.map_err(|_| Unconvertible::NoPlace("client_secret"))?,
        );
        theirs.id_server = creds.id_server.map(Text::to_exact);
        theirs.id_access_token = creds.id_access_token.as_ref().map(exposed);
        Ok(theirs)
    }
}

/// Fails where ruma's grammar is wider: it takes a `client_secret` with the letters and
/// digits of every script.
impl<'a> TryFrom<&'a uiaa::ThirdpartyIdCredentials> for ThreepidCreds<'a> {
    type Error = Unconvertible;

    fn try_from(creds: &'a uiaa::ThirdpartyIdCredentials) -> Result<Self, Unconvertible> {
        let mut ours = Self::new(Text::new(creds.sid.as_str()), Secret::new(creds.client_secret.as_str()));
        ours.id_server = creds.id_server.as_deref().map(Text::new);
        ours.id_access_token = creds.id_access_token.as_deref().map(Secret::new);
        ours.check()?;
        Ok(ours)
    }
}
