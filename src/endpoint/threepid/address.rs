//! A third-party identifier in the one form in which it is kept and compared.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// Longest e-mail address, in bytes of its canonical form: what [RFC 5321] lets a mail
/// server be asked to deliver to. A phone number has at most 15 digits.
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
pub const MAX_ADDRESS_LEN: usize = 254;

/// Most digits of a number, by E.164.
const MAX_DIGITS: usize = 15;

/// What kind of address it is: the [3PID types] of the spec.
///
/// [3PID types]: https://spec.matrix.org/v1.19/appendices/#3pid-types
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums, reason = "a medium nobody can send to has to break the build")]
pub enum Medium {
    /// An e-mail address.
    Email,
    /// A phone number.
    Msisdn,
}

impl Medium {
    /// Every medium.
    pub const ALL: [Self; 2] = [Self::Email, Self::Msisdn];

    /// The medium on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Msisdn => "msisdn",
        }
    }

    /// The medium of that name.
    #[must_use]
    pub fn from_name(name: Text<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|medium| name == *medium.name())
    }
}

/// A third-party identifier: a medium and an address in its canonical form.
///
/// Two strings that mean the same address are the same `Threepid`, and of one string
/// there are no two readings: that is what keeps the proof for one mailbox from being
/// taken for another's.
///
/// ```
/// use matrix_uia::endpoint::threepid::{Medium, Threepid};
/// let email = |address: &str| Threepid::parse(Medium::Email, address.into());
/// assert_eq!(email("Strauß@Example.com")?.address(), "strauss@example.com");
/// assert!(email("a@evil@good").is_err());
/// let phone = Threepid::parse(Medium::Msisdn, "+447700900001".into())?;
/// assert_eq!(phone.address(), "447700900001");
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Threepid {
    medium: Medium,
    address: heapless::String<MAX_ADDRESS_LEN>,
}

impl Threepid {
    /// The 3PID that `address` means.
    ///
    /// An e-mail address has one `@` with something on both sides, and none of the
    /// characters that make another address, a name or a list of it (`<`, `"`, `,` and
    /// their like, white space, control characters); it is case-folded as a whole, as the
    /// [appendix] says. The spec leaves open how the domain is written beyond its case: we
    /// take it as it comes, so that `bücher.example` and its `xn--` form are two domains.
    ///
    /// A phone number is one to fifteen digits, the first not 0; a `+` in front may be
    /// there. What a number means that is dialled within a country takes a library, which
    /// is the host's.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if it is no such address, or longer than
    /// [`MAX_ADDRESS_LEN`].
    ///
    /// [appendix]: https://spec.matrix.org/v1.19/appendices/#e-mail
    pub fn parse(medium: Medium, address: Text<'_>) -> Result<Self, MatrixError> {
        let canonical = match medium {
            Medium::Email => email(address),
            Medium::Msisdn => msisdn(address),
        };
        let invalid = MatrixError::new(ErrorCode::InvalidParam, "This is no address of that kind.");
        canonical.map(|address| Self { medium, address }).ok_or(invalid)
    }

    /// The medium.
    #[must_use]
    pub const fn medium(&self) -> Medium {
        self.medium
    }

    /// The address: what a message goes to, and nothing else.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn into_parts(self) -> (Medium, heapless::String<MAX_ADDRESS_LEN>) {
        (self.medium, self.address)
    }

    /// Whether it is an e-mail address in `domain`, which may be in any case. A subdomain
    /// is another domain.
    #[must_use]
    pub fn is_in_domain(&self, domain: &str) -> bool {
        let ours = self.address.split_once('@').map(|(_, domain)| domain);
        ours.is_some_and(|ours| ours.chars().eq(domain.chars().flat_map(fold)))
    }

    /// 400 `M_THREEPID_IN_USE`: it belongs to an account already.
    pub const fn in_use() -> MatrixError {
        MatrixError::new(ErrorCode::ThreepidInUse, "This address belongs to an account already.")
    }

    /// 400 `M_THREEPID_AUTH_FAILED`: nobody has proved to read what is sent to it. The status
    /// is that of `account/3pid/add`, by rule P6; the spec has a 403 only at the endpoint
    /// that one replaced.
    pub const fn not_validated() -> MatrixError {
        let message = "This address has not been validated.";
        MatrixError::new(ErrorCode::ThreepidAuthFailed, message).with_status(400)
    }

    /// 400 `M_THREEPID_NOT_FOUND`: no account has it.
    pub const fn not_found() -> MatrixError {
        MatrixError::new(ErrorCode::ThreepidNotFound, "No account has this address.")
    }
}

fn email(address: Text<'_>) -> Option<heapless::String<MAX_ADDRESS_LEN>> {
    let mut folded = heapless::String::new();
    for c in address.chars().flat_map(fold) {
        folded.push(c).ok()?;
    }
    let (local, domain) = folded.split_once('@')?;
    // The specials of RFC 5322: they quote, comment, list and route. Without them an
    // address has one spelling only, and a header made of it stays one header.
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"()<>[]:;@\\,\"".contains(c);
    let labels = domain.split('.').all(|label| !label.is_empty());
    (!local.is_empty() && labels && local.chars().chain(domain.chars()).all(plain)).then_some(folded)
}

fn msisdn(address: Text<'_>) -> Option<heapless::String<MAX_ADDRESS_LEN>> {
    let mut digits = heapless::String::new();
    for (index, c) in address.chars().enumerate() {
        match c {
            '+' if index == 0 => {}
            '1'..='9' => digits.push(c).ok()?,
            '0' if !digits.is_empty() => digits.push(c).ok()?,
            _ => return None,
        }
    }
    (1..=MAX_DIGITS).contains(&digits.len()).then_some(digits)
}

/// Unicode's full case folding of one character.
///
/// It is the lower case of the upper case but for three things: the dotless ı folds to
/// itself (as `i` it would be somebody else's address), the capital ẞ to `ss` like the
/// small one, and Cherokee to its capitals, which are the older letters.
fn fold(c: char) -> impl Iterator<Item = char> {
    let c = if c == 'ẞ' { 'ß' } else { c };
    let cherokee = matches!(c, '\u{13A0}'..='\u{13FD}' | '\u{AB70}'..='\u{ABBF}');
    let itself = (c == 'ı').then_some(c);
    let capitals = (cherokee && itself.is_none()).then(|| c.to_uppercase());
    let small = (!cherokee && itself.is_none()).then(|| c.to_uppercase().flat_map(char::to_lowercase));
    itself.into_iter().chain(capitals.into_iter().flatten()).chain(small.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn canonical(medium: Medium, address: &str) -> Option<String> {
        Threepid::parse(medium, address.into()).ok().map(|threepid| threepid.address().into())
    }

    #[test]
    fn an_e_mail_address_has_one_form() {
        for (given, expected) in [
            ("Alice@Example.ORG", "alice@example.org"),
            ("Strauß@Example.com", "strauss@example.com"),
            ("STRAUẞ@example.com", "strauss@example.com"),
            ("a+tag=b'c@localhost", "a+tag=b'c@localhost"),
            ("ΣΊΣΥΦΟΣ@example.com", "σίσυφοσ@example.com"),
            ("σίσυφος@example.com", "σίσυφοσ@example.com"),
            ("mıke@example.com", "mıke@example.com"),
            ("ﬃ@example.com", "ffi@example.com"),
            ("Ꭰꭰ@example.com", "ᎠᎠ@example.com"),
        ] {
            assert_eq!(canonical(Medium::Email, given).as_deref(), Some(expected), "{given}");
            assert_eq!(canonical(Medium::Email, expected).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn what_could_be_read_two_ways_is_no_e_mail_address() {
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "alice",
            "a@evil@good",
            "a b@c",
            "a@b c",
            "a@b\n",
            "a\r\nBcc: x@y",
            "a\u{a0}b@c",
            "<a@b>",
            "Alice <a@b>",
            "mailto:a@b",
            "\"a\"@b",
            "a,b@c",
            "a;b@c",
            "a(b)@c",
            "a\\@b",
            "a@[::1]",
            "a@b.",
            "a@.b",
            "a@b..c",
        ] {
            assert_eq!(canonical(Medium::Email, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_canonical_form() {
        let of = |len: usize| format!("{}@b", "a".repeat(len - 2));
        assert!(canonical(Medium::Email, &of(MAX_ADDRESS_LEN)).is_some());
        assert_eq!(canonical(Medium::Email, &of(MAX_ADDRESS_LEN + 1)), None);
        // Two bytes that fold to six.
        assert_eq!(canonical(Medium::Email, &format!("{}@b", "\u{390}".repeat(43))), None);
    }

    #[test]
    fn a_number_is_the_digits_of_e_164() {
        for (given, expected) in [
            ("+447700900000", Some("447700900000")),
            ("447700900000", Some("447700900000")),
            ("1", Some("1")),
            ("123456789012345", Some("123456789012345")),
            ("1234567890123456", None),
            ("07700900000", None),
            ("+07700", None),
            ("++4477", None),
            ("44+77", None),
            ("44 7700", None),
            ("٤٤٧٧", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(canonical(Medium::Msisdn, given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for c in '\0'..=char::MAX {
            let once: String = fold(c).collect();
            let twice: String = once.chars().flat_map(fold).collect();
            assert_eq!(once, twice, "{c:?}");
        }
    }

    #[test]
    fn a_domain_is_the_whole_domain_in_any_case() {
        let email = Threepid::parse(Medium::Email, "a@Denied.Example".into()).unwrap();
        assert!(email.is_in_domain("DENIED.example"));
        assert!(!email.is_in_domain("example") && !email.is_in_domain("xdenied.example"));
        let phone = Threepid::parse(Medium::Msisdn, "4477".into()).unwrap();
        assert!(!phone.is_in_domain("") && !phone.is_in_domain("4477"));
    }

    #[test]
    fn every_medium_is_read_back_by_its_name() {
        for medium in Medium::ALL {
            assert_eq!(Medium::from_name(medium.name().into()), Some(medium));
        }
        assert_eq!(Medium::from_name("Email".into()), None);
    }
}
