//! A form as a browser sends it: `application/x-www-form-urlencoded`. A query string is
//! one too.
//!
//! ```text
//!  session=abc&token=a%20b ──► the caller's buffer: "session" "abc" "token" "a b"
//!                                                   └─ Form::get, Form::auth_data
//! ```

use core::fmt;

use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::{AuthData, AuthType, Malformed, Raw, ThreepidCreds, UserIdentifier};

/// Most fields of a form.
pub const MAX_FIELDS: usize = 16;

/// The fields of a form, decoded into a buffer of the caller's.
///
/// ```
/// use matrix_uia::pages::Form;
/// let mut buffer = [0; 64];
/// let form = Form::parse(b"session=abc&token=a%20b+c", &mut buffer)?;
/// assert_eq!(form.get("token").map(|it| it == "a b c"), Some(true));
/// assert!(form.get("password").is_none());
/// # Ok::<(), matrix_uia::pages::FormError>(())
/// ```
#[derive(Clone)]
pub struct Form<'b> {
    text: &'b str,
    /// Where a name begins and ends, and where its value ends.
    fields: heapless::Vec<(usize, usize, usize), MAX_FIELDS>,
}

/// Why a form was not read. Nothing of the form is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// A `%` without two hexadecimal digits, or bytes that are no UTF-8.
    BadEncoding,
    /// More than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// A field occurs twice.
    Duplicate,
    /// The buffer is shorter than the form.
    TooLong,
}

impl<'b> Form<'b> {
    /// Reads a form. A `buffer` as long as `encoded` is long enough.
    ///
    /// # Errors
    ///
    /// [`FormError`] says what no browser does.
    pub fn parse(encoded: &[u8], buffer: &'b mut [u8]) -> Result<Self, FormError> {
        let mut fields = heapless::Vec::<_, MAX_FIELDS>::new();
        let mut at = 0_usize;
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(split).unwrap_or((pair, b""));
            let start = at;
            let middle = decode(name, buffer, start)?;
            at = decode(value.get(1..).unwrap_or_default(), buffer, middle)?;
            fields.push((start, middle, at)).map_err(|_| FormError::TooManyFields)?;
        }
        let used = buffer.get(..at).ok_or(FormError::TooLong)?;
        let text = core::str::from_utf8(used).map_err(|_| FormError::BadEncoding)?;
        let form = Self { text, fields };
        for (index, (start, middle, end)) in form.fields.iter().enumerate() {
            let name = text.get(*start..*middle).ok_or(FormError::BadEncoding)?;
            text.get(*middle..*end).ok_or(FormError::BadEncoding)?;
            if form.names().take(index).any(|other| other == name) {
                return Err(FormError::Duplicate);
            }
        }
        Ok(form)
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Text<'b>> {
        let index = self.names().position(|known| known == name)?;
        let (_, middle, end) = self.fields.get(index)?;
        self.text.get(*middle..*end).map(Text::new)
    }

    fn names(&self) -> impl Iterator<Item = &'b str> {
        let text = self.text;
        self.fields.iter().map(move |(start, middle, _)| text.get(*start..*middle).unwrap_or_default())
    }

    /// What the form of a stage's page attempts the stage with. Who authenticates is what
    /// the form says, else `user`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] names the field that is missing, or can't be right.
    pub fn auth_data(
        &self,
        auth_type: AuthType<'_>,
        user: Option<&'b str>,
    ) -> Result<AuthData<'b>, Malformed> {
        let field = |name| self.get(name).filter(|text| !text.is_empty()).ok_or(Malformed::Missing(name));
        match auth_type {
            AuthType::Password => {
                let user = field("user").or_else(|missing| user.map(Text::new).ok_or(missing))?;
                AuthData::password(UserIdentifier::User(user), field("password")?)
            }
            AuthType::Recaptcha => AuthData::recaptcha(field("g-recaptcha-response")?),
            AuthType::RegistrationToken => {
                // It is pasted, often with a space behind it.
                let token = field("token")?;
                AuthData::registration_token(token.as_str().map_or(token, |text| Text::new(text.trim())))
            }
            AuthType::EmailIdentity => Ok(AuthData::EmailIdentity(self.creds(field)?)),
            AuthType::Msisdn => Ok(AuthData::Msisdn(self.creds(field)?)),
            AuthType::Dummy => Ok(AuthData::Dummy),
            AuthType::Terms => Ok(AuthData::Terms),
            AuthType::Sso => Ok(AuthData::Sso),
            AuthType::OAuth => Ok(AuthData::OAuth),
            AuthType::Custom(_) => Ok(AuthData::Custom(Raw::EMPTY)),
        }
    }

    fn creds(
        &self,
        field: impl Fn(&'static str) -> Result<Text<'b>, Malformed>,
    ) -> Result<ThreepidCreds<'b>, Malformed> {
        ThreepidCreds::checked(field("sid")?, field("client_secret")?)
    }
}

/// Decodes `encoded` into the buffer from `at` on; where it ends.
fn decode(encoded: &[u8], buffer: &mut [u8], mut at: usize) -> Result<usize, FormError> {
    let mut bytes = encoded.iter();
    let digit = |bytes: &mut core::slice::Iter<'_, u8>| {
        let digit = bytes.next().and_then(|byte| char::from(*byte).to_digit(16));
        digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(FormError::BadEncoding)
    };
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'+' => b' ',
            b'%' => {
                let high = digit(&mut bytes)?;
                high.wrapping_shl(4) | digit(&mut bytes)?
            }
            plain => *plain,
        };
        *buffer.get_mut(at).ok_or(FormError::TooLong)? = decoded;
        at = at.saturating_add(1);
    }
    Ok(at)
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadEncoding => "the form is not encoded as it should be",
            Self::TooManyFields => "the form has too many fields",
            Self::Duplicate => "a field of the form occurs twice",
            Self::TooLong => "the form is too long",
        })
    }
}

impl core::error::Error for FormError {}

impl From<FormError> for MatrixError {
    fn from(_: FormError) -> Self {
        Self::new(ErrorCode::InvalidParam, "The form is not encoded as it should be.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(encoded: &str) -> Option<FormError> {
        Form::parse(encoded.as_bytes(), &mut [0; 256]).err()
    }

    #[test]
    fn what_a_browser_sends_is_read() {
        let mut buffer = [0; 256];
        let encoded = b"session=abc&empty=&bare&name=J%C3%BCrgen+%26+Co%3D&&last=1%3D2=3";
        let form = Form::parse(encoded, &mut buffer).unwrap();
        let get = |name| form.get(name).and_then(|text| text.as_str());
        assert_eq!(get("session"), Some("abc"));
        assert_eq!((get("empty"), get("bare"), get("none")), (Some(""), Some(""), None));
        assert_eq!(get("name"), Some("Jürgen & Co="));
        assert_eq!(get("last"), Some("1=2=3"));
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for bad in ["a=%", "a=%2", "a=%zz", "a=%FF", "%C3=%A9", "a=%ED%A0%80", "a=+%+1"] {
            assert_eq!(error(bad), Some(FormError::BadEncoding), "{bad}");
        }
        assert_eq!(error("a=1&b=2&%61=3"), Some(FormError::Duplicate));
        let fields =
            |count: usize| (0..count).map(|i| std::format!("f{i}=x&")).collect::<std::string::String>();
        assert_eq!(error(&fields(MAX_FIELDS)), None);
        assert_eq!(error(&fields(MAX_FIELDS + 1)), Some(FormError::TooManyFields));
        assert!(Form::parse(b"a=bc", &mut [0; 3]).is_ok(), "the equals sign takes no room");
        assert_eq!(Form::parse(b"a=bc", &mut [0; 2]).err(), Some(FormError::TooLong));
    }

    #[test]
    fn a_form_becomes_what_an_auth_dict_would_and_has_its_bounds() {
        let attempt = |encoded: &str, auth_type: &'static str, user| {
            let buffer = std::vec![0; encoded.len()].leak();
            Form::parse(encoded.as_bytes(), buffer).unwrap().auth_data(auth_type.into(), user)
        };
        let missing = |encoded, auth_type| match attempt(encoded, auth_type, None) {
            Err(Malformed::Missing(key)) => key,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing("password=p", "m.login.password"), "user");
        assert_eq!(missing("user=alice&password=", "m.login.password"), "password");
        assert_eq!(missing("", "m.login.recaptcha"), "g-recaptcha-response");
        assert_eq!(missing("", "m.login.registration_token"), "token");
        assert_eq!(missing("sid=1", "m.login.msisdn"), "client_secret");
        let Ok(AuthData::Password { identifier: UserIdentifier::User(user), .. }) =
            attempt("password=p", "m.login.password", Some("@alice:example.org"))
        else {
            panic!("the session's own user")
        };
        assert_eq!(user, "@alice:example.org");
        let Ok(AuthData::RegistrationToken { token }) =
            attempt("token=+ab.c+", "m.login.registration_token", None)
        else {
            panic!("spaces around it are no part of it")
        };
        assert_eq!(token.expose(), "ab.c");
        let long = std::format!("token={}", "a".repeat(65));
        for bad in ["token=a%20b", long.as_str()] {
            let refused = attempt(bad, "m.login.registration_token", None).err();
            assert_eq!(refused, Some(Malformed::Invalid("token")), "{bad}");
        }
        let bad = attempt("sid=1&client_secret=a/b", "m.login.email.identity", None).err();
        assert_eq!(bad, Some(Malformed::Invalid("client_secret")));
    }
}
