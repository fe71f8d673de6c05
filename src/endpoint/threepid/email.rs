//! E-mail addresses in one form.

use super::domain::Domain;
use crate::characters::{ASCII_ONLY, fold, is_visible, is_white_space};
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// Longest e-mail address, in bytes of its canonical form: what [RFC 5321] lets a mail
/// server be asked to deliver to. A phone number has at most 15 digits.
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
pub const MAX_ADDRESS_LEN: usize = 254;

pub(super) type Address = heapless::String<MAX_ADDRESS_LEN>;

const INVALID: MatrixError = MatrixError::new(ErrorCode::InvalidParam, "This is no e-mail address.");
/// Without the feature `unicode`, of an address that is not ASCII.
const NOT_ASCII: MatrixError =
    MatrixError::new(ErrorCode::InvalidParam, "This server takes e-mail addresses in ASCII only.");

/// The characters of `text` without the white space around it.
pub(super) fn trimmed(text: Text<'_>) -> impl Iterator<Item = char> + Clone + '_ {
    let last = text.chars().enumerate().filter(|(_, c)| !is_white_space(*c)).last();
    let end = last.map_or(0, |(index, _)| index.saturating_add(1));
    text.chars().take(end).skip_while(|c| is_white_space(*c))
}

/// Whether anything is known of all the characters of an address.
fn check_known(address: Text<'_>) -> Result<(), MatrixError> {
    if ASCII_ONLY && !address.chars().all(|c| c.is_ascii()) { Err(NOT_ASCII) } else { Ok(()) }
}

/// The canonical form of an address whose domain is ASCII, or becomes it by `to_ascii`.
pub(super) fn canonical(
    address: Text<'_>,
    to_ascii: impl FnOnce(&str) -> Option<Domain>,
) -> Result<Address, MatrixError> {
    check_known(address)?;
    let chars = trimmed(address);
    let local = chars.clone().take_while(|c| *c != '@');
    let domain = chars.skip_while(|c| *c != '@').skip(1);
    let domain = match Domain::from_chars(domain.clone()) {
        Ok(domain) => domain,
        Err(error) if !ASCII_ONLY && error == Domain::not_ascii() => {
            let mut unmapped = Address::new();
            for c in domain {
                // A library may drop what is invisible; then it was no address of that form.
                let visible = is_visible(c) && c != '@';
                visible.then(|| unmapped.push(c).ok()).flatten().ok_or(INVALID)?;
            }
            to_ascii(&unmapped).ok_or(error)?
        }
        Err(_) => return Err(INVALID),
    };
    join(local, &domain)
}

/// The address of a local part and a domain.
pub(super) fn of_parts(local: Text<'_>, domain: &Domain) -> Result<Address, MatrixError> {
    check_known(local)?;
    join(local.chars(), domain)
}

fn join(local: impl Iterator<Item = char>, domain: &Domain) -> Result<Address, MatrixError> {
    let mut address = Address::new();
    for c in local.flat_map(fold) {
        let plain = is_plain(c) && c != '@';
        plain.then(|| address.push(c).ok()).flatten().ok_or(INVALID)?;
    }
    if address.is_empty() {
        return Err(INVALID);
    }
    address.push('@').and_then(|()| address.push_str(domain.as_str())).map_err(|_| INVALID)?;
    Ok(address)
}

/// Whether a character can't make another address, or a list of them.
///
/// The specials of RFC 5322 quote, comment, list and route. Without them an address has one
/// spelling only, and a header made of it stays one header. Their full-width and small forms
/// count as well: some mail servers read them as the characters they look like, and with
/// them all the other forms of ASCII characters.
fn is_plain(c: char) -> bool {
    let looks_like_ascii = matches!(c, '\u{FE50}'..='\u{FE6F}' | '\u{FF01}'..='\u{FF5E}');
    is_visible(c) && !looks_like_ascii && !"()<>[]:;\\,\"".contains(c)
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

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
}
