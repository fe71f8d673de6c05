//! Rules F1 to F6: the pages, and what their forms do to a session.

use matrix_uia::endpoint::threepid::{AddressAuthority, Medium, Purpose, SubmitTokenRequest};
use matrix_uia::pages::{Form, Languages, LinkPage, LoginPage, Page, StagePage, WebUrl};
use matrix_uia::server::flows::Flows;
use matrix_uia::server::operation::{Deactivate, Operation, Register, UploadSigningKeys};
use matrix_uia::server::page::{Approval, PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::PageRefusal;
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::{AuthData, AuthType, Malformed};
use matrix_uia::{MatrixError, Millis, Rules, Secret};
use matrix_uia_page_reader::Html;
use serde_json::{Value, json};

use crate::support::{Server, document, password_auth, policy, poll, stage};

const ALICE: Option<&str> = Some("alice-token");
const CODE: &str = "org.example.code";
const DONE: &str = "if (window.onAuthDone) {\n    window.onAuthDone();\n} else if (window.opener && window.opener.postMessage) {\n    window.opener.postMessage(\"authDone\", \"*\");\n}\n";

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

fn submitted<'a>(sid: &'a str, secret: &'a str, token: &'a str) -> SubmitTokenRequest<'a> {
    SubmitTokenRequest::new(Some(sid.into()), Some(Secret::new(secret)), Some(Secret::new(token))).unwrap()
}

fn begin(server: &mut Server) -> String {
    server.change_password(ALICE, change(Value::Null)).session().to_owned()
}

/// The page of a stage, as the host would show it.
fn page_of<Op: Operation>(
    server: &mut Server,
    flows: &'static Flows<'static, Op>,
    session: &str,
    auth_type: &str,
) -> Html {
    let rules = Rules::default();
    let outside = PagePolicy::new(flows, &rules);
    server.look(flows, session, auth_type).unwrap();
    let page = StagePage::new(&outside, server.visit(session, auth_type)).of_user(Some("@alice:example.org"));
    let (status, html) = document(Page::Stage(page));
    assert_eq!(status, 200);
    html
}

/// What the page's form says, with what was typed into it.
fn form_of(html: &Html, typed: &[(&str, &str)]) -> String {
    let fields = html.fields();
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs = fields.chain(typed.iter().copied()).map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&").replace('@', "%40")
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_every_stage_has_a_page_whose_form_passes_it() {
    let typed: [(&str, &[(&str, &str)]); 5] = [
        ("m.login.recaptcha", &[("g-recaptcha-response", "human")]),
        ("m.login.password", &[("password", "wonderland")]),
        ("m.login.dummy", &[]),
        ("m.login.email.identity", &[("sid", "s1"), ("client_secret", "c1")]),
        ("m.login.msisdn", &[("sid", "s2"), ("client_secret", "c2")]),
    ];
    let names: Vec<&str> = typed.iter().map(|(name, _)| *name).collect();
    let mut server = Server::new();
    server.add_validation_of("alice", "s1", "c1", true);
    server.add_validation_of("alice", "s2", "c2", true);
    server.policies.change = policy(&[&names], None);
    let flows = server.policies.change;
    let session = begin(&mut server);
    for (index, (name, typed)) in typed.iter().enumerate() {
        let html = page_of(&mut server, flows, &session, name);
        let form = form_of(&html, typed);
        let mut buffer = vec![0; form.len()];
        let form = Form::parse(form.as_bytes(), &mut buffer).unwrap();
        assert_eq!(form.get("session").unwrap(), session.as_str());
        let data = form.auth_data(AuthType::from(*name), None);
        assert_eq!(server.submit(flows, (&session, name, None), data), Ok(()), "{name}");
        if index + 1 < names.len() {
            let state = server.change_password(ALICE, change(poll(&session)));
            assert_eq!(state.completed(), &json!(names[..=index]));
        }
    }
    assert_eq!(server.grants, 0, "a page completes stages, and grants nothing");
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_the_page_after_it_runs_the_spec_s_script() {
    let (status, html) = document(Page::Done);
    assert_eq!(status, 200);
    let scripts: Vec<_> = html.all("script").map(|tag| tag.text.trim_start()).collect();
    assert_eq!(scripts, [DONE]);
    // And no other page does.
    let refused = document(Page::Refused(PageRefusal::Unknown.error()));
    assert_eq!((refused.0, refused.1.all("script").count()), (404, 0));
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_there_is_no_page_for_what_cant_be_attempted() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE]], None);
    let flows = server.policies.change;
    let session = begin(&mut server);
    let look = |server: &mut Server, auth_type: &str| server.look(flows, &session, auth_type);
    assert_eq!(look(&mut server, "m.login.password"), Ok(()));
    for other in [CODE, "m.login.sso", "org.example.elsewhere", ""] {
        assert_eq!(look(&mut server, other), Err(PageRefusal::OutOfOrder), "{other}");
    }
    server.change_password(ALICE, change(password_auth(Some(&session), "alice", "wonderland")));
    assert_eq!(look(&mut server, "m.login.password"), Err(PageRefusal::Already));
    assert_eq!(look(&mut server, CODE), Ok(()));
    server.pass_time(Rules::default().session_lifetime);
    assert_eq!(look(&mut server, CODE), Err(PageRefusal::Unknown));
    for (reason, status) in [
        (PageRefusal::Unknown, 404),
        (PageRefusal::OutOfOrder, 400),
        (PageRefusal::Closed(Millis::new(1)), 429),
    ] {
        let (told, html) = document(Page::Refused(reason.error()));
        assert_eq!((told, html.problem().as_deref()), (status, Some(reason.error().message())));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_what_fails_on_a_page_counts_and_says_why() {
    let mut server = Server::new();
    server.rules.max_failed_attempts = 3;
    let flows = server.policies.change;
    let session = begin(&mut server);
    let wrong = |server: &mut Server, user, password| {
        let mut auth = password_auth(None, user, password);
        auth["session"] = Value::Null;
        let auth = auth.to_string();
        let Ok(matrix_uia::wire::Auth::Attempt { data, .. }) = matrix_uia::wire::Auth::parse(auth.as_bytes())
        else {
            panic!("an attempt")
        };
        server.submit(flows, (&session, "m.login.password", None), data)
    };
    let password = Err(PageRefusal::Failed(StageFailure::Credentials));
    assert_eq!(wrong(&mut server, "alice", "white-rabbit"), password);
    let other = Err(PageRefusal::WrongUser);
    assert_eq!(wrong(&mut server, "bob", "builder-bob"), other);
    let malformed = Err(PageRefusal::Malformed(Malformed::Missing("password")));
    let missing = Err(Malformed::Missing("password"));
    assert_eq!(server.submit(flows, (&session, "m.login.password", None), missing), malformed);
    assert_eq!(server.session(&session).failures(), 2, "what can't be an attempt is none");
    for verdict in [Verdict::Unavailable, Verdict::Limited(Millis::new(7))] {
        server.next_verdict(verdict);
        let reason = wrong(&mut server, "alice", "wonderland").unwrap_err();
        assert!(matches!(reason, PageRefusal::Unavailable | PageRefusal::Limited(_)), "{reason:?}");
    }
    assert_eq!(server.session(&session).failures(), 2);
    assert_eq!(wrong(&mut server, "alice", "white-rabbit"), password);
    let closed = PageRefusal::Closed(server.rules.session_lifetime);
    assert_eq!(wrong(&mut server, "alice", "wonderland"), Err(closed));
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "429 M_LIMIT_EXCEEDED");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_a_form_that_failed_is_shown_again_with_what_went_wrong() {
    let mut server = Server::new();
    let flows = server.policies.change;
    let session = begin(&mut server);
    let rules = Rules::default();
    let outside = PagePolicy::new(flows, &rules);
    let page = StagePage::new(&outside, server.visit(&session, "m.login.password"));
    for (reason, status) in [
        (PageRefusal::Failed(StageFailure::Credentials), 403),
        (PageRefusal::WrongUser, 403),
        (PageRefusal::Malformed(Malformed::Missing("password")), 400),
        (PageRefusal::TermsChanged, 409),
        (PageRefusal::Limited(Millis::new(1)), 429),
        (PageRefusal::Unavailable, 503),
        (PageRefusal::Pending, 200),
    ] {
        let (told, html) = document(Page::Stage(page.because(reason)));
        assert_eq!((told, html.problem().as_deref()), (status, Some(reason.error().message())));
        let password =
            html.all("input").find(|tag| tag.attributes.get("name").is_some_and(|it| it == "password"));
        let described = password.unwrap().attributes.get("aria-describedby").map(String::as_str);
        let about_the_field = matches!(status, 400 | 403);
        assert_eq!(described, about_the_field.then_some("problem"), "{reason:?}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f01_a_page_binds_no_parameters_and_shows_the_client_no_terms() {
    let terms =
        |version: &str| format!(r#"{{"m.login.terms":{{"policies":{{"t":{{"version":"{version}"}}}}}}}}"#);
    let carol = |auth: Value| json!({"username": "carol", "password": "carol-secret", "auth": auth});
    let mut server = Server::new();
    let flows: &[&[&str]] = &[&["m.login.dummy", "m.login.terms"]];
    server.policies.register = policy(flows, Some(&terms("1")));
    // The flows are asked for without parameters: none are bound.
    let session = server.register(json!({})).session().to_owned();
    server.policies.register = policy(flows, Some(&terms("2")));
    let now = server.policies.register;
    assert_eq!(server.submit(now, (&session, "m.login.dummy", None), Ok(AuthData::Dummy)), Ok(()));
    // Bound only now; and the terms, which the page of another stage has not shown, are shown.
    let shown = server.register(carol(stage("m.login.terms", &session)));
    assert_eq!((shown.says(), shown.completed()), ("401".to_owned(), &json!(["m.login.dummy"])));
    let other = json!({"username": "dave", "password": "carol-secret", "auth": poll(&session)});
    assert_eq!(server.register(other).says(), "403 M_FORBIDDEN");
    assert_eq!(server.register(carol(stage("m.login.terms", &session))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#single-sign-on
#[test]
fn f03_a_provider_vouches_for_who_registers_and_for_nobody_else() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.sso"]], None);
    let register = server.policies.register;
    let session =
        server.register(json!({"username": "carol", "password": "carol-secret"})).session().to_owned();
    assert_eq!(server.complete(register, &session, "m.login.sso", Approval::Anybody), Ok(()));
    let done =
        server.register(json!({"username": "carol", "password": "carol-secret", "auth": poll(&session)}));
    assert_eq!(done.says(), "200");

    // A reset has to know whose.
    server.policies.reset = policy(&[&["m.login.sso"]], None);
    let reset = server.policies.reset;
    let session = server.change_password(None, change(Value::Null)).session().to_owned();
    let nobody = server.complete(reset, &session, "m.login.sso", Approval::Anybody);
    assert_eq!(nobody, Err(PageRefusal::WrongUser));

    // And a session that has a user is that user's.
    server.policies.deactivate = policy::<Deactivate>(&[&["m.login.sso"]], None);
    let deactivate = server.policies.deactivate;
    let session = server.deactivate(ALICE, json!({})).session().to_owned();
    let bob = Approval::User(server.account_named("bob"));
    for approval in [Approval::Anybody, bob] {
        let refused = server.complete(deactivate, &session, "m.login.sso", approval);
        assert_eq!(refused, Err(PageRefusal::WrongUser));
    }
    assert_eq!(server.session(&session).failures(), 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#single-sign-on
#[test]
fn f03_no_form_proves_a_single_sign_on() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.sso", CODE]], None);
    let flows = server.policies.change;
    let session = begin(&mut server);
    let sent = server.submit(flows, (&session, "m.login.sso", None), Ok(AuthData::Sso));
    assert_eq!((sent, server.asked), (Err(PageRefusal::Pending), 0));
    assert_eq!(server.change_password(ALICE, change(poll(&session))).completed(), &json!([]));
}

/// https://spec.matrix.org/v1.19/client-server-api/#login-fallback
#[test]
fn f04_the_login_page_forwards_parameters_and_no_credentials() {
    let query = b"device_id=D%22&initial_device_display_name=%3C/script%3E&refresh_token=true&user=eve&password=p&type=t&token=x&session=s";
    let mut buffer = [0; 256];
    let query = Form::parse(query, &mut buffer).unwrap();
    let (status, html) = document(Page::Login(LoginPage::forwarding(&query)));
    assert_eq!(status, 200);
    let (ours, data): (Vec<_>, Vec<_>) =
        html.all("script").partition(|tag| tag.attributes.contains_key("nonce"));
    let data: Value = serde_json::from_str(&data[0].text).unwrap();
    let expected =
        json!({"device_id": "D\"", "initial_device_display_name": "</script>", "refresh_token": true});
    assert_eq!(data, expected);
    assert!(ours[0].text.contains("window.matrixLogin.onLogin(response);"));
    assert!(html.fields().is_empty(), "nothing is filled in by a link");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken
#[test]
fn f05_a_validation_link_opens_a_page_with_one_button() {
    let three = submitted("s1", "c1", "t1");
    let policies = AddressAuthority::new();
    let page = LinkPage::new(&three, "a'b@example.org", policies.of(Purpose::Reset, Medium::Email));
    let (status, html) = document(Page::Link(page.leading_on(true)));
    assert!(html.text().contains("a'b@example.org") && html.text().contains("change your password"));
    assert_eq!((status, html.all("button").count(), html.all("script").count()), (200, 1, 0));
    let form = html.all("form").next().unwrap();
    assert_eq!(form.attributes.get("method").map(String::as_str), Some("post"));
    assert!(!form.attributes.contains_key("action"), "to where it is");
    let fields = html.fields();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("sid", "s1"), ("client_secret", "c1"), ("token", "t1")]);
    let next = WebUrl::parse("https://example.org/next?a=1&b=2".into());
    let (_, html) = document(Page::Linked(next));
    assert_eq!(html.all("a").next().unwrap().attributes["href"], "https://example.org/next?a=1&b=2");
    assert_eq!(document(Page::Linked(None)).1.all("a").count(), 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f05_the_pages_of_an_address_ask_send_and_wait() {
    let mut server = Server::new();
    for stage in ["m.login.email.identity", "m.login.msisdn"] {
        server.policies.change = policy(&[&[stage]], None);
        let flows = server.policies.change;
        let session = begin(&mut server);
        let rules = Rules::default();
        let outside = PagePolicy::new(flows, &rules);
        let page = StagePage::new(&outside, server.visit(&session, stage));
        let (_, asks) = document(Page::Stage(page));
        assert!(asks.asks_for(if stage == "m.login.msisdn" { "phone_number" } else { "email" }));
        assert!(!asks.asks_for("sid"));
        let (_, waits) =
            document(Page::Stage(page.sent("s1".into(), Secret::new("c1")).because(PageRefusal::Pending)));
        let fields = waits.fields();
        assert!(fields.contains(&("sid".into(), "s1".into())));
        assert!(fields.contains(&("client_secret".into(), "c1".into())));
        assert_eq!(waits.text_of("button"), "I have followed the link");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn f06_documents_are_in_the_language_that_is_wanted_most() {
    let params = json!({"m.login.terms": {"policies": {"tos": {
        "version": "1.2",
        "en": {"name": "Terms of Service", "url": "https://example.org/en"},
        "fr_CA": {"name": "Conditions d'utilisation", "url": "https://example.org/fr"},
        "de": {"name": "Bedingungen", "url": "ftp://example.org/de"},
        "it": {"url": "https://example.org/it"},
    }, "broken": 7}}});
    let flows = policy::<Register>(&[&["m.login.terms"]], Some(&params.to_string()));
    let mut server = Server::new();
    server.policies.register = flows;
    let session = server.register(json!({})).session().to_owned();
    let rules = Rules::default();
    let outside = PagePolicy::new(flows, &rules);
    let page = StagePage::new(&outside, server.visit(&session, "m.login.terms"));
    let shown = |languages| {
        let (_, html) = document(Page::Stage(page.in_languages(Languages::parse(languages))));
        assert!(html.text().contains("Version 1.2") && html.all("li").count() == 1);
        let link =
            html.all("a").next().map(|tag| (tag.attributes["href"].clone(), tag.attributes["lang"].clone()));
        (html.tags.iter().find(|tag| tag.name == "li" || tag.name == "a").unwrap().clone(), link)
    };
    let en = ("https://example.org/en".to_owned(), "en".to_owned());
    assert_eq!(shown("").1, Some(en.clone()));
    assert_eq!(shown("it, es").1, Some(en), "one without a name is no translation");
    assert_eq!(
        shown("fr;q=0.9, en;q=0.1").1,
        Some(("https://example.org/fr".to_owned(), "fr-CA".to_owned()))
    );
    let (first, link) = shown("de");
    assert_eq!((first.text.trim(), link), ("Bedingungen", None), "no link to what is no web page");
}

/// https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication
#[test]
fn f03_the_oauth_page_confirms_the_upload_of_keys() {
    let flows = policy::<UploadSigningKeys>(&[&["m.oauth"]], None);
    let rules = Rules::default();
    let outside = PagePolicy::new(flows, &rules);
    let visit = PageRequest::look(crate::support::id(1), AuthType::OAuth);
    let (_, html) =
        document(Page::Stage(StagePage::new(&outside, visit).of_user(Some("@alice:example.org"))));
    assert!(
        html.text().contains("reset your digital identity") && html.text().contains("@alice:example.org")
    );
    assert_eq!(html.text_of("button"), "Confirm");
    assert_eq!(outside.operation(), UploadSigningKeys::ID);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn f02_no_page_says_more_than_it_must() {
    // An account that is locked is told so, and nothing else happens.
    let locked = MatrixError::new(matrix_uia::wire::error::ErrorCode::UserLocked, "This account is locked.");
    let (status, html) = document(Page::Refused(locked));
    assert_eq!((status, html.all("form").count(), html.all("script").count()), (401, 0, 0));
    let three = submitted("s", "marked-1", "marked-2");
    let policies = AddressAuthority::new();
    let named = policies.of(Purpose::Add, Medium::Email);
    let debug = format!("{:?}", LinkPage::new(&three, "alice@example.org", named));
    assert!(!debug.contains("marked"), "{debug}");
}
