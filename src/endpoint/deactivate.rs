//! [`POST /account/deactivate`]: a resumable value that says what is left to be done.
//!
//! ```text
//!  Grant ─► begin ─► Deactivation ─► effect() ─► the host does it ─► done() ─┐
//!                        ▲             Fence first, MarkDeactivated last     │
//!                        └───────────────── store it, go on ◄────────────────┘
//! ```
//!
//! The account is fenced first: from then on no way in works, whatever becomes of the
//! rest. After a crash the stored value says what is left; every effect may be done
//! twice.
//!
//! [`POST /account/deactivate`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::server::denied::Denied;
use crate::server::digest::BindingKey;
use crate::server::operation::{Deactivate, Subject, UserRef};
use crate::server::session::{Call, Grant, Params, Receipt};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, MAX_FIELD_LEN, ParseError};

/// Longest name of an identity server, in bytes.
pub const MAX_ID_SERVER_LEN: usize = MAX_FIELD_LEN;

/// 400 `M_INVALID_PARAM` for a name that no identity server can have.
pub(crate) fn check_id_server(server: Option<Text<'_>>) -> Result<(), MatrixError> {
    match server {
        Some(server) if server.is_empty() || server.len() > MAX_ID_SERVER_LEN => {
            Err(MatrixError::new(ErrorCode::InvalidParam, "id_server is not a server name."))
        }
        _ => Ok(()),
    }
}

/// The name of an identity server.
pub type IdServer = heapless::String<MAX_ID_SERVER_LEN>;

/// The body of a request to deactivate an account.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeactivateRequest<'a> {
    /// The identity server to unbind all 3PIDs from.
    pub id_server: Option<Text<'a>>,
    /// Whether content is to be erased as far as possible; absent means no.
    pub erase: Option<bool>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> DeactivateRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS; "id_server": Text, "erase": Flag, "auth": Object(AUTH)];
        let mut slots = [Span::NONE; AUTH_SLOTS + 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., id_server, erase, dict] = &slots;
        Ok(Self {
            id_server: id_server.text(text),
            erase: erase.flag(text),
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
        object.text_if("id_server", self.id_server)?;
        object.boolean_if("erase", self.erase)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if `id_server` is empty or longer than
    /// [`MAX_ID_SERVER_LEN`] bytes.
    pub fn check(&self) -> Result<(), MatrixError> {
        check_id_server(self.id_server)
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Option<Subject>) -> Call<'a, Deactivate> {
        let params = key.params::<Deactivate>().text(self.id_server).boolean(self.erase);
        Call::new(self.auth, subject).with_params(params.finish())
    }
}

/// What the host keeps with a session whose request may leave its parameters out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptDeactivation {
    /// The identity server to unbind from.
    pub id_server: Option<IdServer>,
    /// Whether content is to be erased.
    pub erase: bool,
}

impl KeptDeactivation {
    /// What to keep of a `request` that has been [checked](DeactivateRequest::check).
    #[must_use]
    pub fn of(request: &DeactivateRequest<'_>) -> Self {
        Self {
            id_server: request.id_server.and_then(|server| server.to_fixed().ok()),
            erase: request.erase.unwrap_or(false),
        }
    }
}

/// One thing to be done. Each may be done twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Effect {
    /// Put the account's status on [`Event::Fence`], count its epoch up, and end its
    /// open UIA sessions. From here on no login, no reset, no token, no new session.
    ///
    /// [`Event::Fence`]: crate::endpoint::account::Event::Fence
    Fence,
    /// Unbind each 3PID where [`Deactivation::unbind_at`] says, then call
    /// [`Deactivation::unbound`].
    UnbindThreepids,
    /// Remove the 3PIDs from the account, and pending validations of it: the addresses
    /// are free again.
    RemoveThreepids,
    /// End all devices, access and refresh tokens.
    EndDevices,
    /// Remove the password.
    RemovePassword,
    /// Remove pushers.
    RemovePushers,
    /// Remove key backups.
    RemoveKeyBackups,
    /// Remove account data.
    RemoveAccountData,
    /// Remove the profile. Only with erasure.
    RemoveProfile,
    /// Remove the entry in the user directory.
    RemoveDirectoryEntry,
    /// MatrixError invites and knocks, leave all rooms.
    LeaveRooms,
    /// Put the account's status on [`Event::Erase`]. Only with erasure.
    ///
    /// [`Event::Erase`]: crate::endpoint::account::Event::Erase
    MarkErased,
    /// Put the account's status on [`Event::Finish`].
    ///
    /// [`Event::Finish`]: crate::endpoint::account::Event::Finish
    MarkDeactivated,
}

impl Effect {
    /// All effects, in the order that is safe.
    const ORDER: [Self; 13] = [
        Self::Fence,
        Self::UnbindThreepids,
        Self::RemoveThreepids,
        Self::EndDevices,
        Self::RemovePassword,
        Self::RemovePushers,
        Self::RemoveKeyBackups,
        Self::RemoveAccountData,
        Self::RemoveProfile,
        Self::RemoveDirectoryEntry,
        Self::LeaveRooms,
        Self::MarkErased,
        Self::MarkDeactivated,
    ];

    const fn only_with_erasure(self) -> bool {
        matches!(self, Self::RemoveProfile | Self::MarkErased)
    }
}

/// A deactivation that has begun: the value the host stores until it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a dropped deactivation leaves the account half-way"]
pub struct Deactivation {
    user: UserRef,
    id_server: Option<IdServer>,
    erase: bool,
    /// How many effects of [`Effect::ORDER`] are behind.
    done: u8,
    /// Whether an identity server could not unbind.
    unbind_failed: bool,
}

/// Redeems a grant: the deactivation begins.
///
/// Store the value and carry out its first effect in one transaction if the store has
/// them, else in this order; then go on until [`effect`](Deactivation::effect) is `None`.
///
/// # Errors
///
/// [`Denied`] with 403 `M_FORBIDDEN` if the flow named nobody, and with 400
/// `M_MISSING_PARAM` if the host lost what it kept: an erasure that was asked for is
/// never silently left out.
pub fn begin(
    grant: Grant<Deactivate>,
    request: &DeactivateRequest<'_>,
    kept: Option<KeptDeactivation>,
) -> Result<(Deactivation, Receipt), Denied> {
    let params = match grant.params() {
        Params::Request => Some(KeptDeactivation::of(request)),
        Params::Kept => kept,
        Params::Never => Some(KeptDeactivation::default()),
    };
    let user = grant.user();
    let receipt = grant.redeem();
    let Some(user) = user else {
        let nobody = MatrixError::new(
            ErrorCode::Forbidden,
            "The authentication did not say which account to deactivate.",
        );
        return Err(Denied::new(nobody, receipt));
    };
    let Some(KeptDeactivation { id_server, erase }) = params else {
        let lost =
            MatrixError::new(ErrorCode::MissingParam, "The parameters of the request have to be repeated.");
        return Err(Denied::for_params(lost, receipt));
    };
    Ok((Deactivation { user, id_server, erase, done: 0, unbind_failed: false }, receipt))
}

impl Deactivation {
    /// Who is deactivated.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// Whether content is to be erased.
    #[must_use]
    pub const fn erases(&self) -> bool {
        self.erase
    }

    /// What is to be done next; `None` when all is done.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        let left = Effect::ORDER.iter().skip(usize::from(self.done)).copied();
        left.into_iter().find(|effect| self.erase || !effect.only_with_erasure())
    }

    /// The identity server at which a 3PID is to be unbound that was bound at `bound_at`
    /// as far as the host knows. `None`: nobody knows where, so it can't be.
    #[must_use]
    pub fn unbind_at<'s>(&'s self, bound_at: Option<&'s str>) -> Option<&'s str> {
        self.id_server.as_deref().or(bound_at)
    }

    /// The value once [`effect`](Self::effect) has been carried out.
    ///
    /// After [`Effect::UnbindThreepids`] call [`unbound`](Self::unbound) instead; `done`
    /// takes it that nothing could be unbound.
    pub fn done(self) -> Self {
        if self.effect() == Some(Effect::UnbindThreepids) { self.unbound(false) } else { self.advanced() }
    }

    /// The value once every 3PID has been tried: were `all` unbound (or was there none)?
    ///
    /// An identity server that refuses or can't be reached never stops a deactivation.
    pub fn unbound(mut self, all: bool) -> Self {
        if self.effect() == Some(Effect::UnbindThreepids) {
            self.unbind_failed |= !all;
            self.advanced()
        } else {
            self
        }
    }

    fn advanced(mut self) -> Self {
        let next = self.effect().and_then(|effect| Effect::ORDER.iter().position(|it| *it == effect));
        if let Some(index) = next {
            self.done = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
        }
        self
    }

    /// The answer, once nothing is left to be done.
    #[must_use]
    pub fn response(&self) -> Option<DeactivateResponse> {
        let id_server_unbind_result = UnbindResult::of(!self.unbind_failed);
        self.effect().is_none().then_some(DeactivateResponse { id_server_unbind_result })
    }
}

/// The answer to a deactivation; the spec requires its one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeactivateResponse {
    /// Whether all 3PIDs were unbound.
    pub id_server_unbind_result: UnbindResult,
}

/// Whether all 3PIDs were unbound from their identity servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "the spec lists exactly these two")]
pub enum UnbindResult {
    /// All were, or there was none.
    Success,
    /// At least one was not.
    NoSupport,
}

impl UnbindResult {
    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoSupport => "no-support",
        }
    }

    /// Whether `all` were unbound.
    pub(crate) const fn of(all: bool) -> Self {
        if all { Self::Success } else { Self::NoSupport }
    }

    /// The body of which it is the one key.
    pub(crate) fn write(self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("id_server_unbind_result", Text::new(self.name()))?;
        object.end()
    }

    fn from_text(text: Text<'_>) -> Option<Self> {
        [Self::Success, Self::NoSupport].into_iter().find(|result| text == result.name())
    }
}

impl DeactivateResponse {
    /// Reads the body, as a client.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; also if the one key that the spec
    /// requires is missing or has another value than the two it allows.
    #[inline(never)]
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "id_server_unbind_result": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [result] = slots;
        let id_server_unbind_result = result.text(text).and_then(UnbindResult::from_text);
        Ok(Self { id_server_unbind_result: id_server_unbind_result.ok_or(ParseError::WrongType)? })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        self.id_server_unbind_result.write(out)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn begun(erase: bool) -> Deactivation {
        Deactivation { user: UserRef::new(1), id_server: None, erase, done: 0, unbind_failed: false }
    }

    fn walk(mut progress: Deactivation) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = progress.effect() {
            assert_eq!(progress.response(), None);
            effects.push(effect);
            progress =
                if effect == Effect::UnbindThreepids { progress.unbound(true) } else { progress.done() };
        }
        assert_eq!(progress.response().unwrap().id_server_unbind_result, UnbindResult::Success);
        effects
    }

    #[test]
    fn the_fence_comes_first_and_the_mark_last() {
        let effects = walk(begun(true));
        assert_eq!(effects, Effect::ORDER);
        let without: Vec<_> =
            Effect::ORDER.into_iter().filter(|effect| !effect.only_with_erasure()).collect();
        assert_eq!(walk(begun(false)), without);
    }

    #[test]
    fn an_unbinding_nobody_reported_counts_as_failed() {
        let mut progress = begun(false);
        while progress.effect().is_some() {
            progress = progress.done();
        }
        assert_eq!(progress.response().unwrap().id_server_unbind_result, UnbindResult::NoSupport);
    }

    #[test]
    fn an_answer_is_read_back_and_one_without_its_key_refused() {
        for id_server_unbind_result in [UnbindResult::Success, UnbindResult::NoSupport] {
            let mut body = std::string::String::new();
            let response = DeactivateResponse { id_server_unbind_result };
            response.write(&mut body).unwrap();
            assert_eq!(DeactivateResponse::parse(body.as_bytes()), Ok(response));
        }
        for odd in [r"{}", r#"{"id_server_unbind_result":"maybe"}"#, r#"{"id_server_unbind_result":null}"#] {
            assert!(DeactivateResponse::parse(odd.as_bytes()).is_err(), "{odd}");
        }
    }

    #[test]
    fn it_resumes_from_every_point() {
        let mut progress = begun(true);
        while let Some(effect) = progress.effect() {
            let stored = serde_json::to_string(&progress).unwrap();
            let resumed: Deactivation = serde_json::from_str(&stored).unwrap();
            assert_eq!(resumed.effect(), Some(effect));
            assert_eq!(resumed, progress);
            progress = resumed.done();
        }
    }
}
