//! The deactivation that may begin, once a grant says so.

use serde::{Deserialize, Serialize};

use super::progress::Deactivation;
use super::request::{DeactivateRequest, IdServer};
use crate::decode::Version;
use crate::endpoint::checked::Checked;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, ParamDigest, ParamName};
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::Deactivate;
use crate::server::seal::Sealer;
use crate::wire::error::{ErrorCode, MatrixError};

/// What the host keeps beside a session whose request may leave its parameters out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredDeactivation {
    version: Version<1>,
    /// The identity server to unbind from.
    pub id_server: Option<IdServer>,
    /// Whether content is to be erased.
    pub erase: Option<bool>,
}

impl Endpoint for Checked<DeactivateRequest<'_>> {
    type Op = Deactivate;
    type Stored = StoredDeactivation;
    type Plan<H: Send> = Deactivation;

    fn call(&self, key: &BindingKey) -> Call<'_, Deactivate> {
        let digest = |server| key.named(const { ParamName::of::<Deactivate>("id_server") }).text(server);
        let params = Params::new([
            Param::optional(self.id_server.map(digest), ParamDigest::ABSENT),
            Param::optional(self.erase.map(ParamDigest::boolean), ParamDigest::boolean(false)),
        ]);
        Call::new(&self.auth).with_params(params)
    }

    fn to_stored(
        &self,
        _: &BindingKey,
        before: Option<StoredDeactivation>,
        _: Option<Sealer>,
    ) -> StoredDeactivation {
        let before = before.unwrap_or_default();
        StoredDeactivation {
            version: Version,
            id_server: self.id_server.and_then(|server| server.to_fixed().ok()).or(before.id_server),
            erase: self.erase.or(before.erase),
        }
    }

    /// Redeems a grant: the deactivation begins.
    ///
    /// Store the value and carry out its first effect in one transaction if the store has
    /// them, else in this order; then go on until [`effect`](Deactivation::effect) is
    /// `None`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with 403 `M_FORBIDDEN` if the flow named nobody, and with 400
    /// `M_MISSING_PARAM` if the host lost what it kept: an erasure that was asked for is
    /// never silently left out.
    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<Deactivate>,
        stored: Option<StoredDeactivation>,
        _: Option<H>,
    ) -> Result<Deactivation, Refusal> {
        let Some(user) = grant.user() else {
            let message = "The authentication did not say which account to deactivate.";
            return Err(Refusal::new(MatrixError::new(ErrorCode::Forbidden, message)));
        };
        if grant.needs_stored() && stored.is_none() {
            return Err(Refusal::for_params(MatrixError::new(
                ErrorCode::MissingParam,
                "The parameters of the request have to be repeated.",
            )));
        }
        let StoredDeactivation { id_server, erase, .. } = self.to_stored(key, stored, None);
        Ok(Deactivation::begin(user, id_server, erase.unwrap_or(false)))
    }
}
