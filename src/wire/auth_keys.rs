//! Which keys an auth dict has, and what they come to.

use super::ParseError;
use super::auth_data::{
    Auth, AuthData, ThreepidCreds, is_captcha_response, is_id_access_token, is_id_server, is_password,
    is_registration_token, is_session_text, secret,
};
use super::auth_type::AuthType;
use super::identifier::{IdentifierSpans, UserIdentifier};
use super::json::{self, Raw, Reader, Span, Table, table};
use super::malformed::{Malformed, fitting, required};
use crate::secret::Secret;
use crate::text::Text;

/// Where each key that any known stage reads goes; `type` may come last.
mod slot {
    pub(super) const TYPE: usize = 0;
    pub(super) const IDENTIFIER: usize = 1;
    pub(super) const PASSWORD: usize = 2;
    pub(super) const SESSION: usize = 3;
    pub(super) const THREEPID_CREDS: usize = 4;
    pub(super) const OLD_THREEPID_CREDS: usize = 5;
    pub(super) const TOKEN: usize = 6;
    pub(super) const RESPONSE: usize = 7;
    /// The keys of an identifier that clients older than `identifier` write beside `type`.
    pub(super) const LEGACY: usize = 8;
    /// The keys of the objects in an auth dict.
    pub(super) const IDENTIFIER_TYPE: usize = 14;
    pub(super) const IN_IDENTIFIER: usize = 15;
    pub(super) const IN_CREDS: usize = 21;
    pub(super) const IN_OLD_CREDS: usize = 25;
    pub(super) const END: usize = 29;
}

/// How many slots an auth dict takes; those of the body around it come behind them.
pub(crate) const AUTH_SLOTS: usize = slot::END;

static IDENTIFIER: Table = table![slot::IDENTIFIER_TYPE;
    "type": Any, "user": Any, "medium": Any, "address": Any, "country": Any, "phone": Any, "number": Any,
];
static CREDS: Table = creds_keys(slot::IN_CREDS);
static OLD_CREDS: Table = creds_keys(slot::IN_OLD_CREDS);

const fn creds_keys(first: usize) -> Table {
    table![first; "sid": Any, "client_secret": Any, "id_server": Any, "id_access_token": Any]
}

/// What is wrong with most keys matters only once the stage's type is known, which may stand
/// behind them; but `type` and `session` are of every stage (rule U6).
pub(crate) static AUTH: Table = table![0;
    "type": Text,
    "identifier": Maybe(IDENTIFIER),
    "password": Any,
    "session": Text,
    "threepid_creds": Maybe(CREDS),
    "threepidCreds": Maybe(OLD_CREDS),
    "token": Any,
    "response": Any,
    "user": Any,
    "medium": Any,
    "address": Any,
    "country": Any,
    "phone": Any,
    "number": Any,
];

/// A body that has no other key of its own.
static AUTH_ALONE: Table = table![AUTH_SLOTS; "auth": Object(AUTH)];

impl<'a> Auth<'a> {
    /// Reads an auth dict by itself.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is no JSON, no object, or its `type` or `session` is no
    /// string. What is wrong with the other keys is told in
    /// [`Attempt::data`](Self::Attempt), since only the stage knows which it needs.
    pub fn parse(json: &'a [u8]) -> Result<Self, ParseError> {
        json::read(json, Self::read)
    }

    /// The auth dict of a body that has no other key of its own.
    pub(crate) fn of_body(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut slots = [Span::NONE; AUTH_SLOTS + 1];
        let text = json::walk(body, &AUTH_ALONE, &mut slots)?;
        let [keys @ .., dict] = &slots;
        Ok(AuthSpans::of(keys, text).auth(*dict))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        if reader.null()? {
            return Ok(Self::Absent);
        }
        let mut slots = [Span::NONE; AUTH_SLOTS];
        let mark = reader.mark();
        reader.walk(&AUTH, &mut slots)?;
        let dict = reader.span_since(mark);
        Ok(AuthSpans::of(&slots, reader.source()).auth(dict))
    }
}

/// Where the values of an auth dict stand in a body.
#[derive(Clone, Copy)]
pub(crate) struct AuthSpans<'s, 'a> {
    slots: &'s [Span; AUTH_SLOTS],
    body: &'a str,
}

impl<'s, 'a> AuthSpans<'s, 'a> {
    #[inline]
    pub(crate) const fn of(slots: &'s [Span; AUTH_SLOTS], body: &'a str) -> Self {
        Self { slots, body }
    }

    #[inline]
    fn at(self, slot: usize) -> Span {
        self.slots.get(slot).copied().unwrap_or_default()
    }

    /// The type, if there is one.
    pub(crate) fn auth_type(self) -> Option<Text<'a>> {
        self.at(slot::TYPE).text(self.body)
    }

    /// The slots from `first` on.
    #[inline]
    fn from<const N: usize>(self, first: usize) -> &'s [Span; N] {
        let from = self.slots.get(first..).and_then(|slots| slots.first_chunk());
        from.unwrap_or(const { &[Span::NONE; N] })
    }

    #[inline]
    fn identifier_from(self, first: usize) -> IdentifierSpans<'s> {
        IdentifierSpans::of(self.from(first))
    }

    /// Who is named, in today's way or in an older one.
    pub(crate) fn identifier(self) -> Result<UserIdentifier<'a>, Malformed> {
        let object = self.at(slot::IDENTIFIER);
        if object.is_absent() {
            self.identifier_from(slot::LEGACY).legacy(self.body)
        } else if object.is_object(self.body) {
            let kind = self.at(slot::IDENTIFIER_TYPE);
            self.identifier_from(slot::IN_IDENTIFIER).identifier(kind, self.body)
        } else {
            Err(Malformed::Invalid("identifier"))
        }
    }

    /// Whether what is wrong with `key`, as [`Malformed::Invalid`] names it, is the type of its value: an
    /// auth dict makes no difference (rule U6), a body does (rule E2).
    pub(crate) fn has_wrong_type(self, key: &str) -> bool {
        let object = self.at(slot::IDENTIFIER);
        let inside = object.is_object(self.body);
        let span = match key {
            "password" => Some(self.at(slot::PASSWORD)),
            "token" => Some(self.at(slot::TOKEN)),
            "identifier" => return !object.is_absent() && !inside,
            "identifier.type" => Some(self.at(slot::IDENTIFIER_TYPE)),
            _ if inside => {
                let key = key.strip_prefix("identifier.").unwrap_or(key);
                self.identifier_from(slot::IN_IDENTIFIER).named(key)
            }
            _ => self.identifier_from(slot::LEGACY).named(key),
        };
        span.is_some_and(Span::is_no_string)
    }

    /// The string under `key`, if it has the form that it must have.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn part(self, slot: usize, key: &'static str, fits: fn(Text<'_>) -> bool) -> Result<Text<'a>, Malformed> {
        fitting(required(self.at(slot), key, self.body)?, key, fits)
    }

    fn secret(
        self,
        slot: usize,
        key: &'static str,
        fits: fn(Text<'_>) -> bool,
    ) -> Result<Secret<'a>, Malformed> {
        self.part(slot, key, fits).map(Secret::from_text)
    }

    /// The password, not empty and bounded.
    pub(crate) fn password(self) -> Result<Secret<'a>, Malformed> {
        self.secret(slot::PASSWORD, "password", is_password)
    }

    /// A token of at most `max` bytes, not empty.
    pub(crate) fn token(self, max: usize) -> Result<Secret<'a>, Malformed> {
        secret(required(self.at(slot::TOKEN), "token", self.body)?, "token", max)
    }

    /// The auth dict, which stands at `dict`.
    #[inline]
    pub(crate) fn auth(self, dict: Span) -> Auth<'a> {
        let session = self.at(slot::SESSION).secret(self.body);
        let Some(name) = self.auth_type() else {
            return session.map_or(Auth::Absent, |session| Auth::Poll { session });
        };
        let auth_type = AuthType::from_text(name);
        Auth::Attempt { session, auth_type, data: self.data(auth_type, dict) }
    }

    /// What the stage is attempted with.
    #[inline]
    fn data(self, auth_type: AuthType<'a>, dict: Span) -> Result<AuthData<'a>, Malformed> {
        Ok(match auth_type {
            AuthType::Password => {
                let password = self.password()?;
                AuthData::Password { identifier: self.identifier()?, password }
            }
            AuthType::Recaptcha => {
                let response = self.secret(slot::RESPONSE, "response", is_captcha_response)?;
                AuthData::Recaptcha { response }
            }
            AuthType::EmailIdentity | AuthType::Msisdn => {
                let creds = self.creds()?;
                match auth_type {
                    AuthType::EmailIdentity => AuthData::EmailIdentity(creds),
                    _ => AuthData::Msisdn(creds),
                }
            }
            AuthType::RegistrationToken => {
                let token = self.secret(slot::TOKEN, "token", is_registration_token)?;
                AuthData::RegistrationToken { token }
            }
            AuthType::Dummy => AuthData::Dummy,
            AuthType::Terms => AuthData::Terms,
            AuthType::Sso => AuthData::Sso,
            AuthType::OAuth => AuthData::OAuth,
            AuthType::Custom(_) => AuthData::Custom(dict.raw(self.body).unwrap_or(Raw::EMPTY)),
        })
    }

    /// Element and others wrote both spellings for years; of two the spec's holds, wherever
    /// it stands, unless it is `null`.
    // Rare: where there is flash enough, it takes no registers from what is not.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn creds(self) -> Result<ThreepidCreds<'a>, Malformed> {
        let (object, first) = match self.at(slot::THREEPID_CREDS) {
            absent if absent.is_absent() => (self.at(slot::OLD_THREEPID_CREDS), slot::IN_OLD_CREDS),
            object => (object, slot::IN_CREDS),
        };
        if object.is_absent() {
            return Err(Malformed::Missing("threepid_creds"));
        }
        if !object.is_object(self.body) {
            return Err(Malformed::Invalid("threepid_creds"));
        }
        // In the order of their table.
        let [sid, client_secret, id_server, id_access_token] = [0, 1, 2, 3].map(|at| first.wrapping_add(at));
        let optional = |slot, key, fits| {
            if self.at(slot).is_absent() { Ok(None) } else { self.part(slot, key, fits).map(Some) }
        };
        Ok(ThreepidCreds {
            sid: self.part(sid, "sid", is_session_text)?,
            client_secret: self.secret(client_secret, "client_secret", is_session_text)?,
            id_server: optional(id_server, "id_server", is_id_server)?,
            id_access_token: optional(id_access_token, "id_access_token", is_id_access_token)?
                .map(Secret::from_text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_that_of_its_key() {
        for (slot, name) in [
            (slot::TYPE, "type"),
            (slot::IDENTIFIER, "identifier"),
            (slot::PASSWORD, "password"),
            (slot::SESSION, "session"),
            (slot::THREEPID_CREDS, "threepid_creds"),
            (slot::OLD_THREEPID_CREDS, "threepidCreds"),
            (slot::TOKEN, "token"),
            (slot::RESPONSE, "response"),
        ] {
            assert_eq!(AUTH.name(slot), name);
        }
        for (at, name) in ["user", "medium", "address", "country", "phone", "number"].iter().enumerate() {
            assert_eq!(AUTH.name(slot::LEGACY + at), *name);
            assert_eq!(IDENTIFIER.name(slot::IN_IDENTIFIER + at), *name);
        }
        assert_eq!(IDENTIFIER.name(slot::IDENTIFIER_TYPE), "type");
        for (at, name) in ["sid", "client_secret", "id_server", "id_access_token"].iter().enumerate() {
            assert_eq!(CREDS.name(slot::IN_CREDS + at), *name);
            assert_eq!(OLD_CREDS.name(slot::IN_OLD_CREDS + at), *name);
        }
        assert_eq!(
            [AUTH.end(), IDENTIFIER.end(), CREDS.end(), OLD_CREDS.end()],
            [slot::IDENTIFIER_TYPE, slot::IN_CREDS, slot::IN_OLD_CREDS, AUTH_SLOTS]
        );
    }
}
