//! A third-party identifier in the one form in which it is kept and compared.

use super::domain::Domain;
use super::email;
use super::trimmed::trimmed;
use crate::stored::stored_by_name;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// Most digits of a number, by E.164.
const MAX_DIGITS: usize = 15;

/// What kind of address it is: the [3PID types] of the spec.
///
/// [3PID types]: https://spec.matrix.org/v1.19/appendices/#3pid-types
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

stored_by_name!(Medium);

/// A third-party identifier: a medium and an address in its canonical form.
///
/// Two strings that mean the same address are the same `Threepid`, and of one string
/// there are no two readings: that is what keeps the proof for one mailbox from being
/// taken for another's.
///
/// ```
/// use matrix_uia::endpoint::threepid::{Medium, Threepid};
/// let email = |address: &str| Threepid::parse(Medium::Email, address.into());
/// assert_eq!(email("Alice@Example.com")?.address(), "alice@example.com");
/// #[cfg(feature = "unicode")]
/// assert_eq!(email("Strauß@Example.com")?.address(), "strauss@example.com");
/// assert!(email("a@evil@good").is_err());
/// let phone = Threepid::parse(Medium::Msisdn, "+447700900001".into())?;
/// assert_eq!(phone.address(), "447700900001");
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Threepid {
    medium: Medium,
    address: email::Address,
}

impl Threepid {
    /// The 3PID that `address` means.
    ///
    /// White space around it is taken off. An e-mail address has one `@` with something on
    /// both sides, and none of the characters that make another address, a name or a list
    /// of it (`<`, `"`, `,` and their like), that are control characters, or that nobody
    /// sees. It is case-folded, as the [appendix] says. Its domain is ASCII, with A-labels
    /// where it is international; another is
    /// [`parse_international`](Self::parse_international)'s. Without the feature `unicode`
    /// all of it is ASCII.
    ///
    /// A phone number is one to fifteen digits, the first not 0; a `+` in front may be
    /// there. What a number means that is dialled within a country takes a library, which
    /// is the host's.
    ///
    /// # Errors
    ///
    /// [`Domain::not_ascii`] for an e-mail address whose domain is not ASCII; another 400
    /// `M_INVALID_PARAM` if it is no such address, not ASCII without the feature `unicode`, or longer than [`MAX_ADDRESS_LEN`](super::MAX_ADDRESS_LEN).
    ///
    /// [appendix]: https://spec.matrix.org/v1.19/appendices/#e-mail
    pub fn parse(medium: Medium, address: Text<'_>) -> Result<Self, MatrixError> {
        let address = match medium {
            Medium::Email => email::canonical(address, |_| None)?,
            Medium::Msisdn => msisdn(address)?,
        };
        Ok(Self { medium, address })
    }

    /// The e-mail address that `address` means, at a host that has a library for
    /// international domains.
    ///
    /// `to_ascii` is called with a domain that is not ASCII, and gives the same with
    /// A-labels; `None` if it is no domain. With the crate `idna` that is
    /// `idna::domain_to_ascii_strict`, and [`Domain::parse`] of what it returns.
    ///
    /// ```
    /// use matrix_uia::endpoint::threepid::{Domain, Threepid};
    /// # #[cfg(feature = "unicode")] {
    /// # let idna = |domain: &str| (domain == "bücher.example").then_some("xn--bcher-kva.example");
    /// let to_ascii = |domain: &str| Domain::parse(idna(domain)?.into()).ok();
    /// let email = Threepid::parse_international("Alice@bücher.example".into(), to_ascii)?;
    /// assert_eq!(email.address(), "alice@xn--bcher-kva.example");
    /// # }
    /// # Ok::<(), matrix_uia::MatrixError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); [`Domain::not_ascii`] if `to_ascii` gives nothing. Without the
    /// feature `unicode` it is not called, and a domain that is not ASCII is refused.
    pub fn parse_international(
        address: Text<'_>,
        to_ascii: impl FnOnce(&str) -> Option<Domain>,
    ) -> Result<Self, MatrixError> {
        let address = email::canonical(address, to_ascii)?;
        Ok(Self { medium: Medium::Email, address })
    }

    /// The e-mail address of this `local` part at this `domain`.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` as [`parse`](Self::parse). Here white space is not taken off.
    pub fn email(local: Text<'_>, domain: &Domain) -> Result<Self, MatrixError> {
        let address = email::of_parts(local, domain)?;
        Ok(Self { medium: Medium::Email, address })
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

    pub(super) fn into_parts(self) -> (Medium, email::Address) {
        (self.medium, self.address)
    }

    /// Whether it is an e-mail address in `domain`. A subdomain is another domain.
    #[must_use]
    pub fn is_in_domain(&self, domain: &Domain) -> bool {
        self.address.split_once('@').is_some_and(|(_, ours)| ours == domain.as_str())
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

fn msisdn(address: Text<'_>) -> Result<email::Address, MatrixError> {
    let invalid = MatrixError::new(ErrorCode::InvalidParam, "This is no phone number.");
    let mut digits = email::Address::new();
    for (index, c) in trimmed(address).enumerate() {
        let pushed = match c {
            '+' if index == 0 => Ok(()),
            '1'..='9' => digits.push(c),
            '0' if !digits.is_empty() => digits.push(c),
            _ => return Err(invalid),
        };
        pushed.map_err(|_| invalid)?;
    }
    if (1..=MAX_DIGITS).contains(&digits.len()) { Ok(digits) } else { Err(invalid) }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn number(address: &str) -> Option<String> {
        Threepid::parse(Medium::Msisdn, address.into()).ok().map(|threepid| threepid.address().into())
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
            (" +4477\n", Some("4477")),
            ("44 7700", None),
            ("٤٤٧٧", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(number(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn domain_is_compared_whole() {
        let domain = |domain: &str| Domain::parse(domain.into()).unwrap();
        let email = Threepid::parse(Medium::Email, "a@Denied.Example".into()).unwrap();
        assert!(email.is_in_domain(&domain("DENIED.example")));
        assert!(!email.is_in_domain(&domain("example")) && !email.is_in_domain(&domain("xdenied.example")));
        let phone = Threepid::parse(Medium::Msisdn, "4477".into()).unwrap();
        assert!(!phone.is_in_domain(&domain("4477")));
    }

    #[test]
    fn email_is_made_of_its_two_parts() {
        let domain = Domain::parse("xn--bcher-kva.example".into()).unwrap();
        let whole = Threepid::parse(Medium::Email, "Alice@xn--bcher-kva.EXAMPLE".into()).unwrap();
        assert_eq!(Threepid::email("Alice".into(), &domain), Ok(whole));
        for bad in ["", "a@b", " a", "a\u{200b}"] {
            assert!(Threepid::email(bad.into(), &domain).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_medium_is_read_back_by_its_name() {
        for medium in Medium::ALL {
            assert_eq!(Medium::from_name(medium.name().into()), Some(medium));
        }
        assert_eq!(Medium::from_name("Email".into()), None);
    }
}
