//! The names of stages: the spec's, and everybody's own.

use core::fmt;

use crate::text::Text;

/// Longest name of an auth type that a policy may have, in bytes.
pub const MAX_AUTH_TYPE_LEN: usize = 96;

/// Where most names of the spec have a letter that tells them apart.
const TELLS: usize = "m.login.".len();

/// The one table: each stage's variant, its name on the wire and its stable number.
macro_rules! auth_types {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)+) => {
        /// The type of a stage, as the [authentication types] section names them, or
        /// any other by its name.
        ///
        /// ```
        /// use matrix_uia::wire::AuthType;
        /// assert_eq!(AuthType::from("m.login.dummy"), AuthType::Dummy);
        /// assert_eq!(AuthType::from("org.example.pin"), AuthType::custom("org.example.pin"));
        /// // Read as the stable name it became:
        /// assert_eq!(AuthType::from("org.matrix.cross_signing_reset"), AuthType::OAuth);
        /// ```
        ///
        /// [authentication types]: https://spec.matrix.org/v1.19/client-server-api/#authentication-types
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum AuthType<'a> {
            $($(#[$doc])* $variant,)+
            /// A type the spec does not define; its data is passed through.
            Custom(Text<'a>),
        }

        impl<'a> AuthType<'a> {
            /// Every type the spec defines, in its order.
            pub const KNOWN: &'static [AuthType<'static>] = &[$(AuthType::$variant),+];

            /// The type's name on the wire.
            #[must_use]
            pub const fn name(&self) -> Text<'a> {
                match self {
                    $(Self::$variant => Text::new($name),)+
                    Self::Custom(name) => *name,
                }
            }

            /// A type by name, known or not. An escaped name is the same name.
            #[must_use]
            pub fn from_text(name: Text<'a>) -> Self {
                $(if name == $name {
                    return Self::$variant;
                })+
                if name == "org.matrix.cross_signing_reset" { Self::OAuth } else { Self::Custom(name) }
            }

            /// The type whose name `text` begins with, a quote right behind it, and what
            /// follows that: so the end of a name need not be looked for.
            #[inline]
            pub(super) fn quoted(text: &[u8]) -> Option<(AuthType<'static>, &[u8])> {
                let tells = text.get(TELLS);
                $(
                    let quoted = concat!($name, "\"").as_bytes();
                    if (quoted.len() <= TELLS || quoted.get(TELLS) == tells)
                        && let Some(behind) = text.strip_prefix(quoted)
                    {
                        return Some((AuthType::$variant, behind));
                    }
                )+
                None
            }

            /// The number of the type of that name, also at compile time.
            const fn code_named(name: &[u8]) -> Option<u32> {
                $(if same(name, $name.as_bytes()) {
                    return Some($code);
                })+
                if same(name, b"org.matrix.cross_signing_reset") { Self::OAuth.code() } else { None }
            }

            /// The type that has that number.
            #[inline]
            pub(super) const fn of_code(code: u32) -> Option<AuthType<'static>> {
                match code {
                    $($code => Some(AuthType::$variant),)+
                    _ => None,
                }
            }

            /// The number a stored session keeps. Never reused for another type.
            pub(crate) const fn code(&self) -> Option<u32> {
                match self {
                    $(Self::$variant => Some($code),)+
                    Self::Custom(_) => None,
                }
            }
        }
    };
}

auth_types! {
    /// [Password-based](https://spec.matrix.org/v1.19/client-server-api/#password-based).
    Password = 1, "m.login.password";
    /// [Google ReCaptcha](https://spec.matrix.org/v1.19/client-server-api/#google-recaptcha).
    Recaptcha = 2, "m.login.recaptcha";
    /// [Single Sign-On](https://spec.matrix.org/v1.19/client-server-api/#single-sign-on).
    Sso = 3, "m.login.sso";
    /// [Email-based](https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver).
    EmailIdentity = 4, "m.login.email.identity";
    /// [Phone number](https://spec.matrix.org/v1.19/client-server-api/#phone-numbermsisdn-based-identity--homeserver).
    Msisdn = 5, "m.login.msisdn";
    /// [Dummy Auth](https://spec.matrix.org/v1.19/client-server-api/#dummy-auth).
    Dummy = 6, "m.login.dummy";
    /// [Token-authenticated registration](https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration).
    RegistrationToken = 7, "m.login.registration_token";
    /// [Terms of service](https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration).
    Terms = 8, "m.login.terms";
    /// [OAuth authentication](https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication).
    OAuth = 9, "m.oauth";
}

impl<'a> AuthType<'a> {
    /// The custom type `name`. For a name of the spec use [`From<&str>`](Self::from).
    #[must_use]
    pub const fn custom(name: &'a str) -> Self {
        Self::Custom(Text::new(name))
    }

    /// The same type apart from where its name stands, if the spec defines it.
    pub(crate) fn as_known(&self) -> Option<AuthType<'static>> {
        AuthType::of_code(self.code()?)
    }

    /// Whether the stage is completed somewhere else and only learned of here.
    #[must_use]
    pub const fn is_out_of_band(&self) -> bool {
        matches!(self, Self::Sso | Self::OAuth)
    }

    pub(crate) fn id(&self) -> StageId {
        match self.code() {
            Some(code) => StageId(code),
            None => {
                let mut hash = Fnv::new();
                hash.text(self.name());
                StageId(hash.low32() | StageId::CUSTOM)
            }
        }
    }
}

impl<'a> From<&'a str> for AuthType<'a> {
    fn from(name: &'a str) -> Self {
        Self::from_text(Text::new(name))
    }
}

impl fmt::Display for AuthType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name(), f)
    }
}

/// Whether both are one text, also at compile time.
pub(crate) const fn same(one: &[u8], other: &[u8]) -> bool {
    let (mut one, mut other) = (one, other);
    while let ([a, ones @ ..], [b, others @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (ones, others);
    }
    one.is_empty() && other.is_empty()
}

/// A stage as a stored session names it: small, and the same under every policy.
///
/// A custom type is its name's hash; a policy with two names of one hash is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct StageId(u32);

impl StageId {
    /// No stage: what an empty place has.
    pub(crate) const NONE: Self = Self(0);
    const CUSTOM: u32 = 0x8000_0000;

    // The types that have rules of their own.
    pub(crate) const PASSWORD: Self = Self::of_known(&AuthType::Password);
    pub(crate) const SSO: Self = Self::of_known(&AuthType::Sso);
    pub(crate) const EMAIL_IDENTITY: Self = Self::of_known(&AuthType::EmailIdentity);
    pub(crate) const MSISDN: Self = Self::of_known(&AuthType::Msisdn);
    pub(crate) const DUMMY: Self = Self::of_known(&AuthType::Dummy);
    pub(crate) const REGISTRATION_TOKEN: Self = Self::of_known(&AuthType::RegistrationToken);
    pub(crate) const TERMS: Self = Self::of_known(&AuthType::Terms);
    pub(crate) const OAUTH: Self = Self::of_known(&AuthType::OAuth);

    /// The stage of that name, also at compile time.
    pub(crate) const fn named(name: &str) -> Self {
        match AuthType::code_named(name.as_bytes()) {
            Some(code) => Self(code),
            None => Self(Fnv(Fnv::of(name.as_bytes())).low32() | Self::CUSTOM),
        }
    }

    /// Whether both are one stage, also at compile time.
    pub(crate) const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }

    const fn of_known(auth_type: &AuthType<'_>) -> Self {
        match auth_type.code() {
            Some(code) => Self(code),
            None => Self::NONE,
        }
    }
}

/// FNV-1a: a stable name for things that are not secret. Nothing an attacker gains by
/// a collision: policies come from the operator, and one that collides is refused.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The hash of `bytes`, also at compile time.
    pub(crate) const fn of(mut bytes: &[u8]) -> u64 {
        let mut hash = Self::new().0;
        while let [byte, rest @ ..] = bytes {
            hash = (hash ^ (*byte as u64)).wrapping_mul(0x0100_0000_01b3);
            bytes = rest;
        }
        hash
    }

    /// The hash of a name, forwards and backwards: two names with one hash of either kind
    /// are still told apart (rule U27).
    pub(crate) const fn of_name(name: &[u8]) -> u64 {
        let (mut hash, mut rest) = (Self::of(name), name);
        while let [left @ .., byte] = rest {
            hash = (hash ^ (*byte as u64)).wrapping_mul(0x0100_0000_01b3);
            rest = left;
        }
        hash
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The decoded text, however it is escaped.
    pub(crate) fn text(&mut self, text: Text<'_>) {
        for piece in text.pieces() {
            self.write(piece.as_bytes(&mut [0; 4]));
        }
    }

    /// A known stage by the number it has for good; no byte of a text is like it.
    pub(crate) fn stage(&mut self, known: AuthType<'_>) {
        self.write(&[0xFF, u8::try_from(known.code().unwrap_or(0)).unwrap_or(0)]);
    }

    pub(crate) const fn low32(self) -> u32 {
        let folded = self.0 ^ self.0.wrapping_shr(32);
        (folded & 0xFFFF_FFFF) as u32
    }

    pub(crate) const fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_name_is_read_back_as_its_type() {
        for known in AuthType::KNOWN {
            let name = known.name();
            assert_eq!(AuthType::from(name.as_str().unwrap()), *known);
            assert_eq!(known.to_string(), name.as_str().unwrap());
        }
        assert_eq!(AuthType::KNOWN.len(), 9);
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        let escaped = Text::from_json("m.login.\\u0064ummy", true);
        assert_eq!(AuthType::from_text(escaped), AuthType::Dummy);
    }

    #[test]
    fn no_known_stage_looks_like_a_custom_one() {
        for known in AuthType::KNOWN {
            assert!(known.id().0 < StageId::CUSTOM);
        }
        assert!(AuthType::custom("org.example.pin").id().0 >= StageId::CUSTOM);
    }
}
