//! The params of the stages that have some: what to show a user before they can answer.
//!
//! ```text
//!  params ─► m.login.recaptcha  public_key
//!         ─► m.login.terms      policies: name and address, in a language of the user's
//!         ─► m.oauth            url
//!         ─► any other          as it came
//! ```
//!
//! A param that is not what the spec says counts as absent, and the stage as one that
//! the application can't do. Addresses are only taken if they are of the web: an
//! application hands them to the system, which would open a file or run a script as well.

use crate::text::Text;
use crate::wire::json::{Members, Raw};
use crate::wire::{AuthType, ChallengeBody, WebUrl};

/// The `public_key` of a captcha.
pub(super) fn recaptcha_key<'a>(challenge: &ChallengeBody<'a>) -> Option<Text<'a>> {
    text_of(challenge.params_of(AuthType::Recaptcha)?, "public_key").filter(|key| !key.is_empty())
}

/// The `url` of an `m.oauth` stage.
pub(super) fn oauth_url<'a>(challenge: &ChallengeBody<'a>) -> Option<Text<'a>> {
    text_of(challenge.params_of(AuthType::OAuth)?, "url").filter(is_web)
}

fn is_web(url: &Text<'_>) -> bool {
    WebUrl::parse(*url).is_some()
}

/// The text under `key` of an object.
fn text_of<'a>(object: Raw<'a>, key: &str) -> Option<Text<'a>> {
    member(object, key)?.text()
}

/// The value under `key` of an object.
fn member<'a>(object: Raw<'a>, key: &str) -> Option<Raw<'a>> {
    Members::of(object).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// The policies to be accepted: the params of [`m.login.terms`].
///
/// [`m.login.terms`]: https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    policies: Raw<'a>,
}

/// One document, in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy<'a> {
    /// What the server calls the document, such as `privacy_policy`.
    pub id: Text<'a>,
    /// Its version.
    pub version: Text<'a>,
    /// The language chosen, as the server writes it.
    pub language: Text<'a>,
    /// The name to show.
    pub name: Text<'a>,
    /// The address of the document: `http` or `https`, nothing else.
    pub url: Text<'a>,
}

impl<'a> Terms<'a> {
    /// `None` unless every policy can be shown to somebody: the spec asks for an error
    /// where a parameter is invalid, and nobody accepts what they weren't shown.
    pub(super) fn of(challenge: &ChallengeBody<'a>) -> Option<Self> {
        let policies = member(challenge.params_of(AuthType::Terms)?, "policies")?;
        let mut all = Members::of(policies);
        let sound = policies.is_object() && all.all(|(id, policy)| Policy::read(id, policy, &[]).is_some());
        sound.then_some(Self { policies })
    }

    /// Calls `show` for each policy in the first of `languages` that it is there in: `de`
    /// finds `de-AT`, and the other way round. Without any such, in English, without that
    /// in whichever comes first.
    ///
    /// ```
    /// # use matrix_uia::client::{Answer, CallName, Client, Next, Progress, Prompt};
    /// # use matrix_uia::wire::AuthType;
    /// # use matrix_uia::Timestamp;
    /// # let (client, now) = (Client::new(&[AuthType::Terms]), Timestamp::from_millis(0));
    /// # let mut progress = Progress::<1024>::new(CallName::new("register").unwrap());
    /// # let Next::Send(request) = client.next(&mut progress, now) else { panic!() };
    /// # let ticket = request.ticket();
    /// # let body = br#"{"session":"s","flows":[{"stages":["m.login.terms"]}],"params":{"m.login.terms":{"policies":
    /// # {"tos":{"version":"1.2","en":{"name":"Terms","url":"https://example.org/en"},"fr":{"name":"Conditions","url":"https://example.org/fr"}}}}}}"#;
    /// # let _ = client.receive(&mut progress, ticket, Answer::new(401, body), now);
    /// if let Next::Prompt(Prompt::Terms(prompt)) = client.next(&mut progress, now) {
    ///     prompt.terms().each(&["fr-CA", "de"], |policy| assert_eq!(policy.name, "Conditions"));
    ///     let request = prompt.accept();
    /// # let _ = request;
    /// }
    /// # else { panic!() }
    /// ```
    pub fn each(&self, languages: &[&str], mut show: impl FnMut(Policy<'a>)) {
        for (id, policy) in Members::of(self.policies) {
            if let Some(policy) = Policy::read(id, policy, languages) {
                show(policy);
            }
        }
    }
}

impl<'a> Policy<'a> {
    fn read(id: Text<'a>, policy: Raw<'a>, languages: &[&str]) -> Option<Self> {
        let version = text_of(policy, "version")?;
        let mut best: Option<(usize, Self)> = None;
        for (language, document) in Members::of(policy) {
            let read = || {
                let url = text_of(document, "url").filter(is_web)?;
                Some(Policy { id, version, language, name: text_of(document, "name")?, url })
            };
            let rank = rank(language, languages);
            if let Some(document) = read()
                && best.as_ref().is_none_or(|(best, _)| rank < *best)
            {
                best = Some((rank, document));
            }
        }
        best.map(|(_, document)| document)
    }
}

/// How far down the list of what the user reads `language` stands; exact before related.
fn rank(language: Text<'_>, languages: &[&str]) -> usize {
    let preferred = languages.iter().chain(&["en"]).enumerate();
    let mut ranks = preferred.filter_map(|(place, wanted)| {
        let exact = is_exact(language, Text::new(wanted))?;
        Some(place.saturating_mul(2).saturating_add(usize::from(!exact)))
    });
    ranks.next().unwrap_or(usize::MAX)
}

/// Whether a language that is related to another is the same; nothing if it isn't related.
fn is_exact(one: Text<'_>, other: Text<'_>) -> Option<bool> {
    let [mut one, mut other] = [one, other].map(|language| language.chars().map(|c| c.to_ascii_lowercase()));
    let is_behind_primary = |c: Option<char>| matches!(c, None | Some('-' | '_'));
    loop {
        let (left, right) = (one.next(), other.next());
        if is_behind_primary(left) && is_behind_primary(right) {
            return Some(left == right && one.eq(other));
        }
        if left != right {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use super::*;

    const BODY: &str = r#"{"params":{"m.login.terms":{"policies":{
        "tos":{"version":"1.2","pt-BR":{"name":"Termos","url":"https://x/pt"},"en":{"name":"Terms","url":"https://x/en"},"de":{"name":"AGB","url":"https://x/de"}},
        "privacy":{"version":"7","fr":{"name":"Vie priv\u00e9e","url":"https:\/\/x\/fr"}}}}}}"#;

    fn names(languages: &[&str]) -> String {
        let challenge = ChallengeBody::parse(BODY.as_bytes()).unwrap();
        let mut names = String::new();
        Terms::of(&challenge).unwrap().each(languages, |policy| {
            names.push_str(&policy.name.to_string());
            names.push(' ');
        });
        names
    }

    #[test]
    fn the_language_is_the_readers() {
        for (languages, shown) in [
            (&["de", "en"][..], "AGB Vie privée "),
            (&["DE-at"], "AGB Vie privée "),
            (&["pt"], "Termos Vie privée "),
            (&["it", "pt_PT"], "Termos Vie privée "),
            (&["it"], "Terms Vie privée "),
            (&[], "Terms Vie privée "),
        ] {
            assert_eq!(names(languages), shown, "{languages:?}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_not_there() {
        for policies in [
            r#"[]"#,
            r#"{"tos":7}"#,
            r#"{"tos":{"en":{"name":"T","url":"https://x"}}}"#,
            r#"{"tos":{"version":"1"}}"#,
            r#"{"tos":{"version":"1","en":{"name":"T","url":"javascript:alert(1)"}}}"#,
            r#"{"tos":{"version":"1","en":{"name":"T","url":"file:///etc/passwd"}}}"#,
        ] {
            let body = format!(r#"{{"params":{{"m.login.terms":{{"policies":{policies}}}}}}}"#);
            let challenge = ChallengeBody::parse(body.as_bytes()).unwrap();
            assert!(Terms::of(&challenge).is_none(), "{policies}");
        }
        for (url, taken) in
            [("HTTPS://x", true), ("data:x", false), ("https://x y", false), ("http://x", true)]
        {
            let body = format!(r#"{{"params":{{"org.matrix.cross_signing_reset":{{"url":"{url}"}}}}}}"#);
            let challenge = ChallengeBody::parse(body.as_bytes()).unwrap();
            assert_eq!(oauth_url(&challenge).is_some(), taken, "{url}");
        }
    }
}
