//! Names of accounts.

use core::fmt;

use super::MAX_USER_ID_LEN;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// A localpart in the form that accounts have: rule R3.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Localpart(heapless::String<MAX_USER_ID_LEN>);

impl Localpart {
    /// The localpart that `username` asks for on the server `server_name`: upper case is
    /// lowered, a full ID of this server stands for its localpart.
    ///
    /// ```
    /// use matrix_uia::endpoint::register::Localpart;
    /// let name = Localpart::parse("Alice".into(), "example.org")?;
    /// assert_eq!(name.as_str(), "alice");
    /// assert!(Localpart::parse("@alice:example.com".into(), "example.org").is_err());
    /// # Ok::<(), matrix_uia::MatrixError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_USERNAME` if it is empty, has characters beside
    /// `[a-z0-9._=/+-]`, makes a user ID of more than [`MAX_USER_ID_LEN`] bytes, or is a
    /// full ID of another server. Whether people may *take* the name is
    /// [`reserved`](Self::reserved).
    pub fn parse(username: Text<'_>, server_name: &str) -> Result<Self, MatrixError> {
        let invalid = || MatrixError::new(ErrorCode::InvalidUsername, "This is not a valid user name.");
        let given = username.to_fixed::<MAX_USER_ID_LEN>().map_err(|_| invalid())?;
        let name = match given.strip_prefix('@') {
            // A colon before that one is none of the grammar's characters.
            Some(full) => {
                full.strip_suffix(server_name).and_then(|it| it.strip_suffix(':')).unwrap_or_default()
            }
            None => &given,
        };
        let user_id_len = name.len().saturating_add(server_name.len()).saturating_add("@:".len());
        if name.is_empty() || user_id_len > MAX_USER_ID_LEN || !name.bytes().all(is_in_grammar) {
            return Err(invalid());
        }
        let mut name = heapless::String::try_from(name).map_err(|_| invalid())?;
        name.make_ascii_lowercase();
        Ok(Self(name))
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
    pub fn reserved(&self, claimed_by_appservice: bool) -> Result<(), MatrixError> {
        if claimed_by_appservice {
            return Err(MatrixError::new(
                ErrorCode::Exclusive,
                "This user name belongs to an application service.",
            ));
        }
        if self.0.starts_with('_') || self.0.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MatrixError::new(ErrorCode::InvalidUsername, "This user name is reserved."));
        }
        Ok(())
    }

    /// Whether people can take the name: the answer to [`GET /register/available`], and
    /// to a registration before any challenge and once more when the account is made.
    ///
    /// # Errors
    ///
    /// Those of [`reserved`](Self::reserved); 400 `M_USER_IN_USE` if it is `taken`, by
    /// whatever account in whatever state.
    ///
    /// [`GET /register/available`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable
    pub fn available(&self, claimed_by_appservice: bool, taken: bool) -> Result<(), MatrixError> {
        self.reserved(claimed_by_appservice)?;
        if taken { Err(Self::in_use()) } else { Ok(()) }
    }

    /// The answer when the name is taken.
    pub const fn in_use() -> MatrixError {
        MatrixError::new(ErrorCode::UserInUse, "This user name is taken.")
    }
}

/// Whether a name may have that byte, before it is lowered.
const fn is_in_grammar(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'/' | b'+' | b'-')
}

impl fmt::Display for Localpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
