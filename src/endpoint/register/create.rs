//! The account that may be made, once a grant says so.

use serde::{Deserialize, Serialize};

use super::name::Localpart;
use super::request::{RegisterRequest, Registration};
use crate::decode::Version;
use crate::endpoint::checked::Checked;
use crate::endpoint::login::MAX_DEVICE_TEXT_LEN;
use crate::secret::Secret;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, ParamName};
use crate::server::endpoint::Endpoint;
use crate::server::flows::MAX_STAGES;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::Register;
use crate::server::reference::Reference;
use crate::server::seal::{SealedPassword, Sealer};
use crate::server::session::Proof;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// What a client says of its device.
pub type DeviceText = heapless::String<MAX_DEVICE_TEXT_LEN>;

/// What the host keeps beside a session whose request may leave its parameters out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredRegistration {
    version: Version<1>,
    /// The name asked for.
    pub username: Option<Localpart>,
    /// The password, sealed.
    pub password: Option<SealedPassword>,
    /// The device asked for.
    pub device_id: Option<DeviceText>,
    /// Its name.
    pub display_name: Option<DeviceText>,
    /// Whether no login is wanted.
    pub inhibit_login: Option<bool>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: Option<bool>,
}

/// An account that may be made. `H` is the host's hash of its password.
///
/// Make it in one act with everything that belongs to it: the name if it is still free,
/// the 3PIDs the flow proved, the device and its access token.
#[derive(Clone, Debug)]
#[must_use = "the account does not exist until the host makes it"]
#[non_exhaustive]
pub struct NewAccount<H> {
    /// The name; `None`: make one.
    pub username: Option<Localpart>,
    /// The hash of the password.
    pub hash: H,
    /// The device; `None`: make one.
    pub device_id: Option<DeviceText>,
    /// Its name.
    pub display_name: Option<DeviceText>,
    /// Whether to log in.
    pub login: bool,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
    /// The validated 3PIDs that the account is to have.
    pub threepids: heapless::Vec<Reference, MAX_STAGES>,
}

impl Endpoint for Checked<Registration<'_>> {
    type Op = Register;
    type Stored = StoredRegistration;
    type Plan<H: Send> = NewAccount<H>;

    fn call(&self, key: &BindingKey) -> Call<'_, Register> {
        let request = &self.request;
        let username = |name: &Localpart| {
            key.named(const { ParamName::of::<Register>("username") }).text(Text::new(name.as_str()))
        };
        let password = |password: Secret<'_>| {
            key.named(const { ParamName::of::<Register>("password") }).text(password.expose())
        };
        let params = Params::new([
            Param::required(self.username.as_ref().map(username)),
            Param::required(request.password.map(password)),
            Param::free(request.has_login_params().then(|| {
                key.named(const { ParamName::of::<Register>("login") })
                    .part(request.device_id)
                    .part(request.initial_device_display_name)
                    .flag(request.inhibit_login)
                    .flag(request.refresh_token)
                    .finish()
            })),
        ]);
        Call::new(&request.auth).with_params(params)
    }

    fn password(&self) -> Option<Secret<'_>> {
        self.request.password
    }

    fn to_stored(
        &self,
        _: &BindingKey,
        before: Option<StoredRegistration>,
        sealer: Option<Sealer>,
    ) -> StoredRegistration {
        let mut stored = before.unwrap_or_default();
        self.add_to(&mut stored, sealer);
        stored
    }

    fn stored_password(stored: &StoredRegistration) -> Option<&SealedPassword> {
        stored.password.as_ref()
    }

    /// Redeems a grant: which account is to be made.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_MISSING_PARAM` if no password was ever given (rule R6), or
    /// the host lost what it kept; the session stays complete and takes other parameters.
    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<Register>,
        stored: Option<StoredRegistration>,
        hash: Option<H>,
    ) -> Result<NewAccount<H>, Refusal> {
        let lost = grant.needs_stored() && stored.is_none();
        let hash = hash
            .filter(|_| !lost)
            .ok_or(Refusal::for_params(MatrixError::new(ErrorCode::MissingParam, "password is missing.")))?;
        let mut merged = stored.unwrap_or_default();
        self.add_to(&mut merged, None);
        let threepids = grant.proofs().filter_map(|proof| match proof {
            Proof::Threepid(reference) => Some(reference),
            _ => None,
        });
        Ok(NewAccount {
            username: merged.username,
            hash,
            device_id: merged.device_id,
            display_name: merged.display_name,
            login: !merged.inhibit_login.unwrap_or(false),
            refresh_token: merged.refresh_token.unwrap_or(false),
            threepids: threepids.take(MAX_STAGES).collect(),
        })
    }
}

impl Registration<'_> {
    /// Adds what this request gives to what is kept, in its place: it is large.
    #[inline(never)]
    fn add_to(&self, stored: &mut StoredRegistration, sealer: Option<Sealer>) {
        let RegisterRequest { password, device_id, initial_device_display_name, .. } = self.request;
        if self.username.is_some() {
            stored.username.clone_from(&self.username);
        }
        if let Some(sealed) = sealer.zip(password).and_then(|(sealer, password)| sealer.seal(password)) {
            stored.password = Some(sealed);
        }
        keep_text(&mut stored.device_id, device_id);
        keep_text(&mut stored.display_name, initial_device_display_name);
        stored.inhibit_login = self.request.inhibit_login.or(stored.inhibit_login);
        stored.refresh_token = self.request.refresh_token.or(stored.refresh_token);
    }
}

fn keep_text(kept: &mut Option<DeviceText>, given: Option<Text<'_>>) {
    let Some(given) = given else { return };
    let text = kept.get_or_insert_default();
    text.clear();
    // It fits: its length has been checked.
    if !given.chars().all(|c| text.push(c).is_ok()) {
        *kept = None;
    }
}
