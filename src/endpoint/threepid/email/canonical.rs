//! The form of an address in which it is kept and compared.

use super::ascii;
use super::form::{Address, INVALID};
#[cfg(feature = "unicode")]
use super::international;
use crate::characters::is_white_space;
use crate::endpoint::threepid::domain::Domain;
use crate::text::Text;
use crate::wire::error::MatrixError;

/// The canonical form of an address whose domain is ASCII, or becomes it by `to_ascii`, which is
/// not called without the feature `unicode`.
pub(in super::super) fn canonical(
    address: Text<'_>,
    to_ascii: impl FnOnce(&str) -> Option<Domain>,
) -> Result<Address, MatrixError> {
    #[cfg(feature = "unicode")]
    if !address.chars().all(|c| c.is_ascii()) {
        return international::canonical(address, to_ascii);
    }
    let _ = to_ascii;
    ascii::canonical(address.chars())
}

/// The address of a local part and a domain.
pub(in super::super) fn of_parts(local: Text<'_>, domain: &Domain) -> Result<Address, MatrixError> {
    #[cfg(feature = "unicode")]
    if !local.chars().all(|c| c.is_ascii()) {
        return international::join(local.chars(), domain);
    }
    if local.chars().any(is_white_space) {
        return Err(INVALID);
    }
    ascii::canonical(local.chars().chain(['@']).chain(domain.as_str().chars()))
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::characters::ASCII_ONLY;
    use crate::endpoint::threepid::email::form::{MAX_ADDRESS_LEN, NOT_ASCII};

    fn read(address: &str) -> Result<String, MatrixError> {
        canonical(address.into(), |_| None).map(|address| address.as_str().into())
    }

    /// What comes of an address that is not ASCII: `known` where its characters are.
    fn if_known<T>(known: Result<T, MatrixError>) -> Result<T, MatrixError> {
        if ASCII_ONLY { Err(NOT_ASCII) } else { known }
    }

    #[test]
    fn local_part_is_case_folded_and_the_domain_lowered() {
        for (given, expected) in [
            ("Alice@Example.ORG", "alice@example.org"),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZ@b", "abcdefghijklmnopqrstuvwxyz@b"),
            ("a+tag=b'c@localhost", "a+tag=b'c@localhost"),
            ("!#$%&'*+-/=?^_`{|}~.0123456789@b", "!#$%&'*+-/=?^_`{|}~.0123456789@b"),
            (" \t a@b\n", "a@b"),
            ("\u{b}\u{c}a@b\r", "a@b"),
        ] {
            assert_eq!(read(given).as_deref(), Ok(expected), "{given}");
            assert_eq!(read(expected).as_deref(), Ok(expected), "{given}");
        }
        for (given, expected) in [
            ("Strauß@Example.com", "strauss@example.com"),
            ("STRAUẞ@example.com", "strauss@example.com"),
            ("ΣΊΣΥΦΟΣ@example.com", "σίσυφοσ@example.com"),
            ("σίσυφος@example.com", "σίσυφοσ@example.com"),
            ("mıke@example.com", "mıke@example.com"),
            ("ﬃ@example.com", "ffi@example.com"),
            ("Ꭰꭰ@example.com", "ᎠᎠ@example.com"),
            ("\u{212A}@example.com", "k@example.com"),
            ("\u{3000}a@b\u{a0}", "a@b"),
        ] {
            assert_eq!(read(given).as_deref(), if_known(Ok(expected)).as_ref().copied(), "{given}");
            if !ASCII_ONLY {
                assert_eq!(read(expected).as_deref(), Ok(expected), "{given}");
            }
        }
    }

    #[test]
    fn address_that_could_be_read_two_ways_is_refused() {
        for bad in [
            "",
            " ",
            "@",
            "a@",
            "@b",
            "alice",
            "a@evil@good",
            "a b@c",
            "a@b c",
            "a @b",
            "a@ b",
            "a\r\nBcc: x@y",
            "a\u{b}b@c",
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
            "al\0ice@b",
            "alice@\u{7f}b",
        ] {
            assert_eq!(read(bad), Err(INVALID), "{bad:?}");
        }
        for bad in ["a\u{a0}b@c", "a＠evil@good", "a\u{FE6B}evil@good", "ａ@b"] {
            assert_eq!(read(bad), if_known(Err(INVALID)), "{bad:?}");
        }
    }

    #[test]
    fn invisible_and_control_characters_are_refused_in_both_parts() {
        let hidden = ['\0', '\u{7f}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2060}', '\u{feff}', '\u{e0061}'];
        for c in hidden {
            let refused = if c.is_ascii() { Err(INVALID) } else { if_known(Err(INVALID)) };
            assert_eq!(read(&std::format!("al{c}ice@b")), refused, "{c:?}");
            // In the domain too, and before a library could drop it.
            let address = std::format!("alice@{c}b.ü");
            let mapped = canonical(address.as_str().into(), |_| Domain::parse("b".into()).ok());
            assert_eq!(mapped, if_known(Err(INVALID)), "{c:?}");
        }
    }

    #[test]
    fn domain_that_is_not_ascii_is_the_hosts_to_map() {
        assert_eq!(read("a@bücher.example"), if_known(Err(Domain::not_ascii())));
        let mapped = canonical("A@Bücher.example".into(), |domain| {
            assert_eq!((domain, ASCII_ONLY), ("Bücher.example", false));
            Domain::parse("xn--bcher-kva.example".into()).ok()
        });
        assert_eq!(mapped.as_deref(), if_known(Ok("a@xn--bcher-kva.example")).as_ref().copied());
        let full_width =
            canonical("a@ｄｅｎｉｅｄ.example".into(), |_| Domain::parse("denied.example".into()).ok());
        assert_eq!(full_width.as_deref(), if_known(Ok("a@denied.example")).as_ref().copied());
    }

    #[test]
    fn local_part_by_itself_is_of_the_same_characters() {
        let domain = Domain::parse("b".into()).unwrap();
        let joined = |local: &str| of_parts(local.into(), &domain).map(|it| String::from(it.as_str()));
        assert_eq!(joined("A").as_deref(), Ok("a@b"));
        assert_eq!(joined("é").as_deref(), if_known(Ok("é@b")).as_ref().copied());
        assert_eq!(joined("\u{200b}"), if_known(Err(INVALID)));
    }

    #[test]
    fn length_is_that_of_the_canonical_form() {
        let of = |len: usize| std::format!("{}@b", "a".repeat(len - 2));
        assert!(read(&of(MAX_ADDRESS_LEN)).is_ok());
        assert!(read(&std::format!("{}{}", of(MAX_ADDRESS_LEN), " ".repeat(1_000))).is_ok());
        assert_eq!(read(&of(MAX_ADDRESS_LEN + 1)), Err(INVALID));
        // Two bytes that fold to six.
        assert_eq!(read(&std::format!("{}@b", "\u{390}".repeat(43))), if_known(Err(INVALID)));
    }

    /// Every short address of characters that mean something, through both readings.
    #[test]
    #[cfg(feature = "unicode")]
    fn address_in_ascii_is_read_as_every_other_is() {
        let letters = ['a', 'Z', '@', '.', ' ', '_', ',', '\u{b}', '\0'];
        let mut addresses = vec![String::new()];
        for begun in 0.. {
            let Some(address) = addresses.get(begun).cloned() else { break };
            let both = international::canonical(address.as_str().into(), |_| None);
            assert_eq!(ascii::canonical(address.chars()), both, "{address:?}");
            if address.len() < 5 {
                addresses.extend(letters.map(|letter| std::format!("{address}{letter}")));
            }
            let domain = Domain::parse("B.c".into()).unwrap();
            let both = international::join(address.chars(), &domain);
            assert_eq!(of_parts(address.as_str().into(), &domain), both, "{address:?}");
        }
        for c in '\0'..='\u{7f}' {
            for address in [std::format!("a{c}a@b"), std::format!("a@b{c}b"), std::format!("{c}a@b{c}")] {
                let both = international::canonical(address.as_str().into(), |_| None);
                assert_eq!(ascii::canonical(address.chars()), both, "{address:?}");
            }
        }
    }
}
