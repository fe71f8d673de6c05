//! [`POST /account/3pid/add`]: giving a validated address to an account.
//!
//! ```text
//!  body ─► AddThreepidRequest ─► check ─► Call ─► exchange ─► Grant ─► plan ─► Addition
//!                                                                                 │
//!                the host gives the address to the account ◄── Binding ◄── bind ◄─┘
//! ```
//!
//! [`POST /account/3pid/add`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::address::Threepid;
use super::check::MAX_SECRET_LEN;
use super::rules::ValidationRules;
use super::validation::Validation;
use crate::decode::Version;
use crate::endpoint::checked::Checked;
use crate::secret::Secret;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, Digest, ParamName};
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::AddThreepid;
use crate::server::reference::UserRef;
use crate::server::seal::Sealer;
use crate::text::Text;
use crate::time::Timestamp;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError, is_session_text};

/// The body of a request to add a 3PID.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AddThreepidRequest<'a> {
    /// The validation session's ID. Missing is no error yet: clients ask for the flows
    /// without it.
    pub sid: Option<Text<'a>>,
    /// The secret of who asked for the validation.
    pub client_secret: Option<Secret<'a>>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

/// 403 `M_FORBIDDEN` unless accounts may change their 3PIDs: the [`m.3pid_changes`
/// capability].
///
/// [`m.3pid_changes` capability]: https://spec.matrix.org/v1.19/client-server-api/#m3pid_changes-capability
pub(super) const fn changes_allowed(enabled: bool) -> Result<(), MatrixError> {
    if enabled {
        Ok(())
    } else {
        Err(MatrixError::new(ErrorCode::Forbidden, "Addresses can't be changed on this server."))
    }
}

impl<'a> AddThreepidRequest<'a> {
    /// A request to add the address of that validation.
    #[must_use]
    pub const fn new(sid: Text<'a>, client_secret: Secret<'a>) -> Self {
        Self { sid: Some(sid), client_secret: Some(client_secret), auth: Auth::Absent }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS; "sid": Text, "client_secret": Text, "auth": Object(AUTH)];
        let mut slots = [Span::NONE; AUTH_SLOTS + 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., sid, client_secret, dict] = &slots;
        Ok(Self {
            sid: sid.text(text),
            client_secret: client_secret.secret(text),
            auth: AuthSpans::of(keys, text).auth(*dict),
        })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text_if("sid", self.sid)?;
        object.secret_if("client_secret", self.client_secret)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate. `enabled` is the
    /// [`m.3pid_changes` capability].
    ///
    /// Whether the address is validated is not: it may be by the time the flow is complete.
    ///
    /// # Errors
    ///
    /// 403 `M_FORBIDDEN` if 3PIDs can't be changed; 400 `M_INVALID_PARAM` if `sid` or
    /// `client_secret` is none.
    ///
    /// [`m.3pid_changes` capability]: https://spec.matrix.org/v1.19/client-server-api/#m3pid_changes-capability
    pub fn check(self, enabled: bool) -> Result<Checked<Self>, MatrixError> {
        changes_allowed(enabled)?;
        let secret = self.client_secret.map(|secret| secret.expose());
        if self.sid.into_iter().chain(secret).all(is_session_text) {
            Ok(Checked::new(self))
        } else {
            Err(MatrixError::new(
                ErrorCode::InvalidParam,
                "sid and client_secret are 1 to 255 characters of [0-9a-zA-Z.=_-].",
            ))
        }
    }
}

/// What the host keeps beside a session whose request may leave its parameters out later:
/// of the secret a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredAddition {
    version: Version<1>,
    /// The validation session's ID.
    pub sid: Option<heapless::String<MAX_SECRET_LEN>>,
    /// The digest of the client's secret.
    pub secret: Option<Digest>,
}

/// An address that may be added, if it proves to be validated.
#[derive(Clone, Debug)]
#[must_use = "nothing is added until the validation is looked up and bound"]
pub struct Addition {
    user: UserRef,
    sid: heapless::String<MAX_SECRET_LEN>,
    secret: Digest,
}

impl Endpoint for Checked<AddThreepidRequest<'_>> {
    type Op = AddThreepid;
    type Stored = StoredAddition;
    type Plan<H: Send> = Addition;

    fn call(&self, key: &BindingKey) -> Call<'_, AddThreepid> {
        let sid = |sid| key.named(const { ParamName::of::<AddThreepid>("sid") }).text(sid);
        let secret = |secret: Secret<'_>| {
            key.named(const { ParamName::of::<AddThreepid>("client_secret") }).text(secret.expose())
        };
        let params = Params::new([
            Param::required(self.sid.map(sid)),
            Param::required(self.client_secret.map(secret)),
        ]);
        Call::new(&self.auth).with_params(params)
    }

    fn to_stored(
        &self,
        key: &BindingKey,
        before: Option<StoredAddition>,
        _: Option<Sealer>,
    ) -> StoredAddition {
        let before = before.unwrap_or_default();
        StoredAddition {
            version: Version,
            sid: self.sid.and_then(|sid| sid.to_fixed().ok()).or(before.sid),
            secret: self.client_secret.map(|secret| key.client_secret(secret)).or(before.secret),
        }
    }

    /// Redeems a grant: which validation is to be looked up.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_MISSING_PARAM` if `sid` or `client_secret` was never given,
    /// or the host lost what it kept; the session stays complete and takes other
    /// parameters.
    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<AddThreepid>,
        stored: Option<StoredAddition>,
        _: Option<H>,
    ) -> Result<Addition, Refusal> {
        let StoredAddition { sid, secret, .. } = self.to_stored(key, stored, None);
        match (grant.user(), sid, secret) {
            (Some(user), Some(sid), Some(secret)) => Ok(Addition { user, sid, secret }),
            _ => Err(Refusal::for_params(MatrixError::new(
                ErrorCode::MissingParam,
                "sid or client_secret is missing.",
            ))),
        }
    }
}

impl Addition {
    /// The validation to look up.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// What is to be bound, now that the host has looked up what it has under
    /// [`sid`](Self::sid). `owner` is who has that validation's address *now*: what was free
    /// when the token was asked for may have been taken.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_THREEPID_AUTH_FAILED` if that is no validation for adding an
    /// address that this user, or nobody by name, asked for and that has been validated;
    /// with 400 `M_THREEPID_IN_USE` if the address has an owner. The session stays complete.
    pub fn bind(
        self,
        found: Option<Validation>,
        owner: Option<UserRef>,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Result<Binding, Refusal> {
        let Self { user, sid: _, secret } = self;
        let usable = found.and_then(|found| found.into_addable(secret, user, rules, now));
        let Some((threepid, validated_at)) = usable else {
            return Err(Refusal::new(Threepid::not_validated()));
        };
        match owner {
            Some(_) => Err(Refusal::new(Threepid::in_use())),
            None => Ok(Binding { user, threepid, validated_at }),
        }
    }
}

/// An address that is to be given to an account: in one act with removing the validation,
/// which is used up.
#[derive(Clone, Debug)]
#[must_use = "nothing is added until the host does it"]
pub struct Binding {
    user: UserRef,
    threepid: Threepid,
    validated_at: Timestamp,
}

impl Binding {
    /// Whose it is to be.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// The address.
    #[must_use]
    pub const fn threepid(&self) -> &Threepid {
        &self.threepid
    }

    /// When it was validated.
    #[must_use]
    pub const fn validated_at(&self) -> Timestamp {
        self.validated_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_reads_the_validation_that_the_client_writes() {
        let mut body = std::string::String::new();
        AddThreepidRequest::new(Text::new("1"), Secret::new("s")).write(&mut body).unwrap();
        let read = AddThreepidRequest::parse(body.as_bytes()).unwrap();
        assert_eq!((read.sid, read.client_secret.unwrap().expose()), (Some(Text::new("1")), "s".into()));
    }
}
