//! Rules P4, P6, P7 and U23, as far as they are about 3PIDs and their validation.

use crate::support::{Handler, Server, policy};
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, Addition, AddressAuthority, ClaimBy, Claimant, Claimed, DeleteThreepidRequest,
    DeleteThreepidResponse, Delivery, Domain, GivenAddress, Medium, Owner, Purpose, RequestTokenRequest,
    Requested, SubmitTokenRequest, Submitted, Threepid, TokenRequestContext, TokenRequestKey, Validation,
    ValidationRules,
};
use matrix_uia::server::grant::Exempt;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::{AddThreepid, ChangePassword, DeleteDevices, OperationId, Register};
use matrix_uia::server::reference::UserRef;
use matrix_uia::{BindingKey, MatrixError, Millis, Secret, SessionId, Timestamp};
use serde_json::{Value, json};

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const ALICE: UserRef = UserRef::new(100);
const BOB: UserRef = UserRef::new(101);

fn says(reject: MatrixError) -> String {
    format!("{} {}", reject.status(), reject.code())
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn rules() -> ValidationRules {
    let mut rules = ValidationRules::default();
    rules.lifetime = Millis::new(1_000);
    rules.max_wrong_tokens = 3;
    rules
}

fn secret(secret: &'static str) -> matrix_uia::server::digest::Digest {
    KEY.client_secret(Secret::new(secret))
}

fn token(token: &'static str) -> matrix_uia::server::digest::Digest {
    KEY.validation_token(Secret::new(token))
}

fn asked(purpose: Purpose, requester: Option<UserRef>, attempt: i64) -> TokenRequestKey {
    let email = Threepid::parse(Medium::Email, "new@example.org".into()).unwrap();
    TokenRequestKey::new(&KEY, purpose, requester, email, Secret::new("secret"), attempt)
}

fn ask(found: Option<Validation>, asked: &TokenRequestKey, sending: Delivery, now: u64) -> Requested {
    let policies = AddressAuthority::new();
    Validation::request(found, asked, sending, token("right"), &policies, &rules(), at(now))
}

#[track_caller]
fn sent(purpose: Purpose, requester: Option<UserRef>) -> Validation {
    match ask(None, &asked(purpose, requester, 1), Delivery::Token, 0) {
        Requested::New(validation) => validation,
        other => panic!("{other:?}"),
    }
}

fn submit(found: Validation, given: &'static str, now: u64) -> Submitted {
    Validation::submit(Some(found), secret("secret"), token(given), &rules(), at(now))
}

#[track_caller]
fn validated(purpose: Purpose, requester: Option<UserRef>) -> Validation {
    match submit(sent(purpose, requester), "right", 10) {
        Submitted::Validated(validation) => validation,
        other => panic!("{other:?}"),
    }
}

fn session(byte: u8) -> matrix_uia::server::digest::Digest {
    KEY.claimant(SessionId::from_entropy([byte; 24]))
}

fn creds(medium: Medium, given: &'static str) -> ClaimBy {
    ClaimBy::Credentials { medium, secret: secret(given) }
}

fn claim(found: Option<Validation>, how: ClaimBy, operation: OperationId, by: u8, now: u64) -> Claimed {
    let claimant = Claimant { operation, session: session(by), user: None };
    Validation::claim(found, how, claimant, &AddressAuthority::new(), &rules(), at(now))
}

#[test]
fn u25_what_an_ended_session_had_claimed_may_pass_a_stage_of_another_one() {
    let register = |found, by| claim(Some(found), ClaimBy::Awaited, Register::ID, by, 20);
    let Claimed::Granted(claimed) = register(validated(Purpose::Register, None), 1) else {
        panic!("it is validated")
    };
    assert!(claimed.is_claimed_by(session(1)) && !claimed.is_claimed_by(session(2)));
    assert_eq!(claimed.claimed_by(), Some((session(1), at(20))));
    assert!(matches!(register(claimed.clone(), 2), Claimed::Refused));
    assert_eq!(claimed.clone().give_back(session(2)), None, "it is not that session's to give back");
    let free = claimed.give_back(session(1)).expect("it is that session's");
    assert!(!free.is_claimed_by(session(1)) && free.claimed_by().is_none());
    assert_eq!(free.clone().give_back(session(1)), None, "once");
    assert!(matches!(register(free, 2), Claimed::Granted(_)));
}

fn parse(medium: Medium, body: &Value) -> Result<(), String> {
    RequestTokenRequest::parse(medium, body.to_string().as_bytes()).map(|_| ()).map_err(says)
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[test]
fn p07_a_request_is_refused_key_by_key() {
    let email = json!({"client_secret": "s.=_-9", "email": "a@b", "send_attempt": 1});
    let phone =
        json!({"client_secret": "s", "country": "GB", "phone_number": "07700900001", "send_attempt": 1});
    assert_eq!(parse(Medium::Email, &email), Ok(()));
    assert_eq!(parse(Medium::Msisdn, &phone), Ok(()));
    let missing = "400 M_MISSING_PARAM";
    let bad = "400 M_BAD_JSON";
    let invalid = "400 M_INVALID_PARAM";
    for (medium, good, key, value, says) in [
        (Medium::Email, &email, "client_secret", json!(null), missing),
        (Medium::Email, &email, "client_secret", json!({}), bad),
        (Medium::Email, &email, "client_secret", json!(""), invalid),
        (Medium::Email, &email, "client_secret", json!("~"), invalid),
        (Medium::Email, &email, "client_secret", json!("x".repeat(256)), invalid),
        (Medium::Email, &email, "send_attempt", json!(null), missing),
        (Medium::Email, &email, "send_attempt", json!("1"), bad),
        (Medium::Email, &email, "send_attempt", json!(1.0), bad),
        (Medium::Email, &email, "send_attempt", json!(true), bad),
        (Medium::Email, &email, "email", json!(null), missing),
        (Medium::Email, &email, "email", json!(1), bad),
        (Medium::Email, &email, "email", json!("a@b@c"), invalid),
        (Medium::Email, &email, "next_link", json!(1), bad),
        (Medium::Email, &email, "next_link", json!("ftp://a"), invalid),
        (Medium::Email, &email, "id_server", json!([]), bad),
        (Medium::Email, &email, "id_server", json!("x".repeat(256)), invalid),
        (Medium::Email, &email, "id_access_token", json!(1), bad),
        (Medium::Msisdn, &phone, "country", json!(null), missing),
        (Medium::Msisdn, &phone, "country", json!("gb"), invalid),
        (Medium::Msisdn, &phone, "country", json!("GBR"), invalid),
        (Medium::Msisdn, &phone, "phone_number", json!(null), missing),
        (Medium::Msisdn, &phone, "phone_number", json!(7700900001_u64), bad),
        (Medium::Msisdn, &phone, "phone_number", json!(""), invalid),
        (Medium::Msisdn, &phone, "phone_number", json!("0".repeat(256)), invalid),
    ] {
        let mut body = good.clone();
        body[key] = value;
        assert_eq!(parse(medium, &body), Err(says.to_owned()), "{body}");
    }
    for (body, code) in [(&b"{"[..], "400 M_NOT_JSON"), (b"[]", bad), (b"{}", missing)] {
        assert_eq!(
            RequestTokenRequest::parse(Medium::Email, body).map(|_| ()).map_err(says),
            Err(code.to_owned())
        );
    }
    let mut longest = email.clone();
    longest["client_secret"] = "x".repeat(255).into();
    longest["send_attempt"] = json!(-9_007_199_254_740_991_i64);
    longest["next_link"] = json!("https://example.org/?a=b");
    assert_eq!(parse(Medium::Email, &longest), Ok(()));
}

/// The address of a request whose `email` is that JSON string.
fn requested(email: &str) -> Result<String, String> {
    let body = format!(r#"{{"client_secret": "s", "email": {email}, "send_attempt": 1}}"#);
    let request = RequestTokenRequest::parse(Medium::Email, body.as_bytes()).map_err(says)?;
    let GivenAddress::Email(email) = request.address else { panic!("{request:?}") };
    Threepid::parse(Medium::Email, email).map(|email| email.address().to_owned()).map_err(says)
}

/// https://spec.matrix.org/v1.19/appendices/#e-mail
#[test]
fn p07_addresses_compare_in_one_form() {
    let of = |escaped: &str| requested(&format!("\"{escaped}\""));
    assert_eq!(of(r"\u0041lice@EXAMPLE.org").as_deref(), Ok("alice@example.org"));
    let sharp_s = of(r"Stra\u00dfe@EXAMPLE.org");
    if cfg!(feature = "unicode") {
        assert_eq!(sharp_s.as_deref(), Ok("strasse@example.org"));
    } else {
        assert_eq!(sharp_s, Err("400 M_INVALID_PARAM".to_owned()));
    }
}

/// https://spec.matrix.org/v1.19/appendices/#e-mail
#[test]
fn p07_white_space_around_an_address_is_taken_off() {
    let of = |email: &str| requested(&json!(email).to_string());
    for around in ["a@b", " a@b", "a@b ", "\t a@b\r\n", "\u{b}a@b\u{c}"] {
        assert_eq!(of(around).as_deref(), Ok("a@b"), "{around:?}");
    }
    for inside in ["a @b", "a@ b", "a@b c", "", " "] {
        assert_eq!(of(inside), Err("400 M_INVALID_PARAM".to_owned()), "{inside:?}");
    }
    let other_white_space = of("\u{3000}a@b\u{a0}");
    if cfg!(feature = "unicode") {
        assert_eq!(other_white_space.as_deref(), Ok("a@b"));
    } else {
        assert_eq!(other_white_space, Err("400 M_INVALID_PARAM".to_owned()));
    }
}

/// https://spec.matrix.org/v1.19/appendices/#e-mail
#[test]
fn p07_an_international_domain_is_let_pass_for_a_host_that_can_read_it() {
    let body =
        json!({"client_secret": "s", "email": " a@b\u{fc}cher.example ", "send_attempt": 1}).to_string();
    let request = RequestTokenRequest::parse(Medium::Email, body.as_bytes());
    if !cfg!(feature = "unicode") {
        assert_eq!(request.map(|_| ()).map_err(says), Err("400 M_INVALID_PARAM".to_owned()));
        return;
    }
    let request = request.unwrap();
    let GivenAddress::Email(email) = request.address else { panic!("{request:?}") };
    assert_eq!(Threepid::parse(Medium::Email, email), Err(Domain::not_ascii()));
    let to_ascii = |_: &str| Domain::parse("xn--bcher-kva.example".into()).ok();
    let read = Threepid::parse_international(email, to_ascii).unwrap();
    assert_eq!(read.address(), "a@xn--bcher-kva.example");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken
#[test]
fn p07_what_is_sent_depends_on_who_has_the_address() {
    use Owner::{Another, Nobody, Requester};
    use Purpose::{Add, Register, Reset};
    let in_use = Err("400 M_THREEPID_IN_USE".to_owned());
    let not_found = Err("400 M_THREEPID_NOT_FOUND".to_owned());
    let (token, notice) = (Ok(Delivery::Token), Ok(Delivery::Notice));
    for (purpose, owner, open, hidden) in [
        (Register, Nobody, &token, &token),
        (Register, Requester, &in_use, &in_use),
        (Register, Another, &in_use, &notice),
        (Reset, Nobody, &not_found, &notice),
        (Reset, Requester, &token, &token),
        (Reset, Another, &token, &token),
        (Add, Nobody, &token, &token),
        (Add, Requester, &in_use, &in_use),
        (Add, Another, &in_use, &notice),
    ] {
        for (hide_existence, expected) in [(false, open), (true, hidden)] {
            let fine = TokenRequestContext {
                purpose,
                owner,
                allowed: true,
                trusted: true,
                sendable: true,
                hide_existence,
            };
            let decide = |it: TokenRequestContext| it.decide().map_err(says);
            assert_eq!(decide(fine), *expected, "{fine:?}");
            // What holds for every address comes before what is known of one.
            let refused = |code: &str| Err::<Delivery, _>(code.to_owned());
            let mut worse = fine;
            worse.sendable = false;
            assert_eq!(decide(worse), refused("400 M_THREEPID_MEDIUM_NOT_SUPPORTED"));
            worse.allowed = false;
            assert_eq!(decide(worse), refused("403 M_THREEPID_DENIED"));
            worse.trusted = false;
            assert_eq!(decide(worse), refused("400 M_SERVER_NOT_TRUSTED"));
        }
    }
}

/// https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailrequesttoken
#[test]
fn p07_only_a_higher_attempt_sends_again() {
    let first = sent(Purpose::Reset, None);
    for (attempt, again) in [(0, false), (1, false), (2, true), (i64::MIN, false), (i64::MAX, true)] {
        let requested = ask(Some(first.clone()), &asked(Purpose::Reset, None, attempt), Delivery::Token, 5);
        assert_eq!(matches!(requested, Requested::Again(_)), again, "{attempt}: {requested:?}");
        assert_eq!(matches!(requested, Requested::AlreadySent), !again, "{attempt}");
    }
    let Requested::Again(second) = ask(Some(first), &asked(Purpose::Reset, None, 2), Delivery::Token, 5)
    else {
        panic!("not sent again")
    };
    assert_eq!(
        ask(Some(second), &asked(Purpose::Reset, None, 2), Delivery::Token, 5),
        Requested::AlreadySent
    );
}

/// https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailrequesttoken
#[test]
fn p07_one_that_is_over_begins_anew() {
    let again = asked(Purpose::Reset, None, 1);
    let first = sent(Purpose::Reset, None);
    assert_eq!(ask(Some(first.clone()), &again, Delivery::Token, 999), Requested::AlreadySent);
    assert!(matches!(ask(Some(first.clone()), &again, Delivery::Token, 1_000), Requested::New(_)));
    // And one whose message would be another, now that somebody has the address.
    assert!(matches!(ask(Some(first), &again, Delivery::Notice, 5), Requested::New(_)));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken
#[test]
fn p07_a_notice_looks_like_a_token_that_nobody_submits() {
    let asked_twice = asked(Purpose::Reset, None, 1);
    let Requested::New(decoy) = ask(None, &asked_twice, Delivery::Notice, 0) else { panic!("not new") };
    assert_eq!(ask(Some(decoy.clone()), &asked_twice, Delivery::Notice, 5), Requested::AlreadySent);
    // Not even by the token that the host would have sent.
    let submitted = submit(decoy.clone().with_token(token("right")), "right", 5);
    assert!(
        matches!(submitted, Submitted::Refused(Some(_), reject) if says(reject) == "400 M_TOKEN_INCORRECT")
    );
    let offered = creds(Medium::Email, "secret");
    assert_eq!(claim(Some(decoy), offered, ChangePassword::ID, 1, 5), Claimed::NotYet);
}

/// https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
#[test]
fn p07_a_token_is_submitted_in_the_identity_services_terms() {
    let found = sent(Purpose::Add, None);
    let refused = |submitted: Submitted| match submitted {
        Submitted::Refused(changed, reject) => (changed.is_some(), says(reject)),
        other => panic!("{other:?}"),
    };
    let none = Validation::submit(None, secret("secret"), token("right"), &rules(), at(5));
    assert_eq!(refused(none), (false, "400 M_NO_VALID_SESSION".to_owned()));
    let others = Validation::submit(Some(found.clone()), secret("other"), token("right"), &rules(), at(5));
    assert_eq!(refused(others), (false, "400 M_NO_VALID_SESSION".to_owned()));
    assert_eq!(refused(submit(found.clone(), "wrong", 5)), (true, "400 M_TOKEN_INCORRECT".to_owned()));
    assert!(matches!(submit(found.clone(), "right", 999), Submitted::Validated(_)));
    assert_eq!(refused(submit(found, "right", 1_000)), (false, "400 M_SESSION_EXPIRED".to_owned()));
    // One that was right is right again, and a wrong one can't end what is validated.
    let mut done = validated(Purpose::Add, None);
    for given in ["wrong", "wrong", "wrong", "wrong", "right"] {
        done = match submit(done, given, 20) {
            Submitted::Validated(done) | Submitted::Refused(Some(done), _) => done,
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(done.validated_at(), Some(at(10)), "only the first time counts");
}

/// https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
#[test]
fn p07_the_submission_is_read_key_by_key() {
    let good = json!({"sid": "s.=_-", "client_secret": "s", "token": "any \u{e9}"});
    let read =
        |body: &Value| SubmitTokenRequest::parse(body.to_string().as_bytes()).map(|_| ()).map_err(says);
    assert_eq!(read(&good), Ok(()));
    for key in ["sid", "client_secret", "token"] {
        for (value, says) in [
            (json!(null), "400 M_MISSING_PARAM"),
            (json!(1), "400 M_BAD_JSON"),
            (json!(""), "400 M_INVALID_PARAM"),
            (json!("x".repeat(256)), "400 M_INVALID_PARAM"),
        ] {
            let mut body = good.clone();
            body[key] = value;
            assert_eq!(read(&body), Err(says.to_owned()), "{body}");
        }
        let mut body = good.clone();
        body[key] = "x".repeat(255).into();
        assert_eq!(read(&body), Ok(()));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u23_a_proof_passes_the_stage_it_is_for() {
    let right = creds(Medium::Email, "secret");
    let proof = validated(Purpose::Register, None);
    for (how, operation, granted) in [
        (right, Register::ID, true),
        (ClaimBy::Awaited, Register::ID, true),
        (right, ChangePassword::ID, false),
        (ClaimBy::Awaited, AddThreepid::ID, false),
        (creds(Medium::Msisdn, "secret"), Register::ID, false),
        (creds(Medium::Email, "other"), Register::ID, false),
    ] {
        let claimed = claim(Some(proof.clone()), how, operation, 1, 20);
        assert_eq!(matches!(claimed, Claimed::Granted(_)), granted, "{how:?} {operation:?}");
        assert_eq!(claimed == Claimed::Refused, !granted);
    }
    assert_eq!(claim(None, right, Register::ID, 1, 20), Claimed::Refused);
    assert_eq!(Purpose::of_stage(Register::ID), Purpose::Register);
    assert_eq!(Purpose::of_stage(ChangePassword::ID), Purpose::Reset);
    assert_eq!(Purpose::of_stage(AddThreepid::ID), Purpose::Reset);
    assert_eq!(Purpose::of_stage(DeleteDevices::ID), Purpose::Reset);
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u23_a_link_that_nobody_opened_is_pending_until_it_is_over() {
    let right = creds(Medium::Email, "secret");
    let waiting = sent(Purpose::Register, None);
    assert_eq!(claim(Some(waiting.clone()), right, Register::ID, 1, 999), Claimed::NotYet);
    assert_eq!(claim(Some(waiting), right, Register::ID, 1, 1_000), Claimed::Refused);
    // Validated at 10: its life counts from there.
    let proof = validated(Purpose::Register, None);
    assert!(matches!(claim(Some(proof.clone()), right, Register::ID, 1, 1_009), Claimed::Granted(_)));
    assert_eq!(claim(Some(proof), right, Register::ID, 1, 1_010), Claimed::Refused);
}

fn request(body: &Value) -> String {
    body.to_string()
}

/// What a complete call comes to.
fn addition(user: UserRef, read: AddThreepidRequest<'_>) -> Result<Addition, String> {
    let checked = read.check(true).unwrap();
    let (mut server, mut planned) = (Server::new(), None);
    let token = if user == ALICE { "alice-token" } else { "bob-token" };
    let handler = Handler {
        admit: &mut |_| Ok(Some(Exempt::ApplicationService)),
        perform: &mut |_, plan| {
            planned = Some(plan);
            Ok((Outcome::NOTHING, json!({})))
        },
        repeat: &mut |_, _| json!({}),
    };
    let flows = policy::<AddThreepid>(&[&["m.login.password"]], None);
    let answer = server.serve(Some(token), flows, &checked, handler);
    planned.ok_or(answer.says())
}

#[track_caller]
fn bind(
    user: UserRef,
    found: Option<Validation>,
    owner: Option<UserRef>,
    now: u64,
) -> Result<(String, u64), String> {
    let body = request(&json!({"sid": "sid", "client_secret": "secret"}));
    let read = AddThreepidRequest::parse(body.as_bytes()).unwrap();
    let addition = addition(user, read).expect("both are given");
    assert_eq!(addition.sid(), "sid");
    let binding = addition.bind(found, owner, &rules(), at(now)).map_err(|it| says(it.error()))?;
    assert_eq!(binding.user(), user);
    Ok((binding.threepid().address().to_owned(), binding.validated_at().as_millis()))
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd
#[test]
fn p06_only_a_validated_address_is_added() {
    let failed = Err("400 M_THREEPID_AUTH_FAILED".to_owned());
    let added = Ok(("new@example.org".to_owned(), 10));
    let proof = validated(Purpose::Add, Some(ALICE));
    assert_eq!(bind(ALICE, Some(proof.clone()), None, 20), added);
    assert_eq!(bind(BOB, Some(proof.clone()), None, 20), failed, "not bob's to use");
    assert_eq!(bind(BOB, Some(validated(Purpose::Add, None)), None, 20), added, "asked without a token");
    assert_eq!(bind(ALICE, None, None, 20), failed);
    assert_eq!(bind(ALICE, Some(sent(Purpose::Add, Some(ALICE))), None, 20), failed);
    assert_eq!(bind(ALICE, Some(validated(Purpose::Register, None)), None, 20), failed);
    assert_eq!(bind(ALICE, Some(validated(Purpose::Reset, None)), None, 20), failed);
    assert_eq!(bind(ALICE, Some(proof.clone()), None, 1_009), added);
    assert_eq!(bind(ALICE, Some(proof), None, 1_010), failed);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd
#[test]
fn p06_an_address_in_use_is_not_added() {
    for owner in [ALICE, BOB] {
        let proof = validated(Purpose::Add, Some(ALICE));
        assert_eq!(bind(ALICE, Some(proof), Some(owner), 20), Err("400 M_THREEPID_IN_USE".to_owned()));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#m3pid_changes-capability
#[test]
fn p06_changes_that_are_not_allowed_are_refused_first() {
    let body = request(&json!({"sid": "a b", "client_secret": "secret"}));
    let read = AddThreepidRequest::parse(body.as_bytes()).unwrap();
    let check = |enabled| read.check(enabled).map(|_| ()).map_err(says);
    assert_eq!(check(false), Err("403 M_FORBIDDEN".to_owned()));
    assert_eq!(check(true), Err("400 M_INVALID_PARAM".to_owned()));
    assert!(AddThreepidRequest::parse(b"{}").unwrap().check(true).is_ok(), "clients ask for the flows so");
    let forbidden = DeleteThreepidRequest::parse(b"{", false).map(|_| ()).map_err(says);
    assert_eq!(forbidden, Err("403 M_FORBIDDEN".to_owned()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd
#[test]
fn p06_what_never_came_is_missed_at_the_end() {
    for body in [json!({}), json!({"sid": "sid"}), json!({"client_secret": "secret"})] {
        let body = request(&body);
        let read = AddThreepidRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(addition(ALICE, read).unwrap_err(), "400 M_MISSING_PARAM");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete
#[test]
fn p06_a_removal_says_whether_it_was_unbound() {
    let body = br#"{"medium": "email", "address": "A@b", "id_server": "theirs.example"}"#;
    let named = DeleteThreepidRequest::parse(body, true).unwrap();
    assert_eq!(named.unbind_at(Some("ours.example")).unwrap(), "theirs.example");
    let body = br#"{"medium": "msisdn", "address": "447700900001", "id_server": null}"#;
    let bound = DeleteThreepidRequest::parse(body, true).unwrap();
    assert_eq!(bound.unbind_at(Some("ours.example")).unwrap(), "ours.example");
    assert_eq!(bound.unbind_at(None), None);
    for (unbound, result) in [(true, "success"), (false, "no-support")] {
        let mut body = String::new();
        DeleteThreepidResponse::new(unbound).write(&mut body).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"id_server_unbind_result": result}));
    }
    for (body, says_) in [
        (json!({"address": "a@b"}), "400 M_MISSING_PARAM"),
        (json!({"medium": "email"}), "400 M_MISSING_PARAM"),
        (json!({"medium": 1, "address": "a@b"}), "400 M_BAD_JSON"),
        (json!({"medium": "fax", "address": "a@b"}), "400 M_INVALID_PARAM"),
        (json!({"medium": "email", "address": "a"}), "400 M_INVALID_PARAM"),
        (json!({"medium": "email", "address": "a@b", "id_server": ""}), "400 M_INVALID_PARAM"),
    ] {
        let body = request(&body);
        let refused = DeleteThreepidRequest::parse(body.as_bytes(), true).map(|_| ()).map_err(says);
        assert_eq!(refused, Err(says_.to_owned()), "{body}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd
#[test]
fn p06_a_validation_goes_on_where_it_was_after_a_restart() {
    let Claimed::Granted(claimed) =
        claim(Some(validated(Purpose::Reset, None)), ClaimBy::Awaited, ChangePassword::ID, 1, 20)
    else {
        panic!("refused")
    };
    for validation in [sent(Purpose::Add, Some(ALICE)), validated(Purpose::Register, None), claimed] {
        let text = serde_json::to_string(&validation).unwrap();
        assert_eq!(serde_json::from_str::<Validation>(&text).unwrap(), validation);
        for (key, value) in [
            ("/version", json!(1)),
            ("/value/address", json!("NEW@example.org")),
            ("/value/address", json!("a@b@c")),
            ("/value/medium", json!("msisdn")),
            ("/check", json!(1)),
        ] {
            let mut other: Value = serde_json::from_str(&text).unwrap();
            *other.pointer_mut(key).unwrap() = value;
            assert!(serde_json::from_value::<Validation>(other).is_err(), "{key}");
        }
    }
}
