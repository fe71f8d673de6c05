//! Which terms were shown.

use core::fmt;

use crate::text::Text;

/// Which terms a policy presents, as their page's form says it has shown them. Rule U21.
///
/// It stands for the whole of the `m.login.terms` params: any version, name or URL in them
/// that changes makes another.
///
/// ```
/// use matrix_uia::server::flows::TermsVersion;
/// assert_eq!(TermsVersion::parse("0000002a".into()).map(|it| it.to_string()).as_deref(), Some("0000002a"));
/// assert_eq!(TermsVersion::parse("2a".into()), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsVersion(pub(crate) u32);

impl TermsVersion {
    /// The version that a form's field says; `None` if no page of ours wrote it.
    #[must_use]
    pub fn parse(text: Text<'_>) -> Option<Self> {
        let hex = text.to_fixed::<8>().ok().filter(|hex| hex.len() == 8)?;
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u32::from_str_radix(&hex, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for TermsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
