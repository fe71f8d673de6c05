//! Third-party addresses in the one form in which they are compared.

use serde::Deserialize;

/// What kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    Email,
    Msisdn,
}

impl Medium {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Msisdn => "msisdn",
        }
    }

    /// The canonical form of `address`; `None` if it is no address of this kind.
    ///
    /// An e-mail address in lower case with exactly one `@` (two readers of `a@evil@good` would not agree
    /// on its domain); a phone number as the digits of E.164.
    pub fn canonical(self, address: &str) -> Option<String> {
        match self {
            Self::Email => {
                let (local, domain) = address.split_once('@')?;
                let plain = |part: &str| {
                    !part.is_empty()
                        && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
                };
                (plain(local) && plain(domain) && address.len() <= 254).then(|| address.to_lowercase())
            }
            Self::Msisdn => {
                let digits = address.strip_prefix('+').unwrap_or(address);
                let e164 = (5..=15).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && !digits.starts_with('0');
                e164.then(|| digits.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Medium;

    #[test]
    fn addresses_compare_in_one_form() {
        for (medium, address, canonical) in [
            (Medium::Email, "Alice@Example.ORG", Some("alice@example.org")),
            (Medium::Email, "a@evil@good", None),
            (Medium::Email, "@example.org", None),
            (Medium::Email, "alice@", None),
            (Medium::Email, "alice", None),
            (Medium::Email, "al ice@example.org", None),
            (Medium::Msisdn, "+447700900000", Some("447700900000")),
            (Medium::Msisdn, "447700900000", Some("447700900000")),
            (Medium::Msisdn, "07700900000", None),
            (Medium::Msisdn, "1234", None),
            (Medium::Msisdn, "1234567890123456", None),
            (Medium::Msisdn, "44 7700", None),
        ] {
            assert_eq!(medium.canonical(address).as_deref(), canonical, "{address}");
        }
    }
}
