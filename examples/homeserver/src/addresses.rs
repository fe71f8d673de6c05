//! E-mail addresses as people write them, made into 3PIDs. A domain in other letters than ASCII's is compared as its
//! A-labels (UTS 46), so that two spellings of one domain are one address (rule P7).

use matrix_uia::endpoint::threepid::{Domain, Medium, Threepid};
use matrix_uia::{MatrixError, Text};
use unicode_normalization::UnicodeNormalization as _;

/// The 3PID that `address` means. What stands before the domain is one address in whatever normal form it is sent
/// (NFC, as RFC 6532 has it).
///
/// # Errors
///
/// 400 `M_INVALID_PARAM` if it is no address of that medium.
pub fn threepid(medium: Medium, address: Text<'_>) -> Result<Threepid, MatrixError> {
    match medium {
        Medium::Email => {
            let address: String = address.to_cow().nfc().collect();
            Threepid::parse_international(Text::new(&address), a_labels)
        }
        Medium::Msisdn => Threepid::parse(medium, address),
    }
}

/// The domain that `text` means, in whatever letters.
///
/// # Errors
///
/// 400 `M_INVALID_PARAM` if it is none.
pub fn domain(text: &str) -> Result<Domain, MatrixError> {
    a_labels(text).ok_or(Domain::not_ascii())
}

/// The domain with A-labels that `domain` means; `None` if it is none.
pub fn a_labels(domain: &str) -> Option<Domain> {
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::URL).ok()?;
    Domain::parse(Text::new(&ascii)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(address: &str) -> Result<String, MatrixError> {
        threepid(Medium::Email, Text::new(address)).map(|threepid| threepid.address().to_owned())
    }

    #[test]
    fn lesson_87_spellings_of_one_domain_are_one_address() {
        for (given, expected) in [
            ("A@Example.org", "a@example.org"),
            ("a@ｅｘａｍｐｌｅ.org", "a@example.org"),
            ("a@example。org", "a@example.org"),
            ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("a@bu\u{308}cher.example", "a@xn--bcher-kva.example"),
            ("  a@b \n", "a@b"),
            ("Zoe\u{308}@example.org", "zo\u{eb}@example.org"),
            ("zo\u{eb}@example.org", "zo\u{eb}@example.org"),
        ] {
            assert_eq!(email(given).as_deref(), Ok(expected), "{given}");
        }
        assert_eq!(domain("ＤＥＮＩＥＤ.example").unwrap().as_str(), "denied.example");
    }

    #[test]
    fn lesson_87_what_hides_in_an_address_is_refused() {
        for address in
            ["a@den\u{ad}ied.example", "a\u{200b}@b", "a@b\u{202e}.ü", "a@b\u{0}", "a@ü..b", "a@x\u{ff0f}y.ü"]
        {
            assert!(email(address).is_err(), "{address:?}");
        }
    }
}
