//! Names of users in one spelling, for the counters of failed attempts (rule U17).

use core::fmt::Write as _;

use super::register::MAX_USER_ID_LEN;
use super::threepid::{Medium, Threepid};
use crate::characters::lower;
use crate::text::Text;
use crate::wire::{Locality, UserIdentifier};

/// Longest [canonical name](UserIdentifier::canonical), in bytes.
pub const MAX_CANONICAL_LEN: usize = MAX_USER_ID_LEN + 16;

/// A user's name in one spelling.
pub type CanonicalName = heapless::String<MAX_CANONICAL_LEN>;

impl UserIdentifier<'_> {
    /// The name in one spelling on the server `server_name`, whether there is such a user
    /// or not: what failed attempts are counted by. A localpart is in lower case, with or
    /// without the server's name around it; an address is in its
    /// [canonical form](Threepid); of a phone number the digits count. No two kinds of
    /// names share a spelling.
    ///
    /// Without the feature `unicode` only letters of ASCII are put into lower case.
    ///
    /// What is longer than any name of a user is cut off: it names nobody.
    ///
    /// ```
    /// use matrix_uia::wire::UserIdentifier;
    /// let canonical = |name: &'static str| UserIdentifier::User(name.into()).canonical("example.org");
    /// assert_eq!(canonical("Alice"), canonical("@alice:example.org"));
    /// assert_ne!(canonical("alice"), canonical("@alice:example.com"));
    /// ```
    #[must_use]
    pub fn canonical(&self, server_name: &str) -> CanonicalName {
        let mut name = CanonicalName::new();
        let (kind, text) = match *self {
            Self::User(user) => match self.localpart(server_name) {
                Locality::Local(localpart) => ("user ", localpart),
                _ => ("remote ", user),
            },
            Self::Thirdparty { medium, address } => {
                let parsed = Medium::from_name(medium).map(|medium| Threepid::parse(medium, address));
                if let Some(Ok(threepid)) = parsed {
                    // An address and its medium fit, by their bounds.
                    let _fits = write!(name, "{} {}", threepid.medium().name(), threepid.address());
                    return name;
                }
                ("address ", address)
            }
            Self::Phone { country, phone } => {
                let kind = "phone ";
                push_lower(&mut name, Text::new(kind));
                let abroad = phone.chars().next() == Some('+');
                let country = country.chars().filter(|_| !abroad).take(2);
                let digits = phone.chars().filter(char::is_ascii_digit);
                for c in country.flat_map(lower).chain(digits) {
                    if name.push(c).is_err() {
                        break;
                    }
                }
                return name;
            }
        };
        push_lower(&mut name, Text::new(kind));
        push_lower(&mut name, text);
        name
    }
}

fn push_lower(name: &mut CanonicalName, text: Text<'_>) {
    for c in text.chars().flat_map(lower) {
        if name.push(c).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characters::ASCII_ONLY;

    fn user(name: &str) -> CanonicalName {
        UserIdentifier::User(Text::new(name)).canonical("example.org")
    }

    #[test]
    fn five_spellings_of_one_name_are_one() {
        for spelling in ["alice", "ALICE", "Alice", "@alice:example.org", "@ALICE:example.org"] {
            assert_eq!(user(spelling), "user alice", "{spelling}");
        }
        assert_eq!(user("@alice:example.com"), "remote @alice:example.com");
    }

    #[test]
    fn letters_outside_of_ascii_are_lowered_where_they_are_known() {
        let lowered = if ASCII_ONLY { "user Éva" } else { "user éva" };
        assert_eq!(user("ÉVA"), lowered);
        assert_eq!(user("éVA"), "user éva");
    }

    #[test]
    fn an_address_and_a_number_are_in_one_form() {
        let address = |medium: &'static str, address: &'static str| {
            let address = Text::new(address);
            UserIdentifier::Thirdparty { medium: Text::new(medium), address }.canonical("example.org")
        };
        assert_eq!(address("email", "Alice@Example.org"), "email alice@example.org");
        assert_eq!(address("msisdn", "+447700900000"), address("msisdn", "447700900000"));
        assert_eq!(address("pigeon", "Loft"), "address loft");
        let phone = |country: &'static str, phone: &'static str| {
            let phone = Text::new(phone);
            UserIdentifier::Phone { country: Text::new(country), phone }.canonical("example.org")
        };
        assert_eq!(phone("GB", "07700 900-000"), "phone gb07700900000");
        assert_eq!(phone("US", "+44 7700 900000"), phone("gb", "+447700900000"));
    }

    #[test]
    fn a_name_without_end_is_cut_off() {
        assert_eq!(user(&"a".repeat(5_000)).len(), MAX_CANONICAL_LEN);
        assert!(user(&"é".repeat(5_000)).len() <= MAX_CANONICAL_LEN);
    }
}
