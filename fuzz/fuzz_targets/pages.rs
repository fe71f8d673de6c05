//! Any bytes as a form, and its fields in every place of every page: it is read without a
//! panic, and what comes out is a page of the same shape as with harmless values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::endpoint::threepid::{AddressAuthority, Medium, Purpose, SubmitTokenRequest};
use matrix_uia::pages::{Document, Form, Languages, LinkPage, LoginPage, Nonce, Page, StagePage, WebUrl};
use matrix_uia::server::operation::Register;
use matrix_uia::server::page::{PagePolicy, PageRequest};
use matrix_uia::wire::{AuthType, Raw};
use matrix_uia::{Flows, Rules, Secret, SessionId, Text};
use matrix_uia_page_reader::Html;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let mut buffer = vec![0; input.len()];
    let Ok(form) = Form::parse(input, &mut buffer) else { return };
    for auth_type in AuthType::KNOWN {
        let _ = form.auth_data(*auth_type, None);
    }
    let field = |name: &str| form.get(name).map(|text| text.to_string()).unwrap_or_default();
    let (a, b, c) = (field("a"), field("b"), field("c"));
    let plain = shapes("i", "n", if WebUrl::parse(Text::new(&c)).is_some() { "https://h/" } else { "" });
    assert_eq!(shapes(&a, &b, &c), plain);
    let _ = shape(Page::Login(LoginPage::forwarding(&form)));
});

fn shapes(a: &str, b: &str, c: &str) -> Vec<Vec<(String, Vec<String>)>> {
    let params = json!({
        "m.login.terms": { "policies": { a: { "version": b, "en": { "name": a, "url": c } } } },
        "m.login.recaptcha": { "public_key": a },
    });
    let params = params.to_string();
    let flows = [["m.login.terms"], ["m.login.recaptcha"], ["m.login.password"], ["m.login.sso"]];
    let flows = Flows::<Register>::new(flows, Some(Raw::parse(&params).unwrap())).unwrap();
    let rules = Rules::default();
    let policy = PagePolicy::new(&flows, &rules);
    let types =
        [AuthType::Terms, AuthType::Recaptcha, AuthType::Password, AuthType::Sso, AuthType::custom(a)];
    let stages = types.map(|auth_type| {
        let visit = PageRequest::look(SessionId::from_entropy([1; 24]), auth_type);
        shape(Page::Stage(StagePage::new(&policy, visit).of_user(Some(b)).in_languages(Languages::parse(c))))
    });
    let three =
        SubmitTokenRequest::new(Some("s".into()), Some(Secret::new("c")), Some(Secret::new("t"))).unwrap();
    let policies = AddressAuthority::new();
    let named = policies.of(Purpose::Add, Medium::Email);
    let link = shape(Page::Link(LinkPage::new(&three, a, named)));
    let linked = shape(Page::Linked(WebUrl::parse(Text::new(c))));
    stages.into_iter().chain([link, linked]).collect()
}

/// The elements and the names of their attributes; what holds for every page is checked.
fn shape(page: Page<'_>) -> Vec<(String, Vec<String>)> {
    let document = Document::new(page, Nonce::from_entropy([7; 18]));
    let mut text = String::new();
    document.write(&mut text).expect("a string has room");
    let headers: Vec<_> = document.headers().map(|(name, value)| (name, value.to_string())).collect();
    let html = Html::read(&text);
    html.check(|name| headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value.as_str()));
    html.tags.into_iter().map(|tag| (tag.name, tag.attributes.into_keys().collect())).collect()
}
