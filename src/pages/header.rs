//! What goes above a page: headers, as data.

use core::fmt;

use super::Nonce;

/// The value of one header.
#[derive(Clone, Copy, Debug)]
pub struct HeaderValue(Value);

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Fixed(&'static str),
    Policy(Policy),
    Seconds(u64),
}

/// What a page may load, and where it may send its form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) nonce: Nonce,
    pub(super) needs: Needs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// A form, to the server itself.
    Form,
    /// A form whose answer may lead to another site: browsers hold a redirect to
    /// `form-action` as well.
    FormThatLeads,
    /// A form, and the captcha's own script and frame.
    Captcha,
    /// A script that asks the server itself; its form is never sent.
    Script,
}

/// Where the captcha comes from: its script by either name of its host, its frame, and
/// what both load.
const CAPTCHA: [&str; 3] = [
    " https://www.recaptcha.net/recaptcha/",
    " https://www.google.com/recaptcha/",
    " https://www.gstatic.com/recaptcha/",
];

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nonce = self.nonce;
        let captcha = self.needs == Needs::Captcha;
        write!(f, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'nonce-{nonce}'")?;
        write!(f, "; script-src 'nonce-{nonce}'")?;
        if captcha {
            CAPTCHA.iter().try_for_each(|host| f.write_str(host))?;
            for directive in ["; frame-src", "; connect-src", "; img-src"] {
                f.write_str(directive)?;
                CAPTCHA.iter().try_for_each(|host| f.write_str(host))?;
            }
        }
        f.write_str(match self.needs {
            Needs::Form | Needs::Captcha => "; form-action 'self'",
            Needs::FormThatLeads => "; form-action 'self' https: http:",
            Needs::Script => "; connect-src 'self'; form-action 'none'",
        })
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Fixed(text) => f.write_str(text),
            Value::Policy(policy) => policy.fmt(f),
            Value::Seconds(seconds) => seconds.fmt(f),
        }
    }
}

/// Every header of a page. No `Cross-Origin-Opener-Policy`: the page has to reach the
/// window that opened it.
pub(super) fn all(
    policy: Policy,
    retry_after: Option<u64>,
) -> impl Iterator<Item = (&'static str, HeaderValue)> {
    let fixed = [
        ("content-type", Value::Fixed("text/html; charset=utf-8")),
        ("content-security-policy", Value::Policy(policy)),
        ("x-frame-options", Value::Fixed("DENY")),
        ("x-content-type-options", Value::Fixed("nosniff")),
        ("referrer-policy", Value::Fixed("no-referrer")),
        ("cache-control", Value::Fixed("no-store")),
    ];
    let retry_after = retry_after.map(|seconds| ("retry-after", Value::Seconds(seconds)));
    fixed.into_iter().chain(retry_after).map(|(name, value)| (name, HeaderValue(value)))
}
