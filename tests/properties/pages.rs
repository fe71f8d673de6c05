//! Any text in any place of a page: it stays the text of that place.

use matrix_uia::endpoint::threepid::{AddressAuthority, Medium, Purpose, SubmitTokenRequest};
use matrix_uia::pages::{Form, LinkPage, LoginPage, Page, StagePage, WebUrl};
use matrix_uia::server::operation::Register;
use matrix_uia::server::page::{PagePolicy, PageRequest};
use matrix_uia::wire::AuthType;
use matrix_uia::{Flows, Rules, Secret};
use matrix_uia_page_reader::{Html, Tag};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{document, flows, id};

/// Any text, with what means something in HTML more often than chance would have it.
fn text() -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        "<",
        ">",
        "\"",
        "'",
        "&",
        "&lt;",
        "=",
        " ",
        "/",
        "\n",
        "\0",
        "`",
        "</script>",
        "</style>",
        "<!--",
        "-->",
        "<script>",
        "javascript:",
        "https://a/",
        "onload=\"x\"",
        "\u{2028}",
        "\u{202e}",
        "%3C",
        "\\u003c",
        "{",
        "}",
    ]);
    let piece =
        prop_oneof![markup.prop_map(str::to_owned), any::<char>().prop_map(String::from), "[a-z]{1,4}"];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// What a value becomes that is shown: nothing that is no text.
fn shown(text: &str) -> String {
    let keep = |c: char| {
        let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        if turns || (c.is_control() && c != '\n' && c != '\t') { '\u{FFFD}' } else { c }
    };
    text.chars().map(keep).collect()
}

/// The elements of a page and the names of their attributes, which no value may change.
fn shape(html: &Html) -> Vec<(String, Vec<String>)> {
    let names = |tag: &Tag| tag.attributes.keys().cloned().collect();
    html.tags.iter().map(|tag| (tag.name.clone(), names(tag))).collect()
}

fn registration(params: &Value) -> Flows<'static, Register> {
    flows(&[&["m.login.terms"], &["m.login.recaptcha"], &["m.login.password"]], Some(&params.to_string()))
}

fn stage_page(params: &Value, auth_type: AuthType<'_>, user: Option<&str>) -> Html {
    let flows = registration(params);
    let rules = Rules::default();
    let policy = PagePolicy::new(&flows, &rules);
    document(Page::Stage(StagePage::new(&policy, PageRequest::look(id(1), auth_type)).of_user(user))).1
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn query(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect::<Vec<_>>().join("&")
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn no_text_leaves_its_place_in_the_terms(id in text(), version in text(), tag in text(), name in text(), url in text()) {
        let page = |id: &str, version: &str, tag: &str, name: &str, url: &str| {
            let mut policy = Map::new();
            policy.insert("version".to_owned(), version.into());
            if tag != "version" {
                policy.insert(tag.to_owned(), json!({"name": name, "url": url}));
            }
            let params = json!({"m.login.terms": {"policies": {id: policy}}});
            stage_page(&params, AuthType::Terms, None)
        };
        let html = page(&id, &version, &tag, &name, &url);
        let linked = WebUrl::parse(url.as_str().into()).is_some() && tag != "version";
        let plain = page("i", "v", "t", "n", if linked { "https://a/" } else { "no" });
        prop_assert_eq!(shape(&html), shape(&plain));
        if linked {
            let link = html.all("a").next().unwrap();
            prop_assert_eq!(&link.attributes["href"], &shown(&url));
            prop_assert_eq!(&link.text, &shown(&name));
        }
    }

    #[test]
    fn no_text_leaves_its_place_in_a_stage(key in text(), user in text(), custom in text()) {
        let params = |key: &str| json!({"m.login.recaptcha": {"public_key": key}});
        for auth_type in [AuthType::Recaptcha, AuthType::Password, AuthType::custom(&custom)] {
            let plain = if matches!(auth_type, AuthType::Custom(_)) { AuthType::custom("c") } else { auth_type };
            let html = stage_page(&params(&key), auth_type, Some(&user));
            prop_assert_eq!(shape(&html), shape(&stage_page(&params("k"), plain, Some("u"))));
            prop_assert!(html.tags.iter().any(|tag| tag.name == "dd" && tag.text == shown(&user)));
        }
    }

    #[test]
    fn no_text_leaves_its_place_at_login(device in text(), name in text()) {
        let page = |device: &str, name: &str| {
            let query = query(&[("device_id", device), ("initial_device_display_name", name)]);
            let mut buffer = vec![0; query.len()];
            let form = Form::parse(query.as_bytes(), &mut buffer).unwrap();
            document(Page::Login(LoginPage::forwarding(&form))).1
        };
        let html = page(&device, &name);
        prop_assert_eq!(shape(&html), shape(&page("d", "n")));
        let data = html.all("script").find(|tag| !tag.attributes.contains_key("nonce")).unwrap();
        let data: Value = serde_json::from_str(&data.text).unwrap();
        prop_assert_eq!(data, json!({"device_id": device, "initial_device_display_name": name}));
    }

    #[test]
    fn no_text_leaves_its_place_behind_a_link(token in text(), address in text(), next in text()) {
        let page = |token: &str, address: &str| {
            let three = SubmitTokenRequest::new(Some("s".into()), Some(Secret::new("c")), Some(Secret::new(token))).ok()?;
            let policies = AddressAuthority::new();
            let named = policies.of(Purpose::Register, Medium::Email);
            Some(document(Page::Link(LinkPage::new(&three, address, named))).1)
        };
        // What no token is gets no page.
        let token = if page(&token, "a").is_some() { token } else { "t".to_owned() };
        let html = page(&token, &address).unwrap();
        prop_assert_eq!(shape(&html), shape(&page("t", "a").unwrap()));
        prop_assert_eq!(&html.fields()[2].1, &shown(&token));
        prop_assert_eq!(html.all("strong").next().unwrap().text.clone(), shown(&address));
        let next = WebUrl::parse(next.as_str().into());
        let (_, html) = document(Page::Linked(next));
        prop_assert_eq!(html.all("a").count(), usize::from(next.is_some()));
    }

    #[test]
    fn a_form_is_read_as_it_was_meant_or_not_at_all(
        pairs in prop::collection::btree_map(text(), text(), 0..8),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let encoded: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
        let encoded = encoded.join("&");
        let mut buffer = vec![0; encoded.len()];
        let form = Form::parse(encoded.as_bytes(), &mut buffer).unwrap();
        for (name, value) in &pairs {
            prop_assert!(form.get(name).is_some_and(|it| it == value.as_str()));
        }
        let mut buffer = vec![0; noise.len()];
        if let Ok(form) = Form::parse(&noise, &mut buffer) {
            for auth_type in AuthType::KNOWN {
                let _ = form.auth_data(*auth_type, None);
            }
        }
    }
}
