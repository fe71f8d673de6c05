//! A registration that may make a guest a full user (rule R9): `guest_access_token` says which.
//!
//! It is no parameter that is bound: whichever token a request carries has to be that guest's own. What the session
//! keeps of it is a digest, for requests that leave it out.

use crate::db::users::{self, Phase, User};
use crate::db::{Tx, tokens};
use crate::failure::Failure;
use crate::password::PasswordHash;
use crate::secrets::SecretHash;
use crate::who;
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::register::{Localpart, NewAccount, Registration, StoredRegistration};
use matrix_uia::server::account::Action;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::{Grant, Refusal};
use matrix_uia::server::operation::Register;
use matrix_uia::server::seal::{SealedPassword, Sealer};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{BindingKey, Call, MatrixError, Secret};
use memchr::memchr;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::LazyLock;

/// The parameter that has the guest's token.
const NAME: &str = "guest_access_token";

/// Finds its name in a body.
static IN_BODY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));

/// A registration, and the guest that it is to become one of.
#[derive(Debug)]
pub struct Upgradable<'a> {
    pub registration: Checked<Registration<'a>>,
    /// The digest of the guest's token.
    pub guest: Option<SecretHash>,
}

/// What is kept of one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct StoredUpgradable {
    /// On the heap: it is large, and is passed on several times.
    registration: Box<StoredRegistration>,
    guest: Option<SecretHash>,
}

/// The account that may be made.
#[derive(Debug)]
pub struct Upgrade<H> {
    pub account: NewAccount<H>,
    pub guest: Option<SecretHash>,
}

/// The digest of a body's `guest_access_token`, if it has one. The body has been read as a registration's.
///
/// # Errors
///
/// 400 `M_BAD_JSON` if it is no text.
pub fn token_of(body: &[u8]) -> Result<Option<SecretHash>, MatrixError> {
    // Few bodies have one, so most are not read again: the name can't be there, unless some of it is escaped.
    if memchr(b'\\', body).is_none() && IN_BODY.find(body).is_none() {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow, default)]
        guest_access_token: Option<Cow<'a, str>>,
    }
    let wrong_type = MatrixError::new(ErrorCode::BadJson, "guest_access_token is not a string.");
    let given: Given<'_> = serde_json::from_slice(body).map_err(|_| wrong_type)?;
    Ok(given.guest_access_token.map(|token| SecretHash::of(token.as_bytes())))
}

/// The guest whose token it is, on which device, and whose name is asked for.
///
/// # Errors
///
/// 403 `M_FORBIDDEN` if the token isn't the own of a guest of that name, and what the account's status says.
pub fn find(tx: &Tx, token: &SecretHash, name: Option<&Localpart>) -> Result<(User, String), Failure> {
    let missing = MatrixError::new(ErrorCode::MissingParam, "username is missing: it is the guest's.");
    let name = name.ok_or(Refusal::for_params(missing))?;
    let forbidden = MatrixError::new(ErrorCode::Forbidden, "This is not the access token of that guest.");
    let found = tokens::owner(tx, token)?.filter(|(user, _, replaced)| {
        user.guest && !replaced && user.phase == Phase::Active && user.localpart == name.as_str()
    });
    let (user, device_id, _) = found.ok_or(Refusal::for_params(forbidden))?;
    who::status(&user).gate(Action::WhoAmI)?;
    Ok((user, device_id))
}

/// Makes the guest a full user. Its devices stay; the token that it had is replaced by what the answer has.
///
/// # Errors
///
/// As of [`find`].
pub fn upgrade(tx: &Tx, token: &SecretHash, account: &NewAccount<PasswordHash>) -> Result<User, Failure> {
    let (user, device_id) = find(tx, token, account.username.as_ref())?;
    users::set_password(tx, user.key, Some(&account.hash))?;
    users::set_full(tx, user.key)?;
    tokens::replace(tx, user.key, &device_id)?;
    Ok(user)
}

impl Endpoint for Upgradable<'_> {
    type Op = Register;
    type Stored = StoredUpgradable;
    // On the heap, too: it is in every step of the exchange.
    type Plan<H: Send> = Box<Upgrade<H>>;

    fn call(&self, key: &BindingKey) -> Call<'_, Register> {
        self.registration.call(key)
    }

    fn password(&self) -> Option<Secret<'_>> {
        self.registration.password()
    }

    fn to_stored(
        &self,
        key: &BindingKey,
        before: Option<StoredUpgradable>,
        sealer: Option<Sealer>,
    ) -> StoredUpgradable {
        let (before, guest) = before.map(|before| (*before.registration, before.guest)).unzip();
        StoredUpgradable {
            registration: Box::new(self.registration.to_stored(key, before, sealer)),
            guest: self.guest.or(guest.flatten()),
        }
    }

    fn stored_password(stored: &StoredUpgradable) -> Option<&SealedPassword> {
        Checked::<Registration<'_>>::stored_password(&stored.registration)
    }

    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<Register>,
        stored: Option<StoredUpgradable>,
        hash: Option<H>,
    ) -> Result<Box<Upgrade<H>>, Refusal> {
        let (stored, guest) = stored.map(|stored| (*stored.registration, stored.guest)).unzip();
        let account = self.registration.plan(key, grant, stored, hash)?;
        Ok(Box::new(Upgrade { account, guest: self.guest.or(guest.flatten()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r09_a_guests_token_is_found_however_its_name_is_written() {
        let digest = Some(SecretHash::of(b"secret"));
        for (body, expected) in [
            (r#"{"guest_access_token":"secret"}"#, digest),
            (r#"{"guest\u005faccess_token":"secret"}"#, digest),
            (r#"{"username":"guest_access_token"}"#, None),
            (r#"{"username":"guest\\_access_token"}"#, None),
            (r#"{"guest_access_tokens":"secret"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(token_of(body.as_bytes()).unwrap(), expected, "{body}");
        }
        assert!(token_of(br#"{"guest_access_token":1}"#).is_err());
    }
}
