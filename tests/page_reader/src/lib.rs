//! Reads the HTML pages that `matrix-uia` writes, for the tests of the crate, of the example homeserver, and
//! the fuzz targets.
//!
//! It knows what those pages use: tags, attributes in double quotes, text, and the elements `script` and
//! `style`, whose content is not HTML. It panics on everything else instead of guessing, so a page that it
//! reads is written strictly.

use std::collections::BTreeMap;

/// A tag, and the text behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The name, with its slash if it is an end tag.
    pub name: String,
    /// The values, with their character references replaced. An attribute without a value has an empty one.
    pub attributes: BTreeMap<String, String>,
    /// What follows it, up to the next tag; of a script or style, all of it.
    pub text: String,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Html {
    /// All tags, in order.
    pub tags: Vec<Tag>,
}

impl Html {
    /// Reads a page.
    ///
    /// # Panics
    ///
    /// If the page is not written strictly.
    #[track_caller]
    pub fn read(page: &str) -> Self {
        let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("an HTML page");
        let mut tags: Vec<Tag> = Vec::new();
        while let Some(begin) = rest.find('<') {
            rest = &rest[begin + 1..];
            let end = rest.find('>').expect("a tag ends");
            let mut tag = read_tag(&rest[..end]);
            rest = &rest[end + 1..];
            let raw = matches!(tag.name.as_str(), "script" | "style");
            let close = format!("</{}", tag.name);
            let until = if raw {
                rest.find(&close).expect("it is closed")
            } else {
                rest.find('<').unwrap_or(rest.len())
            };
            tag.text = if raw { rest[..until].to_owned() } else { decode(&rest[..until]) };
            rest = &rest[until..];
            tags.push(tag);
        }
        Self { tags }
    }

    /// The tags of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Tag> {
        self.tags.iter().filter(move |tag| tag.name == name)
    }

    /// The text right behind the first tag of that name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn text_of(&self, name: &str) -> String {
        self.all(name).next().unwrap_or_else(|| panic!("no {name} in {self:?}")).text.trim().to_owned()
    }

    /// All that is there to read.
    pub fn text(&self) -> String {
        let read = self.tags.iter().filter(|tag| !matches!(tag.name.as_str(), "script" | "style"));
        read.map(|tag| tag.text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// What went wrong, as the page says.
    pub fn problem(&self) -> Option<String> {
        let alert =
            self.tags.iter().find(|tag| tag.attributes.get("role").is_some_and(|role| role == "alert"));
        alert.map(|tag| tag.text.clone()).filter(|text| !text.is_empty())
    }

    /// The fields of its form that have a value.
    pub fn fields(&self) -> Vec<(String, String)> {
        let inputs = self.all("input").map(|tag| &tag.attributes);
        inputs.filter_map(|input| Some((input.get("name")?.clone(), input.get("value")?.clone()))).collect()
    }

    /// Whether the form has a field of that name.
    pub fn asks_for(&self, name: &str) -> bool {
        self.all("input").any(|tag| tag.attributes.get("name").is_some_and(|it| it == name))
    }

    /// Checks what holds for every page (rules F2 and F6). `header` finds a response header by its name.
    ///
    /// # Panics
    ///
    /// If something does not hold.
    #[track_caller]
    pub fn check<'h>(&self, header: impl Fn(&str) -> Option<&'h str>) {
        let policy = header("content-security-policy").expect("a policy");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for directive in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|it| it == directive), "{policy}");
        }
        assert!(policy.contains("form-action '"), "{policy}");
        assert_eq!(header("x-frame-options"), Some("DENY"));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("referrer-policy"), Some("no-referrer"));
        assert_eq!(header("cache-control"), Some("no-store"));
        let nonce = policy.split("script-src 'nonce-").nth(1).and_then(|it| it.split('\'').next()).unwrap();
        assert!(nonce.len() >= 22, "128 bits: {policy}");
        for tag in &self.tags {
            let is_data = tag.attributes.get("type").is_some_and(|it| it == "application/json");
            if matches!(tag.name.as_str(), "script" | "style") && !is_data {
                assert_eq!(tag.attributes.get("nonce").map(String::as_str), Some(nonce), "{tag:?}");
            }
            for (name, value) in &tag.attributes {
                assert!(!name.starts_with("on") && name != "style" && name != "src", "{tag:?}");
                let to_the_web = ["http://", "https://"].iter().any(|scheme| {
                    value.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
                });
                assert!(!matches!(name.as_str(), "href" | "action") || to_the_web, "{tag:?}");
            }
        }
        let html = self.all("html").next().unwrap();
        assert!(html.attributes.contains_key("lang"));
        assert_eq!(self.all("h1").count(), 1);
        assert_eq!(self.text_of("title"), self.text_of("h1"));
        // Every field that is seen has a label around it.
        let shown = |tag: &&Tag| {
            tag.attributes.get("type").is_none_or(|it| it != "hidden")
                && !tag.attributes.contains_key("hidden")
        };
        assert_eq!(self.all("input").filter(shown).count(), self.all("label").count(), "{self:?}");
    }
}

fn read_tag(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let is_name =
        |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    assert!(is_name(name.strip_prefix('/').unwrap_or(name)), "{inside}");
    let mut attributes = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let name = &rest[..end];
        assert!(is_name(name), "{inside}");
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').expect("a value ends");
            value = decode(&quoted[..end]);
            rest = &quoted[end + 1..];
        }
        assert!(attributes.insert(name.to_owned(), value).is_none(), "{inside}");
    }
    Tag { name: name.to_owned(), attributes, text: String::new() }
}

fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out += &rest[..at];
        let end = rest[at..].find(';').expect("a reference ends") + at;
        out.push(match &rest[at..=end] {
            "&amp;" => '&',
            "&lt;" => '<',
            "&gt;" => '>',
            "&quot;" => '"',
            "&#39;" => '\'',
            other => panic!("an unknown reference: {other}"),
        });
        rest = &rest[end + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_attributes_and_text_are_read() {
        let page =
            "<!DOCTYPE html>\n<p class=\"a &amp; b\" hidden>1 &lt; 2</p><script>if (1 < 2) {}</script>";
        let html = Html::read(page);
        let names: Vec<_> = html.tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["p", "/p", "script", "/script"]);
        assert_eq!(
            (html.tags[0].attributes["class"].as_str(), html.text_of("p")),
            ("a & b", "1 < 2".to_owned())
        );
        assert!(html.tags[0].attributes["hidden"].is_empty());
        assert_eq!(html.tags[2].text, "if (1 < 2) {}");
        assert_eq!(html.text(), "1 < 2");
    }

    #[test]
    fn what_is_not_written_strictly_panics() {
        for page in [
            "<p>no doctype",
            "<!DOCTYPE html>\n<P>",
            "<!DOCTYPE html>\n<p class=a>",
            "<!DOCTYPE html>\n<p class=\"a\" class=\"b\">",
            "<!DOCTYPE html>\n<p>a & b",
            "<!DOCTYPE html>\n<p>&nbsp;",
            "<!DOCTYPE html>\n<script>never closed",
        ] {
            assert!(std::panic::catch_unwind(|| Html::read(page)).is_err(), "{page}");
        }
    }
}
