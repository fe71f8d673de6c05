//! Marked secrets: whatever a request brings is in no `Debug`, no `Display`, no stored
//! session. The marks are looked for in everything that can be printed.

use std::fmt::Debug;

use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::devices::DeleteDevicesRequest;
use matrix_uia::endpoint::login::{Attempt, GetLoginTokenRequest, GetLoginTokenResponse, LoginRequest};
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::endpoint::refresh::{RefreshRequest, RefreshResponse};
use matrix_uia::endpoint::register::{Localpart, LoginResponse, RegisterRequest};
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, AddressAuthority, Delivery, GivenAddress, Medium, Purpose, RequestTokenRequest,
    Requested, SubmitTokenRequest, Threepid, TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::account::Caller;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::{ChangePassword, Register};
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::{Auth, AuthData, ChallengeBody, ThreepidCreds};
use matrix_uia::{
    BindingKey, Exchange, Incoming, Millis, Rules, Secret, Session, SessionId, Text, Timestamp,
};
use serde_json::{Value, json};

use crate::support::{Server, flows, password_auth, policy, poll, stage};

/// No secret that is shown passes for chance.
const MARK: &str = "ZXQmark";

fn mark(number: u32) -> String {
    format!("{MARK}{number}")
}

#[track_caller]
fn hides(value: &impl Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.contains(MARK), "{shown}");
    }
}

/// An auth dict of every type, with a mark for each secret in it.
fn marked_auths() -> Vec<Value> {
    let creds = json!({"sid": "1", "client_secret": mark(1), "id_server": "id", "id_access_token": mark(2)});
    let mut auths = vec![
        json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": mark(3)}),
        json!({"type": "m.login.recaptcha", "response": mark(4)}),
        json!({"type": "m.login.email.identity", "threepid_creds": creds}),
        json!({"type": "m.login.msisdn", "threepid_creds": creds}),
        json!({"type": "m.login.registration_token", "token": mark(5)}),
        json!({"type": "org.example.custom", "anything": mark(6), "nested": {"deep": [mark(7)]}}),
        json!({"type": "m.login.dummy", "password": mark(8)}),
        json!({"type": "m.login.password", "password": {"not": mark(9)}}),
        json!({"type": "m.login.registration_token", "token": format!("{} no token", mark(10))}),
        json!({}),
    ];
    for auth in &mut auths {
        auth["session"] = mark(20).into();
    }
    auths
}

/// What is kept beside a session neither shows a secret nor has it in its stored form.
fn keeps_no_secret<E: Endpoint<Stored: Debug>>(checked: &E) {
    let id = SessionId::from_entropy([1; 24]);
    let sealer = Sealer::new(id, matrix_uia::server::session::Revision::default());
    let stored = checked.to_stored(&BindingKey::from_entropy([1; 16]), None, sealer);
    hides(&stored);
    assert!(!serde_json::to_string(&stored).unwrap().contains(MARK));
    if let Some(sealed) = E::stored_password(&stored) {
        let bytes = format!("{:?}", MARK.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']).replace(' ', "");
        assert!(!serde_json::to_string(sealed).unwrap().contains(&bytes), "not in the clear");
        hides(&sealed.open(&id).unwrap());
    }
}

#[test]
fn no_request_shows_what_it_brings() {
    for auth in marked_auths() {
        let text = auth.to_string();
        let parsed = Auth::parse(text.as_bytes()).unwrap();
        hides(&parsed);
        if let Auth::Attempt { data, .. } = parsed {
            hides(&data);
        }
        let escaped = text.replace("ZXQ", "\\u005aXQ");
        hides(&Auth::parse(escaped.as_bytes()).unwrap());

        let change = json!({"new_password": mark(30), "auth": auth}).to_string();
        let change = ChangePasswordRequest::parse(change.as_bytes()).unwrap();
        hides(&change);
        let checked = change.check(&PasswordStrength::default(), true).unwrap();
        hides(&checked);
        keeps_no_secret(&checked);
        let register = json!({"username": "carol", "password": mark(31), "auth": auth}).to_string();
        let register = RegisterRequest::parse(register.as_bytes()).unwrap();
        hides(&register);
        let checked = register.check(&PasswordStrength::default(), "example.org").unwrap();
        hides(&checked);
        keeps_no_secret(&checked);
        let deactivate = json!({"auth": auth}).to_string();
        hides(&DeactivateRequest::parse(deactivate.as_bytes()).unwrap());
        let delete = json!({"devices": ["A"], "auth": auth}).to_string();
        hides(&DeleteDevicesRequest::parse(delete.as_bytes()).unwrap());
    }
    let token =
        json!({"client_secret": mark(32), "email": "a@b", "send_attempt": 1, "id_access_token": mark(33)});
    let token = token.to_string();
    let token = RequestTokenRequest::parse(Medium::Email, token.as_bytes()).unwrap();
    hides(&token);
    let email = Threepid::parse(Medium::Email, "a@b".into()).unwrap();
    let key = BindingKey::from_entropy([1; 16]);
    let asked = TokenRequestKey::new(&key, Purpose::Reset, None, email, token.client_secret, 1);
    hides(&asked);
    let marked = mark(34);
    let digest = key.validation_token(Secret::new(&marked));
    let rules = ValidationRules::default();
    let policies = AddressAuthority::new();
    let now = Timestamp::default();
    let begun = Validation::request(None, &asked, Delivery::Token, digest, &policies, &rules, now);
    hides(&begun);
    let Requested::New(validation) = begun else { panic!("it is new") };
    assert!(!serde_json::to_string(&validation).unwrap().contains(MARK));
    let submit = json!({"sid": "1", "client_secret": mark(35), "token": mark(36)}).to_string();
    hides(&SubmitTokenRequest::parse(submit.as_bytes()).unwrap());
    let add = json!({"sid": "1", "client_secret": mark(37)}).to_string();
    let add = AddThreepidRequest::parse(add.as_bytes()).unwrap();
    hides(&add);
    keeps_no_secret(&add.check(true).unwrap());
    let login = json!({"type": "m.login.password", "user": "alice", "password": mark(40)}).to_string();
    hides(&LoginRequest::parse(login.as_bytes()).unwrap());
    let token = json!({"type": "m.login.token", "token": mark(41)}).to_string();
    hides(&LoginRequest::parse(token.as_bytes()).unwrap());
    let refresh = json!({"refresh_token": mark(42)}).to_string();
    hides(&RefreshRequest::parse(refresh.as_bytes()).unwrap());
    let auth =
        json!({"type": "m.login.password", "user": "alice", "password": mark(43), "session": mark(44)});
    let get_token = json!({ "auth": auth }).to_string();
    hides(&GetLoginTokenRequest::parse(get_token.as_bytes()).unwrap());
    let upload = json!({ "auth": auth }).to_string();
    hides(&UploadSigningKeysRequest::parse(upload.as_bytes()).unwrap());
}

#[test]
fn no_answer_shows_what_it_holds() {
    let (token, refresh) = (mark(50), mark(51));
    let mut response =
        LoginResponse::new(Text::new("@a:example.org")).with_login(Secret::new(&token), Text::new("D"));
    response.login.as_mut().unwrap().refresh_token = Some(Secret::new(&refresh));
    hides(&response);
    hides(&RefreshResponse::new(Secret::new(&token), Secret::new(&refresh), None));
    hides(&GetLoginTokenResponse::new(Secret::new(&token), Millis::new(1)));
    let challenge = json!({"flows": [], "session": mark(52), "params": {"x": {"y": mark(53)}}}).to_string();
    hides(&ChallengeBody::parse(challenge.as_bytes()).unwrap());
}

#[test]
fn no_secret_type_shows_itself() {
    let secret = mark(60);
    hides(&Secret::new(&secret));
    hides(&ThreepidCreds::new(Text::new("1"), Secret::new(&secret)));
    hides(&BindingKey::from_entropy(*b"ZXQmarkZXQmark60"));
    let key = BindingKey::from_entropy(*b"ZXQmarkZXQmark60");
    hides(&key.param::<ChangePassword>("new_password").part(Some(Text::new(&secret))));
    hides(&key.param::<ChangePassword>("new_password").text(Text::new(&secret)));
    assert_eq!(
        format!("{:?}", SessionId::from_entropy(*b"ZXQmarkZXQmarkZXQmarkZXQ")),
        "SessionId([redacted])"
    );
    #[cfg(feature = "alloc")]
    {
        let owned = Secret::new(&secret).to_owned();
        assert_eq!(owned.expose(), secret);
        hides(&owned);
    }
}

#[test]
fn no_step_shows_what_it_carries() {
    let names: &[&[&str]] = &[
        &["m.login.password"],
        &["m.login.recaptcha"],
        &["m.login.email.identity"],
        &["m.login.msisdn"],
        &["m.login.registration_token"],
        &["org.example.custom"],
        &["m.login.dummy"],
    ];
    let policy = flows::<Register>(names, None);
    hides(&policy);
    let rules = Rules::default();
    let key = BindingKey::from_entropy([1; 16]);
    let fresh = SessionId::from_entropy(*b"ZXQmarkZXQmarkZXQmarkZXQ");
    let now = Timestamp::default();
    for mut auth in marked_auths() {
        auth["session"] = Value::Null;
        let body = json!({"username": "carol", "password": mark(70), "auth": auth}).to_string();
        let request = RegisterRequest::parse(body.as_bytes()).unwrap();
        let checked = request.check(&PasswordStrength::default(), "example.org").unwrap();
        let call = checked.call(&key);
        hides(&call);
        let mut incoming = Incoming::new(&policy, &rules, HostKind::CLAIMS, call, fresh, now);
        let mut exchange = incoming.exchange();
        loop {
            hides(&exchange);
            assert!(!format!("{exchange:?}").contains(fresh.expose().as_str()));
            exchange = match exchange {
                Exchange::Load(load) => load.found(None, Caller::Nobody, now),
                Exchange::Admit(admit) => admit.admitted(),
                Exchange::Verify(verify) => {
                    hides(&verify.question().check());
                    verify.question().limit_keys().for_each(|key| hides(&key));
                    verify.verdict(Verdict::Failed(StageFailure::Other))
                }
                Exchange::Hash(hash) => hash.hashed(),
                Exchange::Perform(perform) => {
                    let (grant, performing) = perform.grant();
                    hides(&grant);
                    hides(&performing);
                    let account = checked.plan(&key, grant, None, Some("hash")).unwrap();
                    hides(&account);
                    performing.succeeded(Outcome::NOTHING, now)
                }
                Exchange::Commit(commit) => {
                    commit.changes().for_each(|change| hides(&change));
                    commit.committed(Committed::Stored)
                }
                Exchange::Respond(respond) => {
                    hides(&respond);
                    break;
                }
                other => panic!("{other:?}"),
            };
        }
    }
}

#[test]
fn no_error_repeats_what_it_refuses() {
    let marked = mark(80);
    for body in [
        format!("{{\"{marked}\":1,\"{marked}\":2}}"),
        format!("{{\"auth\":\"{marked}\"}}"),
        format!("{{\"new_password\":[\"{marked}\"]}}"),
        format!("{{\"type\":{{\"x\":\"{marked}\"}}}}"),
        marked.clone(),
        format!("{{\"x\":\"{marked}\\ud800\"}}"),
    ] {
        let errors = [
            ChangePasswordRequest::parse(body.as_bytes()).map(|_| ()).err(),
            Auth::parse(body.as_bytes()).map(|_| ()).err(),
        ];
        for error in errors.into_iter().flatten() {
            hides(&error);
            assert!(!error.to_string().contains(MARK));
        }
        if let Err(reject) = LoginRequest::parse(body.as_bytes()) {
            let mut out = String::new();
            reject.write(&mut out).unwrap();
            assert!(!out.contains(MARK), "{out}");
            hides(&reject);
        }
    }
    let name = Localpart::parse(Text::new(&format!("{marked} !")), "example.org").unwrap_err();
    hides(&name);
    let long = format!("{marked}{}", "x".repeat(600));
    let weak = PasswordStrength::default().check(Secret::new(&long)).unwrap_err();
    hides(&weak);
    assert!(!Text::new(&marked).to_fixed::<4>().unwrap_err().to_string().contains(MARK));
}

#[test]
fn a_malformed_auth_dict_names_the_key_and_never_the_value() {
    for auth in marked_auths() {
        let auth = auth.to_string();
        if let Auth::Attempt { data: Err(malformed), .. } = Auth::parse(auth.as_bytes()).unwrap() {
            hides(&malformed);
        }
    }
}

#[test]
fn a_custom_dict_is_passed_on_whole_and_shown_nowhere() {
    let auth = json!({"type": "org.example.custom", "anything": mark(90)}).to_string();
    let Auth::Attempt { data: Ok(AuthData::Custom(raw)), .. } = Auth::parse(auth.as_bytes()).unwrap() else {
        panic!("custom")
    };
    assert_eq!(raw.as_str(), auth);
    hides(&raw);
}

/// A session that has seen marked values is stored, read in another process, and goes on.
#[test]
fn a_stored_session_holds_no_secret_and_goes_on_elsewhere() {
    let code = "org.example.code";
    let new_password = format!("{} looking-glass", mark(100));
    let serve = || {
        let mut server = Server::new();
        server.policies.change = policy(&[&["m.login.password", code]], None);
        server.user("alice").hash = Some(format!("hash of {}", mark(101)));
        server
    };
    let mut here = serve();
    let alice = Some("alice-token");
    let session = here.change_password(alice, json!({"new_password": new_password})).session().to_owned();
    let attempts = [
        password_auth(Some(&session), "alice", &mark(102)),
        password_auth(Some(&session), "alice", &mark(101)),
        json!({"type": code, "session": session, "code": mark(103)}),
        poll(&session),
    ];
    for auth in attempts {
        here.change_password(alice, json!({"new_password": new_password, "auth": auth}));
        let id = here.named(&session).id();
        let stored = here.sessions[&id].clone();
        assert!(!stored.contains(MARK), "{stored}");
        assert!(!stored.contains("looking-glass") && !stored.contains(session.as_str()), "{stored}");
        hides(&here.session(&session));

        // Another process has nothing but the text.
        let read: Session = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, here.session(&session));
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
        let mut there = serve();
        there.sessions.insert(id, stored);
        let state = |server: &mut Server| server.change_password(alice, json!({"auth": poll(&session)}));
        assert_eq!(state(&mut there), state(&mut here));
    }
    let mut there = serve();
    (there.sessions, there.kept) = (here.sessions.clone(), here.kept.clone());
    for server in [&mut here, &mut there] {
        server.next_verdict(Verdict::Passed(Evidence::nothing()));
        let body = json!({"new_password": new_password, "auth": stage(code, &session)});
        assert_eq!(server.change_password(alice, body).says(), "200");
        assert_eq!(server.users["alice"].hash.as_deref(), Some(format!("hash of {new_password}").as_str()));
    }
}

#[test]
fn no_page_and_no_form_shows_what_it_carries() {
    use matrix_uia::pages::{Form, StagePage};
    use matrix_uia::server::account::Account;
    use matrix_uia::server::page::{PageExchange, PagePolicy, PageRequest};
    use matrix_uia::wire::AuthType;

    let encoded = format!("session={}&user=alice&password={}&token={}", mark(1), mark(2), mark(3));
    let mut buffer = vec![0; encoded.len()];
    let form = Form::parse(encoded.as_bytes(), &mut buffer).unwrap();
    hides(&form);
    let mut server = Server::new();
    let session = server.change_password(Some("alice-token"), json!({})).session().to_owned();
    let rules = Rules::default();
    let policy = PagePolicy::new(server.policies.change, &rules);
    hides(&policy);
    let data = form.auth_data(AuthType::Password, None);
    let id = server.named(&session).id();
    let visit = PageRequest::form(id, AuthType::Password, data, None);
    hides(&visit);
    let now = Timestamp::from_millis(server.now);
    let PageExchange::Load(load) = PageExchange::begin(visit, now) else { panic!("it begins with a load") };
    let PageExchange::Policy(guard) = load.found(Some(server.session(&session)), now) else {
        panic!("it is stored")
    };
    hides(&guard);
    let found = guard.found(Some(policy));
    let PageExchange::Account(account) = found else { panic!("it is alice's") };
    let alice =
        Account::new(server.account_named("alice"), matrix_uia::server::account::AccountStatus::default());
    let asks = account.found(Some(alice));
    hides(&asks);
    let PageExchange::Verify(verify) = asks else { panic!("a password is asked about") };
    hides(verify.question());
    hides(&verify.verdict(Verdict::Failed(StageFailure::Credentials)));
    let secret = mark(4);
    hides(&StagePage::new(&policy, visit).sent("sid".into(), Secret::new(&secret)));
    let shown = format!("{:?}", PageRequest::look(SessionId::from_entropy([1; 24]), AuthType::Sso));
    assert!(shown.contains("redacted"), "a session's ID is a capability: {shown}");
}

/// Whatever a client is asked and answers: the session and the credentials are in no
/// `Debug`, and of the two only the session is in what is stored.
#[test]
fn a_client_shows_and_stores_no_secret() {
    use matrix_uia::client::{Answer, CallName, Client, Next, Progress, Prompt};
    use matrix_uia::wire::{AuthType, Raw, UserIdentifier};

    const STAGES: &[AuthType<'static>] =
        &[AuthType::Password, AuthType::RegistrationToken, AuthType::custom("org.example.pin")];
    let now = Timestamp::from_millis(0);
    let client = Client::new(STAGES).with_browser();
    for stage in
        ["m.login.password", "m.login.registration_token", "org.example.pin", "m.login.sso", "m.oauth"]
    {
        let params = json!({"org.example.pin": {"hint": mark(110)}, "m.oauth": {"url": format!("https://x/{}", mark(111))}});
        let body =
            json!({"flows": [{"stages": [stage]}], "params": params, "session": mark(112)}).to_string();
        let mut progress = Progress::<1024>::new(CallName::new("c").unwrap());
        let Next::Send(request) = client.next(&mut progress, now) else { panic!("the first") };
        let ticket = request.ticket();
        let answer = Answer::new(401, body.as_bytes());
        hides(&answer);
        hides(&client.receive(&mut progress, ticket, answer, now));
        let secret = mark(113);
        let pin = json!({"pin": secret}).to_string();
        let next = client.next(&mut progress, now);
        hides(&next);
        let request = match next {
            Next::Prompt(Prompt::Password(prompt)) => {
                prompt.answer(UserIdentifier::User(Text::new("alice")), Secret::new(&secret))
            }
            Next::Prompt(Prompt::RegistrationToken(prompt)) => prompt.answer(Secret::new(&secret)),
            Next::Prompt(Prompt::Custom(prompt)) => prompt.answer(Raw::parse(&pin).unwrap()),
            Next::Page(page) => {
                page.opened(now);
                progress.stage_completed_elsewhere();
                let Next::Send(poll) = client.next(&mut progress, now) else { panic!("a poll") };
                poll
            }
            other => panic!("{other:?}"),
        };
        hides(&request);
        let ticket = request.ticket();
        hides(&progress);
        let stored = serde_json::to_string(&progress).unwrap();
        assert!(!stored.contains(&mark(113)) && stored.contains(&mark(112)), "{stored}");
        let result = json!({"access_token": mark(114)}).to_string();
        hides(&client.receive(&mut progress, ticket, Answer::new(200, result.as_bytes()), now));
        hides(&progress);
        assert!(!serde_json::to_string(&progress).unwrap().contains(&mark(114)));
        hides(&RefreshResponse::parse(result.as_bytes()).unwrap());
    }
    let secret = mark(115);
    hides(&RefreshRequest::new(Secret::new(&secret)));
    hides(&LoginRequest::new(Attempt::Token { token: Secret::new(&secret) }));
    let email = GivenAddress::Email(Text::new("a@b"));
    hides(&RequestTokenRequest::new(Secret::new(&secret), email, 1));
}
