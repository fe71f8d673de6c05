//! [`POST /account/3pid/add`]: giving a validated address to an account.
//!
//! ```text
//!  body ─► AddThreepidRequest ─► check ─► Call ─► Guard ─► Grant ─► add ─► Addition
//!                                                                             │
//!            the host gives the address to the account ◄── Binding ◄── bind ◄─┘
//! ```
//!
//! [`POST /account/3pid/add`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd

use serde::{Deserialize, Serialize};

use super::{MAX_SECRET_LEN, Purpose, Threepid, Validation, ValidationRules};
use crate::server::denied::Denied;
use crate::server::digest::{BindingKey, Digest};
use crate::server::operation::{AddThreepid, Subject, UserRef};
use crate::server::session::{Call, Grant, Params, Receipt};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError, is_session_text};
use crate::{Secret, Text, Timestamp};

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
    pub fn check(&self, enabled: bool) -> Result<(), MatrixError> {
        changes_allowed(enabled)?;
        let secret = self.client_secret.map(|secret| secret.expose());
        if self.sid.into_iter().chain(secret).all(is_session_text) {
            Ok(())
        } else {
            Err(MatrixError::new(
                ErrorCode::InvalidParam,
                "sid and client_secret are 1 to 255 characters of [0-9a-zA-Z.=_-].",
            ))
        }
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Subject) -> Call<'a, AddThreepid> {
        let params =
            key.params::<AddThreepid>().text(self.sid).text(self.client_secret.map(|secret| secret.expose()));
        Call::new(self.auth, Some(subject)).with_params(params.finish())
    }
}

/// What the host keeps with a session whose request may leave its parameters out later: of
/// the secret a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptAddition {
    /// The validation session's ID.
    pub sid: heapless::String<MAX_SECRET_LEN>,
    /// The digest of the client's secret.
    pub secret: Digest,
}

impl KeptAddition {
    /// What to keep of a `request` that has been [checked](AddThreepidRequest::check);
    /// `None` if one of the two is missing.
    #[must_use]
    pub fn of(request: &AddThreepidRequest<'_>, key: &BindingKey) -> Option<Self> {
        let sid = request.sid?.to_fixed().ok()?;
        Some(Self { sid, secret: key.client_secret(request.client_secret?) })
    }
}

/// An address that may be added, if it proves to be validated.
#[derive(Debug)]
#[must_use = "nothing is added until the validation is looked up and bound"]
pub struct Addition {
    user: UserRef,
    wanted: KeptAddition,
    receipt: Receipt,
}

/// Redeems a grant: which validation is to be looked up.
///
/// # Errors
///
/// [`Denied`] with 400 `M_MISSING_PARAM` if `sid` or `client_secret` was never given, or the
/// host lost what it kept; the session stays complete and takes other parameters.
pub fn add(
    grant: Grant<AddThreepid>,
    request: &AddThreepidRequest<'_>,
    kept: Option<KeptAddition>,
    key: &BindingKey,
) -> Result<Addition, Denied> {
    let wanted = match grant.params() {
        Params::Request => KeptAddition::of(request, key),
        Params::Kept => kept,
        Params::Never => None,
    };
    let user = grant.user();
    let receipt = grant.redeem();
    match (user, wanted) {
        (Some(user), Some(wanted)) => Ok(Addition { user, wanted, receipt }),
        _ => {
            let missing = MatrixError::new(ErrorCode::MissingParam, "sid or client_secret is missing.");
            Err(Denied::for_params(missing, receipt))
        }
    }
}

impl Addition {
    /// The validation to look up.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.wanted.sid
    }

    /// What is to be bound, now that the host has looked up what it has under
    /// [`sid`](Self::sid). `owner` is who has that validation's address *now*: what was free
    /// when the token was asked for may have been taken.
    ///
    /// # Errors
    ///
    /// [`Denied`] with 400 `M_THREEPID_AUTH_FAILED` if that is no validation for adding an
    /// address that this user, or nobody by name, asked for and that has been validated;
    /// with 400 `M_THREEPID_IN_USE` if the address has an owner. The session stays complete.
    pub fn bind(
        self,
        found: Option<Validation>,
        owner: Option<UserRef>,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Result<Binding, Denied> {
        let Self { user, wanted, receipt } = self;
        let usable = found.and_then(|found| found.usable(Purpose::Add, wanted.secret, user, rules, now));
        let Some((threepid, validated_at)) = usable else {
            return Err(Denied::new(Threepid::not_validated(), receipt));
        };
        match owner {
            Some(_) => Err(Denied::new(Threepid::in_use(), receipt)),
            None => Ok(Binding { user, threepid, validated_at, receipt }),
        }
    }
}

/// An address that is to be given to an account: in one act with removing the validation,
/// which is used up.
#[derive(Debug)]
#[must_use = "nothing is added until the host does it"]
pub struct Binding {
    user: UserRef,
    threepid: Threepid,
    validated_at: Timestamp,
    receipt: Receipt,
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

    /// How the session ends, once it is known.
    pub fn receipt(self) -> Receipt {
        self.receipt
    }

    /// It turned out that it can't be done.
    pub fn denied(self, reject: MatrixError) -> Denied {
        Denied::new(reject, self.receipt)
    }
}
