//! The policies of the terms page, each in the language that is wanted most.
//!
//! See [terms of service at registration](https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration).

use core::fmt;

use super::Languages;
use super::frame::Frame;
use super::position::{InAttribute, InLink, InText};
use crate::text::Text;
use crate::wire::{Raw, WebUrl};

/// One policy, in one language.
struct Policy<'a> {
    version: Option<Text<'a>>,
    language: Text<'a>,
    name: Text<'a>,
    url: Option<WebUrl<'a>>,
    rank: u32,
}

/// Writes the list of policies. What is no policy in the operator's params is left out.
pub(super) fn write(frame: &mut Frame<'_>, params: Option<Raw<'_>>, languages: Languages<'_>) -> fmt::Result {
    let Some(params) = params else { return Ok(()) };
    frame.out.write_str("<ul>\n")?;
    let mut written = Ok(());
    let mut read = params.reader();
    // The params were checked when the policy was built: they are JSON.
    let _ = read.object(|reader, key| {
        if key != "policies" || reader.peek() != Some(b'{') {
            return reader.skip();
        }
        reader.object(|reader, id| {
            let value = reader.raw()?;
            if let (Ok(()), true) = (&written, value.is_object()) {
                written = item(frame, id, value, languages);
            }
            Ok(())
        })
    });
    written.and_then(|()| frame.out.write_str("</ul>\n"))
}

fn item(frame: &mut Frame<'_>, id: Text<'_>, policy: Raw<'_>, languages: Languages<'_>) -> fmt::Result {
    let best = choose(policy, languages);
    let out = &mut frame.out;
    out.write_str("<li>")?;
    let version = match &best {
        Some(Policy { name, url: Some(url), language, version, .. }) => {
            let language = InAttribute(Tag(*language));
            write!(
                out,
                "<a href=\"{}\" hreflang=\"{language}\" lang=\"{language}\" target=\"_blank\" \
                 rel=\"noopener noreferrer\">{}</a>",
                InLink(*url),
                InText(*name),
            )?;
            *version
        }
        Some(Policy { name, version, .. }) => {
            write!(out, "{}", InText(*name))?;
            *version
        }
        None => {
            write!(out, "{}", InText(id))?;
            version_of(policy)
        }
    };
    if let Some(version) = version {
        write!(out, " <small>Version {}</small>", InText(version))?;
    }
    out.write_str("</li>\n")
}

/// The policy in the language that is wanted most; of those wanted alike English, else
/// the first there is.
fn choose<'a>(policy: Raw<'a>, languages: Languages<'_>) -> Option<Policy<'a>> {
    let version = version_of(policy);
    let mut best: Option<Policy<'a>> = None;
    let _ = policy.reader().object(|reader, language| {
        let translation = reader.raw()?;
        if language == "version" || !translation.is_object() {
            return Ok(());
        }
        let english = Languages::parse("en").preference(language) > 0;
        let rank = languages.preference(language).saturating_mul(2).saturating_add(u32::from(english));
        let (name, url) = (member(translation, "name"), member(translation, "url"));
        if let (Some(name), true) = (name, best.as_ref().is_none_or(|best| rank > best.rank)) {
            best = Some(Policy { version, language, name, url: url.and_then(WebUrl::parse), rank });
        }
        Ok(())
    });
    best
}

fn version_of(policy: Raw<'_>) -> Option<Text<'_>> {
    member(policy, "version")
}

/// The string at a key.
fn member<'a>(object: Raw<'a>, wanted: &str) -> Option<Text<'a>> {
    let mut found = None;
    let _ = object.reader().object(|reader, key| {
        if key == *wanted && reader.peek() == Some(b'"') {
            found = Some(reader.text()?);
            return Ok(());
        }
        reader.skip()
    });
    found
}

/// A language as HTML spells it: with hyphens.
struct Tag<'a>(Text<'a>);

impl fmt::Display for Tag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| fmt::Write::write_char(f, if c == '_' { '-' } else { c }))
    }
}
