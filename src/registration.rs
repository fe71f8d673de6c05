//! [`POST /register`]: names, the checks before and after authentication, the account.
//!
//! ```text
//!  body ─► RegisterRequest ─► Username ─► check (is it free?) ─► Call ─► Guard ─► Grant
//!                                                                                  │
//!              answer ◄── the host makes the account in one act ◄── Creation ◄── create
//! ```
//!
//! An open session reserves no name: whether it is free is asked before the first
//! challenge, and again in the act that makes the account (rule R2).
//!
//! [`POST /register`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register

use core::fmt::{self, Write};

use crate::denied::Denied;
use crate::digest::BindingKey;
use crate::error::{ErrorCode, Reject};
use crate::operation::Register;
use crate::password::{NewPassword, PasswordStrength};
use crate::session::{Call, Grant, Params, Proof, Receipt};
use crate::wire::json::{self, ObjectWriter, Reader};
use crate::wire::{Auth, ParseError};
use crate::{Secret, Text};

/// Longest full user ID, in bytes, by the [user identifiers] appendix.
///
/// [user identifiers]: https://spec.matrix.org/v1.19/appendices/#user-identifiers
pub const MAX_USER_ID_LEN: usize = 255;
/// Longest device ID and device display name, in bytes. The spec sets none; without one
/// a client could keep anything on the server.
pub const MAX_DEVICE_TEXT_LEN: usize = 512;

/// Which kind of account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An account of a user.
    User,
    /// An account of a guest: no authentication, no parameters but a display name.
    Guest,
}

impl Kind {
    /// Reads the query parameter `kind`.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` for any other kind.
    pub fn parse(kind: Option<&str>) -> Result<Self, Reject> {
        match kind {
            None | Some("user") => Ok(Self::User),
            Some("guest") => Ok(Self::Guest),
            Some(_) => Err(Reject::new(ErrorCode::InvalidParam, "There is no such kind of account.")),
        }
    }
}

/// The body of a registration.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RegisterRequest<'a> {
    /// The name asked for; without one the server makes one.
    pub username: Option<Text<'a>>,
    /// The password of the new account.
    pub password: Option<Secret<'a>>,
    /// The device to log in on.
    pub device_id: Option<Text<'a>>,
    /// Its name, if it is new.
    pub initial_device_display_name: Option<Text<'a>>,
    /// Whether no login is wanted; absent means one is.
    pub inhibit_login: Option<bool>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: Option<bool>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> RegisterRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut request = Self::default();
        json::read_object(body, |reader, key| {
            match key {
                "username" => request.username = reader.optional(Reader::text)?,
                "password" => request.password = reader.secret()?,
                "device_id" => request.device_id = reader.optional(Reader::text)?,
                "initial_device_display_name" => {
                    request.initial_device_display_name = reader.optional(Reader::text)?;
                }
                "inhibit_login" => request.inhibit_login = reader.optional(Reader::boolean)?,
                "refresh_token" => request.refresh_token = reader.optional(Reader::boolean)?,
                "auth" => request.auth = Auth::read(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(request)
    }

    /// What can be refused before anybody is asked to authenticate, but for the name.
    ///
    /// # Errors
    ///
    /// 400 `M_WEAK_PASSWORD` or `M_INVALID_PARAM`.
    pub fn check(&self, strength: &PasswordStrength) -> Result<(), Reject> {
        let too_long = |text: Option<Text<'_>>| text.is_some_and(|text| text.len() > MAX_DEVICE_TEXT_LEN);
        if too_long(self.device_id) || too_long(self.initial_device_display_name) {
            return Err(Reject::new(ErrorCode::InvalidParam, "A parameter of the device is too long."));
        }
        if self.device_id.is_some_and(|id| id.is_empty()) {
            return Err(Reject::new(ErrorCode::InvalidParam, "The device ID is empty."));
        }
        self.password.map_or(Ok(()), |password| strength.check(password))
    }

    /// The call to be guarded. `username` is the canonical one, so that `Alice` and
    /// `@alice:server` are the same parameter.
    pub fn call(&self, key: &BindingKey, username: Option<&Localpart>) -> Call<'a, Register> {
        let params = key
            .params::<Register>()
            .text(username.map(|name| Text::new(name.as_str())))
            .text(self.password.map(|secret| secret.expose()))
            .text(self.device_id)
            .text(self.initial_device_display_name)
            .boolean(self.inhibit_login)
            .boolean(self.refresh_token);
        Call::new(self.auth, None).with_params(params.finish())
    }
}

/// A localpart in the form that accounts have: rule R3.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Localpart(heapless::String<MAX_USER_ID_LEN>);

impl Localpart {
    /// The localpart that `username` asks for on the server `server_name`: upper case is
    /// lowered, a full ID of this server stands for its localpart.
    ///
    /// ```
    /// use matrix_uia::registration::Localpart;
    /// let name = Localpart::parse("Alice".into(), "example.org")?;
    /// assert_eq!(name.as_str(), "alice");
    /// assert!(Localpart::parse("@alice:example.com".into(), "example.org").is_err());
    /// # Ok::<(), matrix_uia::Reject>(())
    /// ```
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_USERNAME` if it is empty, has characters beside
    /// `[a-z0-9._=/+-]`, makes a user ID of more than [`MAX_USER_ID_LEN`] bytes, or is a
    /// full ID of another server. Whether people may *take* the name is
    /// [`reserved`](Self::reserved).
    pub fn parse(username: Text<'_>, server_name: &str) -> Result<Self, Reject> {
        let invalid = || Reject::new(ErrorCode::InvalidUsername, "This is not a valid user name.");
        let given = username.to_fixed::<MAX_USER_ID_LEN>().map_err(|_| invalid())?;
        let mut name = given.as_str();
        if let Some(full) = name.strip_prefix('@') {
            let (localpart, server) = full.split_once(':').ok_or_else(invalid)?;
            if server != server_name {
                return Err(invalid());
            }
            name = localpart;
        }
        let in_grammar = |c: char| c.is_ascii_alphanumeric() || "._=/+-".contains(c);
        let user_id_len = name.len().saturating_add(server_name.len()).saturating_add("@:".len());
        if name.is_empty() || user_id_len > MAX_USER_ID_LEN || !name.chars().all(in_grammar) {
            return Err(invalid());
        }
        Ok(Self(name.chars().map(|c| c.to_ascii_lowercase()).collect()))
    }

    /// The localpart.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names that people can't take although they are well formed: numbers, which servers
    /// make for guests and for who names none, and names with `_` in front, which
    /// application services have by custom.
    ///
    /// # Errors
    ///
    /// 400 `M_EXCLUSIVE` if an application service claims the name, which is said first;
    /// 400 `M_INVALID_USERNAME`.
    pub fn reserved(&self, claimed_by_appservice: bool) -> Result<(), Reject> {
        if claimed_by_appservice {
            return Err(Reject::new(
                ErrorCode::Exclusive,
                "This user name belongs to an application service.",
            ));
        }
        if self.0.starts_with('_') || self.0.chars().all(|c| c.is_ascii_digit()) {
            return Err(Reject::new(ErrorCode::InvalidUsername, "This user name is reserved."));
        }
        Ok(())
    }

    /// The answer when the name is taken.
    pub const fn in_use() -> Reject {
        Reject::new(ErrorCode::UserInUse, "This user name is taken.")
    }
}

/// The parameters of the account to be made, from the request or from what was kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewAccount<'r> {
    /// The name; `None`: make one.
    pub username: Option<Localpart>,
    /// The password.
    pub password: NewPassword<'r>,
    /// The device; `None`: make one.
    pub device_id: Option<Text<'r>>,
    /// Its name.
    pub display_name: Option<Text<'r>>,
    /// Whether to log in.
    pub login: bool,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

/// What the host kept of a request that may leave its parameters out later. The hash it
/// made of the password it keeps beside this, never the password.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct KeptRegistration {
    /// The name asked for.
    pub username: Option<Localpart>,
    /// Whether a password was given, and hashed.
    pub has_password: bool,
    /// The device asked for.
    pub device_id: Option<heapless::String<MAX_DEVICE_TEXT_LEN>>,
    /// Its name.
    pub display_name: Option<heapless::String<MAX_DEVICE_TEXT_LEN>>,
    /// Whether no login is wanted.
    pub inhibit_login: bool,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

impl KeptRegistration {
    /// What to keep of a `request` that has been [checked](RegisterRequest::check).
    #[must_use]
    pub fn of(request: &RegisterRequest<'_>, username: Option<&Localpart>) -> Self {
        Self {
            username: username.cloned(),
            has_password: request.password.is_some(),
            device_id: request.device_id.and_then(|id| id.to_fixed().ok()),
            display_name: request.initial_device_display_name.and_then(|name| name.to_fixed().ok()),
            inhibit_login: request.inhibit_login.unwrap_or(false),
            refresh_token: request.refresh_token.unwrap_or(false),
        }
    }
}

/// An account that may be made.
///
/// Make it in one act with everything that belongs to it: the name if it is still free,
/// the 3PIDs the flow proved, the token it reserved, the device and its access token.
#[derive(Debug)]
#[must_use = "the account does not exist until the host makes it"]
pub struct Creation<'r> {
    account: NewAccount<'r>,
    grant: Grant<Register>,
}

/// Redeems a grant: which account is to be made.
///
/// # Errors
///
/// [`Denied`] with 400 `M_MISSING_PARAM` if no password was ever given (rule R6), or the
/// host lost what it kept; the session stays complete and takes other parameters.
pub fn create<'r>(
    grant: Grant<Register>,
    request: &RegisterRequest<'r>,
    username: Option<Localpart>,
    kept: Option<&'r KeptRegistration>,
) -> Result<Creation<'r>, Denied> {
    let given = NewAccount {
        username,
        password: NewPassword::Kept,
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        login: !request.inhibit_login.unwrap_or(false),
        refresh_token: request.refresh_token.unwrap_or(false),
    };
    let account = match (grant.params(), kept, request.password) {
        (Params::Request, _, Some(password)) => {
            Some(NewAccount { password: NewPassword::Given(password), ..given })
        }
        (Params::Kept, Some(kept), _) if kept.has_password => Some(NewAccount {
            username: kept.username.clone(),
            password: NewPassword::Kept,
            device_id: kept.device_id.as_deref().map(Text::new),
            display_name: kept.display_name.as_deref().map(Text::new),
            login: !kept.inhibit_login,
            refresh_token: kept.refresh_token,
        }),
        _ => None,
    };
    match account {
        Some(account) => Ok(Creation { account, grant }),
        None => {
            let missing = Reject::new(ErrorCode::MissingParam, "password is missing.");
            Err(Denied::for_params(missing, grant.redeem()))
        }
    }
}

impl<'r> Creation<'r> {
    /// The account's parameters.
    #[must_use]
    pub const fn account(&self) -> &NewAccount<'r> {
        &self.account
    }

    /// What the flow proved: 3PIDs to bind, a token to spend.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        self.grant.proofs()
    }

    /// How the session ends, once it is known.
    pub fn receipt(self) -> Receipt {
        self.grant.redeem()
    }

    /// The name was taken in the meantime, or another parameter is refused: the session
    /// stays complete, and other parameters may be sent.
    pub fn denied(self, reject: Reject) -> Denied {
        Denied::for_params(reject, self.grant.redeem())
    }
}

/// The answer to a registration or a login.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginResponse<'a> {
    /// The full user ID.
    pub user_id: Text<'a>,
    /// What the client is logged in with; `None` if no login was wanted.
    pub login: Option<NewLogin<'a>>,
}

/// A device that is logged in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewLogin<'a> {
    /// The access token.
    pub access_token: Secret<'a>,
    /// The device.
    pub device_id: Text<'a>,
    /// The refresh token, if the client takes one.
    pub refresh_token: Option<Secret<'a>>,
    /// How long the access token lives, in milliseconds.
    pub expires_in_ms: Option<u64>,
}

impl<'a> LoginResponse<'a> {
    /// An answer without a login.
    #[must_use]
    pub const fn new(user_id: Text<'a>) -> Self {
        Self { user_id, login: None }
    }

    /// The same with a login.
    #[must_use]
    pub const fn with_login(mut self, access_token: Secret<'a>, device_id: Text<'a>) -> Self {
        self.login = Some(NewLogin { access_token, device_id, refresh_token: None, expires_in_ms: None });
        self
    }

    /// Writes the body. `home_server` is not sent: the spec deprecates it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("user_id", self.user_id)?;
        if let Some(login) = self.login {
            object.text("access_token", login.access_token.expose())?;
            object.text("device_id", login.device_id)?;
            object.secret_if("refresh_token", login.refresh_token)?;
            if let Some(expires) = login.expires_in_ms {
                object.integer("expires_in_ms", expires)?;
            }
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn code(username: &str) -> Result<std::string::String, ErrorCode> {
        Localpart::parse(Text::new(username), "example.org")
            .and_then(|name| name.reserved(false).map(|()| name))
            .map(|name| name.as_str().to_string())
            .map_err(|reject| reject.code())
    }

    #[test]
    fn names_are_brought_into_one_form() {
        assert_eq!(code("alice").unwrap(), "alice");
        assert_eq!(code("Alice").unwrap(), "alice");
        assert_eq!(code("@Alice:example.org").unwrap(), "alice");
        assert_eq!(code("a._=/+-9").unwrap(), "a._=/+-9");
        for bad in [
            "",
            "@alice",
            "@alice:example.com",
            "al ice",
            "älice",
            "alice:example.org",
            "_bridge",
            "123",
            "a@b",
        ] {
            assert_eq!(code(bad), Err(ErrorCode::InvalidUsername), "{bad}");
        }
    }

    #[test]
    fn the_whole_user_id_is_bounded() {
        let most = MAX_USER_ID_LEN - "@:example.org".len();
        assert!(code(&"a".repeat(most)).is_ok());
        assert!(code(&"a".repeat(most + 1)).is_err());
    }

    #[test]
    fn a_claimed_name_is_exclusive_before_anything_else() {
        let name = Localpart::parse(Text::new("_bridge_x"), "example.org").unwrap();
        assert_eq!(name.reserved(true).unwrap_err().code(), ErrorCode::Exclusive);
    }
}
