//! The types of login, and their names.

use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// The one table: each type of login and its name on the wire.
macro_rules! login_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)+) => {
        /// A [type of login](https://spec.matrix.org/v1.19/client-server-api/#legacy-login).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum LoginType {
            $($(#[$doc])* $variant,)+
        }

        impl LoginType {
            /// Every type, in the order `GET login` has them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The type's name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

login_types! {
    /// With a password.
    Password = "m.login.password";
    /// With a token from `login/get_token`.
    Token = "m.login.token";
    /// By an application service, as one of its users.
    ApplicationService = "m.login.application_service";
}

impl LoginType {
    pub(super) fn named(name: Text<'_>) -> Option<Self> {
        Self::ALL.iter().copied().find(|login_type| name == login_type.name())
    }

    /// The answer to a login of a type that is not known, or not served: 400 `M_UNKNOWN`.
    pub const fn unknown() -> MatrixError {
        MatrixError::new(ErrorCode::Unknown, "There is no such type of login.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name() {
        for login_type in LoginType::ALL {
            assert_eq!(LoginType::named(Text::new(login_type.name())), Some(*login_type));
        }
    }
}
