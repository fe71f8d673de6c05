//! The lessons about pages, and about what is completed outside of a request.

use matrix_uia::endpoint::threepid::{AddressAuthority, Medium, Purpose, SubmitTokenRequest};
use matrix_uia::pages::{LinkPage, Page, StagePage};
use matrix_uia::server::operation::{
    AddThreepid, ChangePassword, Deactivate, DeleteDevice, DeleteDevices, GetLoginToken, Operation, Register,
    UploadSigningKeys,
};
use matrix_uia::server::page::{Approval, PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::PageRefusal;
use matrix_uia::server::verdict::StageFailure;
use matrix_uia::wire::{Auth, AuthData, AuthType};
use matrix_uia::{Rules, Secret, flows};
use serde_json::{Value, json};

use super::{ALICE, BOB, CODE, carol, change, with_flows};
use crate::support::{Server, document, flows, id, password_auth, policy, poll};

fn terms(version: &str) -> String {
    format!(r#"{{"m.login.terms":{{"policies":{{"tos":{{"version":"{version}"}}}}}}}}"#)
}

fn password(server: &mut Server, session: &str, user: &str, password: &str) -> Result<(), PageRefusal> {
    let auth = password_auth(None, user, password).to_string().replace(r#""session":"""#, r#""x":0"#);
    let Ok(Auth::Attempt { data, .. }) = Auth::parse(auth.as_bytes()) else { panic!("an attempt") };
    let flows = server.policies.change;
    server.submit(flows, (session, "m.login.password", None), data)
}

#[test]
fn lesson_21_failures_on_a_page_are_counted_with_all_others() {
    let mut server = Server::new();
    server.rules.max_failed_attempts = 2;
    let session = server.begin(ALICE);
    let wrong = Err(PageRefusal::Failed(StageFailure::Credentials));
    assert_eq!(password(&mut server, &session, "alice", "white-rabbit"), wrong);
    let by_dict =
        server.change_password(ALICE, change(password_auth(Some(&session), "alice", "white-rabbit")));
    assert_eq!(by_dict.says(), "401 M_FORBIDDEN");
    let closed = Err(PageRefusal::Closed(server.rules.session_lifetime));
    assert_eq!(password(&mut server, &session, "alice", "wonderland"), closed);
    assert_eq!(server.asked, 2, "a closed session verifies nothing");
}

#[test]
fn lesson_26_looking_at_a_page_changes_nothing() {
    let mut server = with_flows(&[&["m.login.sso"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let before = server.sessions.clone();
    let rules = Rules::default();
    let outside = PagePolicy::new(flows, &rules);
    for _ in 0..3 {
        // There is nothing in what comes back that could be stored.
        let looked: Result<(), PageRefusal> = server.look(flows, &session, "m.login.sso");
        assert_eq!(looked, Ok(()));
        let visit = server.visit(&session, "m.login.sso");
        let (_, html) = document(Page::Stage(StagePage::new(&outside, visit)));
        assert_eq!(html.all("form").next().unwrap().attributes["method"], "post");
        assert_eq!(html.all("script").count() + html.all("img").count(), 0, "nothing that acts by itself");
    }
    assert_eq!(server.sessions, before);
    assert_eq!(server.change_password(ALICE, change(poll(&session))).completed(), &json!([]));
    // And the page behind the link in an e-mail.
    let three =
        SubmitTokenRequest::new(Some("s".into()), Some(Secret::new("c")), Some(Secret::new("t"))).unwrap();
    let policies = AddressAuthority::new();
    let named = policies.of(Purpose::Reset, Medium::Email);
    let (_, html) = document(Page::Link(LinkPage::new(&three, "alice@example.org", named)));
    assert_eq!(html.all("form").next().unwrap().attributes["method"], "post");
    assert_eq!((html.all("script").count(), html.all("button").count()), (0, 1));
}

#[test]
fn lesson_32_markup_in_a_parameter_is_text_wherever_it_stands() {
    let markup = r#"'"></style></script></title><script>alert(1)</script><img src=x onerror="alert(1)">"#;
    let params = json!({"m.login.terms": {"policies": {markup: {
        "version": markup,
        markup: {"name": markup, "url": markup},
        "en": {"name": markup, "url": format!("https://example.org/{markup}")},
    }}}, "m.login.recaptcha": {"public_key": markup}});
    let flows = flows::<Register>(
        &[&["m.login.terms"], &["m.login.recaptcha"], &["<script>"]],
        Some(&params.to_string()),
    );
    let rules = Rules::default();
    let outside = PagePolicy::new(&flows, &rules);
    for auth_type in [AuthType::Terms, AuthType::Recaptcha, AuthType::custom("<script>")] {
        let page = StagePage::new(&outside, PageRequest::look(id(1), auth_type)).of_user(Some(markup));
        // Whatever comes out is taken apart, and each script in it must have the nonce.
        let (_, html) = document(Page::Stage(page));
        assert!(html.text().contains(markup), "it is there to read");
        assert!(html.all("img").next().is_none() && html.all("a").next().is_none());
        assert!(html.all("script").all(|tag| !tag.text.contains("alert(1)")));
    }
    // Nothing but what a validation can have comes as far as its page, and its address is text there.
    let three = |value| SubmitTokenRequest::new(Some(value), Some(Secret::new("c")), Some(Secret::new("t")));
    assert!(three(markup.into()).is_err());
    let policies = AddressAuthority::new();
    let named = policies.of(Purpose::Add, Medium::Email);
    let (_, html) = document(Page::Link(LinkPage::new(&three("s".into()).unwrap(), markup, named)));
    assert!(html.text().contains(markup));
}

#[test]
fn lesson_33_a_confirmation_says_what_is_confirmed_and_for_whom() {
    fn shows<Op: Operation>(auth_type: &str) {
        let flows = flows::<Op>(&[&[auth_type]], None);
        let rules = Rules::default();
        let outside = PagePolicy::new(&flows, &rules);
        let page = StagePage::new(&outside, PageRequest::look(id(1), auth_type.into()));
        let (_, html) = document(Page::Stage(page.of_user(Some("@alice:example.org"))));
        let text = html.text();
        assert!(text.contains("You are about to") && text.contains(Op::DESCRIPTION), "{text}");
        assert!(text.contains("@alice:example.org"), "{text}");
    }
    for auth_type in ["m.login.sso", "org.example.provider", "m.login.password"] {
        shows::<Register>(auth_type);
        shows::<ChangePassword>(auth_type);
        shows::<Deactivate>(auth_type);
        shows::<DeleteDevice>(auth_type);
        shows::<DeleteDevices>(auth_type);
        shows::<AddThreepid>(auth_type);
        shows::<UploadSigningKeys>(auth_type);
        shows::<GetLoginToken>(auth_type);
    }
    shows::<UploadSigningKeys>("m.oauth");
}

#[test]
fn lesson_34_a_page_keeps_the_order_and_grants_nothing() {
    let mut server = with_flows(&[&["m.login.password", "m.login.dummy"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let early = server.submit(flows, (&session, "m.login.dummy", None), Ok(AuthData::Dummy));
    assert_eq!(early, Err(PageRefusal::OutOfOrder));
    assert_eq!(password(&mut server, &session, "alice", "wonderland"), Ok(()));
    assert_eq!(server.submit(flows, (&session, "m.login.dummy", None), Ok(AuthData::Dummy)), Ok(()));
    assert_eq!((server.grants, server.session(&session).is_claimed()), (0, false));
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
}

#[test]
fn lesson_36_the_terms_page_accepts_the_version_it_has_shown() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("1")));
    let rules = Rules::default();
    let version = |server: &Server| PagePolicy::new(server.policies.register, &rules).terms();
    let session = server.register(carol(Value::Null)).session().to_owned();
    let read = version(&server);
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("2")));
    let flows = server.policies.register;
    let at = |shown| (session.as_str(), "m.login.terms", shown);
    assert_eq!(server.submit(flows, at(Some(read)), Ok(AuthData::Terms)), Err(PageRefusal::TermsChanged));
    // A form that doesn't say counts as what the client was shown, which is the old one.
    assert_eq!(server.submit(flows, at(None), Ok(AuthData::Terms)), Err(PageRefusal::TermsChanged));
    assert!(!server.session(&session).has_passed_stage());
    let read = version(&server);
    assert_eq!(server.submit(flows, at(Some(read)), Ok(AuthData::Terms)), Ok(()));
    // Yet newer ones, and what was accepted doesn't count any more.
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("3")));
    let answer = server.register(carol(poll(&session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert!(!server.users.contains_key("carol"));
}

#[test]
fn lesson_37_an_approval_is_for_one_session_one_user_and_one_call() {
    let mut server = with_flows(&[&["m.login.sso"]]);
    let flows = server.policies.change;
    let (approved, other) = (server.begin(ALICE), server.begin(ALICE));
    let of_bob = server.change_password(BOB, change(Value::Null)).session().to_owned();
    let proof = Approval::User(server.account_named("alice"));
    server.complete(flows, &approved, "m.login.sso", proof).unwrap();
    // Not for another session of the same user, nor for another user.
    assert_eq!(server.change_password(ALICE, change(poll(&other))).completed(), &json!([]));
    assert_eq!(server.change_password(BOB, change(poll(&of_bob))).completed(), &json!([]));
    assert_eq!(server.complete(flows, &of_bob, "m.login.sso", proof), Err(PageRefusal::WrongUser));
    // Not for another call, nor for who has the session's ID and another token.
    server.policies.deactivate = policy(&[&["m.login.sso"]], None);
    assert_eq!(server.deactivate(ALICE, json!({"auth": poll(&approved)})).says(), "403 M_FORBIDDEN");
    assert_eq!(server.change_password(BOB, change(poll(&approved))).says(), "401 M_UNKNOWN");
    // Once.
    assert_eq!(server.change_password(ALICE, change(poll(&approved))).says(), "200");
    let again = json!({"new_password": "another-one", "auth": poll(&approved)});
    assert_eq!(server.change_password(ALICE, again).says(), "401 M_UNKNOWN");
    assert_eq!(server.complete(flows, &approved, "m.login.sso", proof), Err(PageRefusal::Unknown));
    assert_eq!(server.grants, 1);
}

#[test]
fn lesson_37_an_approval_doesn_t_outlive_the_account_s_epoch() {
    let mut server = with_flows(&[&["m.login.sso", CODE]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    server.user("alice").epoch += 1;
    let proof = Approval::User(server.account_named("alice"));
    assert_eq!(server.complete(flows, &session, "m.login.sso", proof), Err(PageRefusal::Unknown));
    // Nor does a form's, when the account is fenced while its password is compared.
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.meanwhile = Some(Box::new(|server| server.user("alice").epoch += 1));
    assert_eq!(password(&mut server, &session, "alice", "wonderland"), Err(PageRefusal::Unknown));
}

#[test]
fn lesson_23_what_a_page_reserved_in_vain_is_given_back() {
    let mut server = Server::new();
    server.add_token("t", 1);
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    let flows = server.policies.register;
    let session = server.register(carol(Value::Null)).session().to_owned();
    let auth = json!({"type": "m.login.registration_token", "token": "t"}).to_string();
    let Ok(Auth::Attempt { data, .. }) = Auth::parse(auth.as_bytes()) else { panic!("an attempt") };
    // While the page's token is looked up, the session ends.
    server.meanwhile = Some(Box::new(|server| server.pass_time(server.rules.session_lifetime)));
    let late = server.submit(flows, (&session, "m.login.registration_token", None), data);
    assert_eq!((late, server.tokens["t"].pending), (Err(PageRefusal::Unknown), 0));
    let session = server.register(carol(Value::Null)).session().to_owned();
    assert_eq!(server.submit(flows, (&session, "m.login.registration_token", None), data), Ok(()));
    assert_eq!(server.tokens["t"].pending, 1);
}

#[test]
fn lesson_86_the_page_of_a_link_names_everything_before_its_button() {
    let deactivate = flows!(Deactivate: [["m.login.email.identity"]]);
    let devices = flows!(DeleteDevices: [["m.login.email.identity"]]);
    let policies = AddressAuthority::new().with(&deactivate).unwrap().with(&devices).unwrap();
    let three =
        SubmitTokenRequest::new(Some("s".into()), Some(Secret::new("c")), Some(Secret::new("t"))).unwrap();
    for (purpose, named) in [
        (Purpose::Reset, &["change your password", "deactivate your account", "sign out devices"][..]),
        (Purpose::Register, &["create an account"]),
        (Purpose::Add, &["add this address to their account"]),
    ] {
        let authorised = policies.of(purpose, Medium::Email);
        let (_, html) = document(Page::Link(LinkPage::new(&three, "alice@example.org", authorised)));
        let items: Vec<_> = html.all("li").map(|item| item.text.trim().to_owned()).collect();
        assert_eq!(items, named, "{purpose:?}");
        let whole = html.text();
        let button = whole.find("Confirm this address").unwrap();
        assert!(named.iter().all(|words| whole.find(words).is_some_and(|at| at < button)));
    }
}
