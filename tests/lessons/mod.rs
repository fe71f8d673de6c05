//! What has gone wrong in deployed servers and clients, one test each: the row's number
//! and the property that makes it impossible. The list itself is in the manual.

mod client;
mod fallback;
mod threepid;
mod ways_in;

use matrix_uia::account::{AccountStatus, Action, Event, Life};
use matrix_uia::deactivation::{Deactivation, Effect};
use matrix_uia::error::{AnyCode, ErrorBody, ErrorCode};
use matrix_uia::login::{self, LoginRequest};
use matrix_uia::operation::Operation;
use matrix_uia::registration::Localpart;
use matrix_uia::session::{Failure, Proof, Verdict};
use matrix_uia::wire::{Auth, AuthType, ChallengeBody};
use matrix_uia::{Millis, Reject, Session, SessionId, Text};
use serde_json::{Value, json};

use crate::support::{Answer, Server, id, password_auth, policy, poll, stage};

const ALICE: Option<&str> = Some("alice-token");
const BOB: Option<&str> = Some("bob-token");
const CODE: &str = "org.example.code";
const PIN: &str = "org.example.pin";

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

fn alice(session: Option<&str>) -> Value {
    password_auth(session, "alice", "wonderland")
}

fn with_flows(names: &[&[&str]]) -> Server {
    let mut server = Server::new();
    server.policies.change = policy(names, None);
    server
}

fn carol(auth: Value) -> Value {
    json!({"username": "carol", "password": "carol-secret", "auth": auth})
}

fn passed() -> Verdict<'static> {
    Verdict::Passed(Proof::Nothing)
}

#[test]
fn lesson_01_stages_are_taken_in_the_order_of_an_offered_flow() {
    let mut server = with_flows(&[&["m.login.password", CODE], &["m.login.recaptcha", PIN]]);
    let session = server.begin(ALICE);
    for auth_type in [CODE, PIN, "m.login.sso", "org.example.other"] {
        let answer = server.change_password(ALICE, change(stage(auth_type, &session)));
        assert_eq!((answer.says(), answer.completed()), ("401 M_INVALID_PARAM".to_owned(), &json!([])));
    }
    server.change_password(ALICE, change(alice(Some(&session))));
    // `PIN` is last of the other flow only.
    assert_eq!(server.change_password(ALICE, change(stage(PIN, &session))).says(), "401 M_INVALID_PARAM");
    assert_eq!(server.asked, 1);
}

#[test]
fn lesson_02_a_completed_stage_is_neither_duplicated_nor_counted_twice() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    server.add_token("fBVFdqVE", 5);
    let token = |session: Option<&str>| json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": session});
    let session = server.register(carol(token(None))).session().to_owned();
    for _ in 0..3 {
        let answer = server.register(carol(token(Some(&session))));
        assert_eq!(answer.completed(), &json!(["m.login.registration_token"]));
    }
    assert_eq!((server.asked, server.tokens["fBVFdqVE"].pending), (1, 1));
}

#[test]
fn lesson_03_one_users_completion_is_not_in_anothers_401() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let bobs = server.change_password(BOB, change(Value::Null));
    assert_ne!(bobs.session(), session);
    let state = server.change_password(BOB, change(poll(bobs.session())));
    assert_eq!(state.completed(), &json!([]));
    let taken = server.change_password(BOB, change(poll(&session)));
    assert_eq!((taken.says(), taken.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
}

#[test]
fn lesson_04_the_first_stage_that_passes_is_not_the_whole_flow() {
    let mut server = with_flows(&[&["m.login.password", CODE, PIN]]);
    let session = server.begin(ALICE);
    assert_eq!(server.change_password(ALICE, change(alice(Some(&session)))).says(), "401");
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(stage(CODE, &session))).says(), "401");
    assert_eq!((server.grants, server.journal.len()), (0, 0));
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(stage(PIN, &session))).says(), "200");
}

#[test]
fn lesson_05_a_session_is_not_used_for_another_request() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    server.policies.deactivate = policy(&[&["m.login.password", CODE]], None);
    server.add_device("alice", "tablet-token", "TABLET");
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.next_verdict(passed());
    let answer = server.deactivate(ALICE, json!({"auth": stage(CODE, &session)}));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    let answer = server.delete_device("alice-token", "TABLET", &json!({"auth": poll(&session)}).to_string());
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!((server.asked, server.users["alice"].status.life), (1, Life::Active));
}

#[test]
fn lesson_06_a_changed_parameter_is_told_and_leaves_a_way_out() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": false})).session().to_owned();
    let toggled = server.deactivate(ALICE, json!({"erase": true, "auth": alice(Some(&session))}));
    assert_eq!(toggled.says(), "403 M_FORBIDDEN", "told apart from a wrong password, which is a 401");
    assert!(
        toggled.body["error"].as_str().unwrap().contains("parameters"),
        "and the client is told what it is"
    );
    // Back to the first choice, or from the start with the other.
    assert_eq!(server.session(&session).failures(), 0);
    let again = server.deactivate(ALICE, json!({"erase": true}));
    let body = json!({"erase": true, "auth": alice(Some(again.session()))});
    assert_eq!(server.deactivate(ALICE, body).says(), "200");
    assert!(server.users["alice"].status.erased);
}

#[test]
fn lesson_07_an_operation_is_canonical() {
    // Nothing of a URI comes in: the same calls make the same session, whatever the
    // version prefix or the query was. And two operations are never one.
    let mut server = Server::new();
    let session = server.register(carol(Value::Null)).session().to_owned();
    assert_eq!(server.session(&session).operation(), matrix_uia::operation::Register::ID);
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
}

#[test]
fn lesson_08_who_is_acted_on_is_the_user_of_the_token() {
    let mut server = Server::new();
    for auth in
        [password_auth(None, "bob", "builder-bob"), password_auth(None, "@bob:example.org", "builder-bob")]
    {
        assert_eq!(server.change_password(ALICE, change(auth)).says(), "403 M_FORBIDDEN");
    }
    assert!(server.journal.is_empty());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200");
    assert_eq!(server.users["bob"].hash.as_deref(), Some("hash of builder-bob"));
}

#[test]
fn lesson_09_the_wrong_account_is_found_at_the_stage() {
    let mut server = with_flows(&[&["m.login.sso", CODE]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let bob = Proof::User(server.user_ref("bob"));
    assert!(server.complete(flows, &session, "m.login.sso", bob).is_err());
    let state = server.change_password(ALICE, change(poll(&session)));
    assert_eq!(state.completed(), &json!([]), "the stage has not passed");
}

#[test]
fn lesson_10_a_mere_probe_never_deactivates() {
    let mut server = Server::new();
    server.rules.recent_auth = Millis::from_secs(3_600);
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200", "authenticated just now");
    for probe in [json!({}), json!({"auth": {}}), json!({"auth": null}), json!({"erase": true})] {
        assert_eq!(server.deactivate(ALICE, probe).says(), "401");
    }
    assert_eq!(server.users["alice"].status.life, Life::Active);
    let rules = server.rules.clone();
    let guard = matrix_uia::Guard::new(server.policies.deactivate, &rules);
    assert!(guard.recent(server.user_ref("alice"), server.timestamp(), server.timestamp()).is_none());
}

#[test]
fn lesson_11_a_finished_session_never_yields_a_second_grant() {
    let mut server = Server::new();
    let parameters = json!({"username": "carol", "password": "carol-secret"});
    let session = server.register(parameters).session().to_owned();
    let body = carol(stage("m.login.dummy", &session));
    assert_eq!(server.register(body.clone()).says(), "200");
    let mut other = body.clone();
    other["device_id"] = "SECOND".into();
    assert_eq!(server.register(other).says(), "401 M_UNKNOWN", "a second device is another request");
    for _ in 0..3 {
        assert_eq!(server.register(body.clone()).says(), "200");
        assert_eq!(server.devices("carol").len(), 1, "one live access token");
    }
    assert_eq!(server.grants, 1);
}

#[test]
fn lesson_12_one_of_two_concurrent_registrations_claims_the_session() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.recaptcha"]], None);
    let session = server.register(carol(Value::Null)).session().to_owned();
    let body = carol(json!({"type": "m.login.recaptcha", "response": "human", "session": session}));
    let racing = body.clone();
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.register(racing).says(), "200");
    }));
    let answer = server.register(body);
    assert_eq!(answer.says(), "200", "the result, and not M_USER_IN_USE");
    assert_eq!((server.grants, server.journal.as_slice()), (1, ["create carol".to_owned()].as_slice()));
}

#[test]
fn lesson_14_a_session_id_is_made_of_the_hosts_entropy() {
    const { assert!(SessionId::ENTROPY * 8 >= 128) };
    let (one, two) = (SessionId::from_entropy([1; 24]), SessionId::from_entropy([2; 24]));
    assert_ne!(one.expose(), two.expose());
    assert_eq!(one.as_bytes(), &[1; 24], "all of it, and nothing else");
    assert_eq!(SessionId::parse(Text::new(&one.expose())), Some(one));
}

#[test]
fn lesson_15_a_session_survives_a_restart_and_an_unknown_one_is_not_accepted() {
    // The test server keeps nothing but text between two requests.
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let stored = server.sessions.clone();
    let mut worker = with_flows(&[&["m.login.password", CODE]]);
    worker.sessions = stored;
    worker.next_verdict(passed());
    assert_eq!(worker.change_password(ALICE, change(stage(CODE, &session))).says(), "200");

    let mut stranger = with_flows(&[&["m.login.password", CODE]]);
    let answer = stranger.change_password(ALICE, change(stage(CODE, &session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(stranger.asked, 0);
}

#[test]
fn lesson_15_a_session_of_another_version_or_with_a_stage_twice_is_not_read() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let stored: Value = serde_json::to_value(server.session(&session)).unwrap();
    let read = |value: &Value| serde_json::from_value::<Session>(value.clone()).is_ok();
    assert!(read(&stored));
    let with = |key: &str, value: Value| {
        let mut changed = stored.clone();
        changed[key] = value;
        changed
    };
    let passed = stored["passed"][0].clone();
    assert!(!read(&with("version", json!(2))));
    assert!(!read(&with("version", Value::Null)));
    assert!(!read(&with("unknown", json!(1))));
    assert!(!read(&with("passed", json!([passed, passed]))));
    assert!(!read(&with("passed", vec![passed; 9].into())));
}

#[test]
fn lesson_16_a_session_ends_for_certain() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let ends = server.session(&session).ends(&server.rules);
    for _ in 0..5 {
        server.change_password(ALICE, change(password_auth(Some(&session), "alice", "wrong")));
    }
    assert_eq!(server.session(&session).ends(&server.rules), ends, "nothing prolongs it");
    server.now = ends.as_millis();
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
    assert!(!server.sessions.contains_key(&SessionId::parse(Text::new(&session)).unwrap()));
}

#[test]
fn lesson_17_every_string_has_a_bound() {
    let creds = |key: &str, length: usize| {
        let mut creds = json!({"sid": "1", "client_secret": "s"});
        creds[key] = "x".repeat(length).into();
        json!({"type": "m.login.email.identity", "threepid_creds": creds})
    };
    let captcha = |length: usize| json!({"type": "m.login.recaptcha", "response": "x".repeat(length)});
    let user =
        |length: usize| json!({"type": "m.login.password", "user": "x".repeat(length), "password": "p"});
    let password =
        |length: usize| json!({"type": "m.login.password", "user": "u", "password": "x".repeat(length)});
    let token = |length: usize| json!({"type": "m.login.registration_token", "token": "x".repeat(length)});
    let read = |auth: Value| {
        matches!(Auth::parse(auth.to_string().as_bytes()), Ok(Auth::Attempt { data: Ok(_), .. }))
    };
    for key in ["sid", "client_secret", "id_server"] {
        assert!(read(creds(key, 255)) && !read(creds(key, 256)) && !read(creds(key, 0)), "{key}");
    }
    assert!(read(creds("id_access_token", 1_024)) && !read(creds("id_access_token", 1_025)));
    assert!(read(captcha(8_192)) && !read(captcha(8_193)) && !read(captcha(0)));
    assert!(read(user(255)) && !read(user(256)) && !read(user(0)));
    assert!(read(password(512)) && !read(password(513)) && !read(password(0)));
    assert!(read(token(64)) && !read(token(65)) && !read(token(0)));
}

#[test]
fn lesson_18_auth_null_is_a_challenge() {
    let mut server = Server::new();
    let answer = server.change_password(ALICE, json!({"auth": null}));
    assert_eq!((answer.says().as_str(), answer.keys()), ("401", vec!["flows", "params", "session"]));
    assert_eq!(server.deactivate(ALICE, json!({"auth": null, "erase": null})).says(), "401");
    assert_eq!(server.register(json!({"auth": null, "username": null})).says(), "401");
    assert_eq!(server.delete_device("alice-token", "PHONE", r#"{"auth":null}"#).says(), "401");
    assert_eq!(server.delete_devices("alice-token", json!({"auth": null, "devices": null})).says(), "401");
}

#[test]
fn lesson_19_a_wrong_password_is_a_401_with_the_whole_state() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let answer = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    assert_eq!(answer.says(), "401 M_FORBIDDEN");
    assert_eq!(answer.keys(), ["completed", "errcode", "error", "flows", "params", "session"]);
}

#[test]
fn lesson_20_completed_is_absent_or_an_array() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let first = server.change_password(ALICE, change(Value::Null));
    assert_eq!(first.body.get("completed"), None);
    let session = first.session().to_owned();
    for auth in [poll(&session), stage("x", &session), stage(CODE, "unknown"), alice(Some(&session))] {
        assert!(server.change_password(ALICE, change(auth)).completed().is_array());
    }
    for body in [r#"{"flows":[]}"#, r#"{"flows":[],"completed":null}"#, r#"{"flows":[],"completed":[]}"#] {
        let read = ChallengeBody::parse(body.as_bytes()).unwrap();
        assert_eq!(read.completed().count(), 0, "and all three are read: {body}");
        assert!(read.has_flows());
    }
}

#[test]
fn lesson_21_failures_are_counted_on_every_path() {
    // With and without a token, with and without a session of its own, known and unknown
    // users, refused with 401 and with 403.
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.password"]], None);
    let unknown = |session: &str| json!({"type": "m.login.password", "medium": "email", "address": "x@example.org", "password": "x", "session": session});
    for token in [ALICE, None] {
        let session = server.change_password(token, change(Value::Null)).session().to_owned();
        for (count, auth) in [
            (1, password_auth(Some(&session), "alice", "wrong")),
            (2, password_auth(Some(&session), "nobody", "wrong")),
            (3, unknown(&session)),
        ] {
            server.change_password(token, change(auth));
            assert_eq!(server.session(&session).failures(), count);
        }
    }
    let one_shot = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    assert_eq!(server.session(one_shot.session()).failures(), 1);
}

#[test]
fn lesson_22_absent_and_unknown_are_two_things() {
    let mut server = Server::new();
    let absent = server.change_password(ALICE, change(alice(None)));
    assert_eq!(absent.says(), "200");
    let body = json!({"new_password": "another-one", "auth": password_auth(Some("expired"), "alice", "looking-glass")});
    assert_eq!(server.change_password(ALICE, body).says(), "401 M_UNKNOWN");
    assert_eq!(server.asked, 1, "an expired session is not none");
}

fn token_server(limit: usize) -> Server {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    server.add_token("fBVFdqVE", limit);
    server
}

fn token(session: Option<&str>) -> Value {
    json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": session})
}

#[test]
fn lesson_23_a_token_is_spent_by_a_registration_that_succeeds_and_by_none_other() {
    let mut server = token_server(1);
    let session = server.register(carol(token(None))).session().to_owned();
    server.call_fails = Some(Reject::unavailable());
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "503 M_UNKNOWN");
    let kept = |server: &Server| (server.tokens["fBVFdqVE"].pending, server.tokens["fBVFdqVE"].uses);
    assert_eq!(kept(&server), (1, 0), "still reserved: the session is complete");
    server.pass_time(server.rules.session_lifetime);
    server.register(carol(poll(&session)));
    assert_eq!(kept(&server), (0, 0), "released on expiry");

    let session = server.register(carol(token(None))).session().to_owned();
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
    assert_eq!(kept(&server), (0, 1));
    assert_eq!(server.session(&session).proofs().count(), 0, "a spent reservation isn't given back");
}

#[test]
fn lesson_23_a_reservation_that_lost_its_race_is_given_back() {
    // Both requests reserve; one stage passes; the call fails, or succeeds.
    for fails in [true, false] {
        let mut server = token_server(2);
        server.policies.register = policy(&[&["m.login.registration_token"]], None);
        let session = server.register(carol(Value::Null)).session().to_owned();
        let body = carol(token(Some(&session)));
        let racing = body.clone();
        server.add_token("other", 1);
        server.meanwhile = Some(Box::new(move |server| {
            if fails {
                server.call_fails = Some(Reject::unavailable());
            }
            // The other request reserves under a number of its own.
            let number = server.tokens["other"].number;
            server.tokens.get_mut("other").unwrap().pending = 1;
            server.next_verdict(Verdict::Passed(Proof::Token(matrix_uia::operation::Reference::new(number))));
            server.register(racing);
        }));
        assert_eq!(server.register(body).says(), "200");
        assert_eq!(server.tokens["fBVFdqVE"].pending, 0, "given back, though the call went ahead: {fails}");
        assert_eq!(server.tokens["fBVFdqVE"].uses, 0);
        assert_eq!((server.tokens["other"].pending, server.tokens["other"].uses), (0, 1));
    }
}

#[test]
fn lesson_23_a_reservation_both_racers_share_is_not_given_back() {
    // A host that reserves by session gives both requests the one reservation.
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity", "m.login.dummy"]], None);
    server.add_validation("sid1", "secret", true);
    let session = server.register(carol(Value::Null)).session().to_owned();
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let body = carol(json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session}));
    let racing = body.clone();
    server.meanwhile = Some(Box::new(move |server| {
        server.register(racing);
    }));
    assert_eq!(server.register(body).completed(), &json!(["m.login.email.identity"]));
    assert_eq!(server.asked, 2);
    let claimed = server.validations["sid1"].claimed_by;
    assert_eq!(
        claimed,
        SessionId::parse(Text::new(&session)),
        "the session still holds what it was passed with"
    );
}

#[test]
fn lesson_24_reserving_is_one_act_of_the_host() {
    let mut server = token_server(1);
    let racing = carol(token(None));
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.register(racing).says(), "401 M_UNAUTHORIZED", "the one use is pending");
    }));
    assert_eq!(server.register(carol(token(None))).says(), "401");
    assert_eq!(server.tokens["fBVFdqVE"].pending, 1);
}

#[test]
fn lesson_25_a_validated_address_is_claimed_by_one_session() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity", CODE]], None);
    server.add_validation("sid1", "secret", true);
    let auth = |session: Option<&str>| {
        let creds = json!({"sid": "sid1", "client_secret": "secret"});
        json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session})
    };
    let first = server.register(carol(auth(None))).session().to_owned();
    assert_eq!(server.register(carol(auth(None))).says(), "401 M_THREEPID_AUTH_FAILED");
    // The first keeps its proof, poll after poll.
    for again in [poll(&first), auth(Some(&first)), poll(&first)] {
        assert_eq!(server.register(carol(again)).completed(), &json!(["m.login.email.identity"]));
    }
    assert_eq!(server.asked, 2);
}

#[test]
fn lesson_28_a_session_has_no_field_that_could_hold_a_password() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let id = SessionId::parse(Text::new(&session)).unwrap();
    let stored = server.sessions[&id].clone();
    for secret in ["looking-glass", "wonderland", "alice"] {
        assert!(!stored.contains(secret), "{stored}");
    }
    assert!(!stored.contains(session.as_str()), "nor its own name");
}

#[test]
fn lesson_30_a_reset_racing_a_deactivation_revives_nothing() {
    let mut server = Server::new();
    server.add_validation_of("alice", "sid1", "secret", true);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let reset = change(json!({"type": "m.login.email.identity", "threepid_creds": creds}));
    server.meanwhile = Some(Box::new(|server| {
        // Fenced, and crashed there: the address is still bound.
        let (progress, _) = server.begin_deactivation(ALICE, json!({"auth": alice(None)})).unwrap();
        server.carry_out_one(&progress, Effect::Fence);
    }));
    assert_eq!(server.change_password(None, reset).says(), "403 M_USER_DEACTIVATED");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    assert_eq!(server.users["alice"].status.life, Life::Deactivating);
}

#[test]
fn lesson_30_a_session_of_an_earlier_epoch_is_over() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.user("alice").epoch += 1;
    let answer = server.change_password(ALICE, change(stage(CODE, &session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(server.asked, 1);
}

#[test]
fn lesson_30_a_password_replaced_while_it_is_verified_proves_nothing() {
    for flow in [&["m.login.password"][..], &["m.login.password", CODE]] {
        for begun in [false, true] {
            let mut server = with_flows(&[flow]);
            let session = begun.then(|| server.begin(ALICE));
            server.meanwhile = Some(Box::new(|server| server.user("alice").epoch += 1));
            let answer = server.change_password(ALICE, change(alice(session.as_deref())));
            assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
            assert_ne!(Some(answer.session()), session.as_deref());
        }
    }
}

#[test]
fn lesson_31_a_login_answers_every_name_alike() {
    let known = login::decide(Some(AccountStatus::default()), false, true);
    let gone = AccountStatus::default().on(Event::Fence).unwrap();
    let locked = AccountStatus::default().on(Event::Lock).unwrap();
    for other in [None, Some(gone), Some(locked)] {
        assert_eq!(login::decide(other, false, true), known);
    }
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.password"]], None);
    let says = |server: &mut Server, user: &str| {
        let mut answer = server.change_password(None, change(password_auth(None, user, "wrong")));
        answer.body["session"] = Value::Null;
        answer
    };
    assert_eq!(says(&mut server, "alice"), says(&mut server, "nobody"));
    assert_eq!(server.asked, 2, "the same work for both");
}

#[test]
fn lesson_34_a_completion_from_outside_keeps_the_order() {
    let mut server = with_flows(&[&["m.login.password", "m.login.sso"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let proof = Proof::User(server.user_ref("alice"));
    assert!(server.complete(flows, &session, "m.login.sso", proof).is_err());
    assert_eq!(server.change_password(ALICE, change(poll(&session))).completed(), &json!([]));
}

#[test]
fn lesson_35_no_password_of_an_account_without_one_is_right() {
    let mut server = Server::new();
    server.user("alice").hash = None;
    for guess in ["", "hash of ", "*", "!", "null", "None"] {
        let answer = server.change_password(ALICE, change(password_auth(None, "alice", guess)));
        assert_eq!(answer.status, 401, "{guess}");
    }
    // And a stage that is about a user takes no answer that names none.
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "403 M_FORBIDDEN");
    assert!(server.journal.is_empty());
}

#[test]
fn lesson_36_who_read_the_old_terms_did_not_accept_the_new() {
    let terms =
        |version: &str| format!(r#"{{"m.login.terms":{{"policies":{{"tos":{{"version":"{version}"}}}}}}}}"#);
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("1")));
    let session = server.register(carol(Value::Null)).session().to_owned();
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("2")));
    let answer = server.register(carol(stage("m.login.terms", &session)));
    assert_eq!((answer.status, answer.completed()), (401, &json!([])));
    assert_eq!(answer.body["params"]["m.login.terms"]["policies"]["tos"]["version"], "2");
}

#[test]
fn lesson_44_one_gate_for_every_way_in() {
    let fenced = AccountStatus::default().on(Event::Fence).unwrap();
    for status in [fenced, fenced.on(Event::Finish).unwrap()] {
        for action in Action::ALL {
            assert!(status.gate(*action).is_err(), "{action:?}");
        }
        assert!(login::decide(Some(status), true, false).is_err());
    }
    // And it is asked again when a grant is redeemed.
    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.password"]], None));
    server.meanwhile = Some(Box::new(|server| {
        server.user("alice").status = AccountStatus::default().on(Event::Fence).unwrap();
    }));
    let answer = server.deactivate(None, json!({"auth": alice(None)}));
    assert_eq!(answer.says(), "403 M_USER_DEACTIVATED");
}

#[test]
fn lesson_45_a_dead_identity_server_blocks_nothing() {
    let mut server = Server::new();
    let (begun, _receipt) = server.begin_deactivation(ALICE, json!({"auth": alice(None)})).unwrap();
    server.carry_out_one(&begun, Effect::Fence);
    let mut progress = begun.done();
    assert_eq!(progress.effect(), Some(Effect::UnbindThreepids));
    // The process dies while the identity server doesn't answer.
    let stored = serde_json::to_string(&progress).unwrap();
    progress = serde_json::from_str::<Deactivation>(&stored).unwrap().unbound(false);
    let result = server.carry_out(progress);
    assert_eq!(result, json!({"id_server_unbind_result": "no-support"}));
    assert_eq!(server.journal.last().map(String::as_str), Some("MarkDeactivated"));
}

#[test]
fn lesson_46_every_deactivation_answers_the_result_of_unbinding() {
    for erase in [true, false] {
        let mut server = Server::new();
        let answer = server.deactivate(ALICE, json!({"erase": erase, "auth": alice(None)}));
        assert_eq!(answer.keys(), ["id_server_unbind_result"]);
    }
}

#[test]
fn lesson_47_pending_validations_end_with_the_account() {
    // Ending them belongs to the effect that frees the addresses, after the fence.
    let mut server = Server::new();
    server.deactivate(ALICE, json!({"auth": alice(None)}));
    let at = |effect: &str| server.journal.iter().position(|it| it == effect).unwrap();
    assert!(at("Fence") < at("RemoveThreepids"), "so that none can be begun again");
}

#[test]
fn lesson_48_every_name_of_the_spec_is_read_and_written_alike() {
    let names = [
        "m.login.password",
        "m.login.recaptcha",
        "m.login.sso",
        "m.login.email.identity",
        "m.login.msisdn",
        "m.login.dummy",
        "m.login.registration_token",
        "m.login.terms",
        "m.oauth",
    ];
    assert_eq!(AuthType::KNOWN.len(), names.len());
    for (name, known) in names.into_iter().zip(AuthType::KNOWN) {
        assert_eq!(AuthType::from(name), *known, "{name}");
        assert_eq!(known.name(), name);
    }
    for wrong in ["m.registration_token", "m.login.oauth", "M.LOGIN.DUMMY", "m.login.dummy "] {
        assert!(matches!(AuthType::from(wrong), AuthType::Custom(_)), "{wrong}");
    }
}

#[test]
fn lesson_49_no_credential_is_in_what_is_logged() {
    let body = change(password_auth(Some("session-name"), "alice", "hunter2")).to_string();
    let request = matrix_uia::password::ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let shown = format!("{request:?} {request:#?}");
    for secret in ["hunter2", "session-name", "looking-glass"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn lesson_50_every_session_in_a_401_can_be_continued() {
    let mut server = Server::new();
    let failed = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    let retried = server.change_password(ALICE, change(alice(Some(failed.session()))));
    assert_eq!(retried.says(), "200");

    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let mut answers: Vec<Answer> = Vec::new();
    for auth in
        [Value::Null, json!({}), stage("x", "unknown"), alice(None), stage(CODE, ""), json!({"type": "x"})]
    {
        answers.push(server.change_password(ALICE, change(auth)));
    }
    for answer in answers {
        let next = server.change_password(ALICE, change(poll(answer.session())));
        assert_eq!((next.says().as_str(), next.session()), ("401", answer.session()));
    }
}

#[test]
fn lesson_51_a_deactivated_account_is_not_revived_by_a_reset() {
    let mut server = Server::new();
    let number = server.add_validation_of("alice", "sid1", "secret", true);
    server.deactivate(ALICE, json!({"auth": alice(None)}));
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let reset = change(json!({"type": "m.login.email.identity", "threepid_creds": creds}));
    assert_eq!(server.change_password(None, reset.clone()).says(), "404 M_THREEPID_NOT_FOUND");
    // Were the address still bound, the status is read at redeeming.
    server.user("alice").threepids.push(number);
    server.give_back(Some(Proof::Threepid(matrix_uia::operation::Reference::new(number))));
    assert_eq!(server.change_password(None, reset).says(), "403 M_USER_DEACTIVATED");
    assert_eq!(server.users["alice"].hash, None);
}

#[test]
fn lesson_52_erase_true_is_never_dropped() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": true})).session().to_owned();
    let stored = (server.sessions.clone(), server.kept.clone());
    // After a restart the parameters are there, or the call is refused.
    for (kept, says) in [(true, "200"), (false, "400 M_MISSING_PARAM")] {
        let mut restarted = Server::new();
        restarted.sessions = stored.0.clone();
        if kept {
            restarted.kept = stored.1.clone();
        }
        let answer = restarted.deactivate(ALICE, json!({"auth": alice(Some(&session))}));
        assert_eq!(answer.says(), says);
        assert_eq!(restarted.users["alice"].status.erased, kept);
    }
}

#[test]
fn lesson_53_a_stage_of_no_offered_flow_reserves_nothing() {
    let mut server = Server::new();
    server.add_token("fBVFdqVE", 1);
    for answer in [
        server.change_password(ALICE, change(token(None))),
        server.deactivate(ALICE, json!({"auth": token(None)})),
        server.register(carol(token(None))),
        server.delete_devices("alice-token", json!({"auth": token(None)})),
    ] {
        assert_eq!(answer.says(), "401 M_INVALID_PARAM");
    }
    assert_eq!((server.asked, server.tokens["fBVFdqVE"].pending), (0, 0));
}

#[test]
fn lesson_54_every_parser_is_total() {
    for body in [
        &b""[..],
        b"{}",
        b"null",
        b"[",
        b"{\"type\":null}",
        b"{\"auth\":{}}",
        b"\"",
        b"\xff",
        b"{\"type\":{}}",
    ] {
        let _ = LoginRequest::parse(body);
        let _ = matrix_uia::password::ChangePasswordRequest::parse(body);
        let _ = matrix_uia::deactivation::DeactivateRequest::parse(body);
        let _ = matrix_uia::registration::RegisterRequest::parse(body);
        let _ = matrix_uia::devices::DeleteDevicesRequest::parse(body);
        let _ = (Auth::parse(body), ChallengeBody::parse(body), ErrorBody::parse(body));
    }
    assert_eq!(LoginRequest::parse(b"{}").unwrap_err().code(), ErrorCode::MissingParam);
}

#[test]
fn lesson_55_the_code_survives_whatever_else_is_wrong() {
    for body in [
        r#"{"errcode":"M_LIMIT_EXCEEDED"}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","error":null,"retry_after_ms":"soon"}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","error":7,"retry_after_ms":-1}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","soft_logout":"yes","admin_contact":{}}"#,
    ] {
        let error = ErrorBody::parse(body.as_bytes()).unwrap();
        assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::LimitExceeded)), "{body}");
        assert_eq!((error.retry_after, error.soft_logout), (None, None), "{body}");
    }
    let body = br#"{"errcode":"M_FORBIDDEN","flows":[{"stages":["m.login.dummy"]}],"completed":null,"params":null,"session":"s"}"#;
    let challenge = ChallengeBody::parse(body).unwrap();
    assert_eq!(challenge.code, Some(AnyCode::Known(ErrorCode::Forbidden)));
    assert_eq!((challenge.flows().count(), challenge.completed().count()), (1, 0));
    assert!(challenge.session.is_some() && challenge.message.is_none() && challenge.params().is_none());
    // And what is written has both.
    let mut written = String::new();
    challenge.write(&mut written).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["error"], "");
}

#[test]
fn lesson_56_absent_is_absent() {
    let mut server = Server::new();
    let mut auth = alice(None);
    auth["session"] = Value::Null;
    let body = json!({"new_password": "looking-glass", "logout_devices": null, "auth": auth});
    assert_eq!(server.change_password(ALICE, body).says(), "200");
    let body = json!({
        "username": "carol", "password": "carol-secret", "device_id": null, "initial_device_display_name": null,
        "inhibit_login": null, "refresh_token": null, "auth": {"type": "m.login.dummy", "session": null},
    });
    assert_eq!(server.register(body).says(), "200");
    // What is absent is not written either.
    let read = Auth::parse(br#"{"type":"m.login.dummy","session":null}"#).unwrap();
    let mut written = String::new();
    read.write(&mut written).unwrap();
    assert_eq!(written, r#"{"type":"m.login.dummy"}"#);
}

#[test]
fn lesson_57_a_body_of_only_the_session_is_enough() {
    let mut server = with_flows(&[&["m.login.sso"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let proof = Proof::User(server.user_ref("alice"));
    server.complete(flows, &session, "m.login.sso", proof).unwrap();
    assert_eq!(server.change_password(ALICE, json!({"auth": {"session": session}})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));
}

#[test]
fn lesson_58_debug_of_a_request_shows_none_of_its_secrets() {
    let creds = json!({"sid": "1", "client_secret": "marked1", "id_access_token": "marked2"});
    let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": "marked3"});
    let body = json!({"password": "marked4", "username": "carol", "auth": auth}).to_string();
    let request = matrix_uia::registration::RegisterRequest::parse(body.as_bytes()).unwrap();
    assert!(!format!("{request:?}").contains("marked"), "{request:?}");
    assert!(format!("{request:?}").contains("carol"), "what is no secret is shown");
}

#[test]
fn lesson_59_the_result_of_unbinding_follows_from_what_was_reported() {
    let result = |all: bool| {
        let mut server = Server::new();
        let (begun, _receipt) = server.begin_deactivation(ALICE, json!({"auth": alice(None)})).unwrap();
        server.carry_out_one(&begun, Effect::Fence);
        let progress = begun.done().unbound(all);
        server.carry_out(progress)["id_server_unbind_result"].as_str().unwrap().to_owned()
    };
    assert_eq!((result(true).as_str(), result(false).as_str()), ("success", "no-support"));
}

#[test]
fn lesson_62_the_result_is_there_for_who_holds_the_session() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.email.identity"]], None);
    server.add_validation_of("alice", "sid1", "secret", false);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let waiting = server
        .change_password(None, change(json!({"type": "m.login.email.identity", "threepid_creds": creds})));
    server.validate("sid1");
    // One client polls it to the end, and the other, which waited too, still learns of it.
    let done = server.change_password(None, json!({"auth": poll(waiting.session())}));
    assert_eq!(done.says(), "200");
    assert_eq!(server.change_password(None, json!({"auth": poll(waiting.session())})), done);
}

#[test]
fn lesson_63_boundaries_are_where_they_should_be() {
    for (limit, attempts, says) in [
        (0, 0, "429 M_LIMIT_EXCEEDED"),
        (1, 0, "200"),
        (1, 1, "429 M_LIMIT_EXCEEDED"),
        (3, 2, "200"),
        (3, 3, "429 M_LIMIT_EXCEEDED"),
    ] {
        let mut server = Server::new();
        server.rules.max_failed_attempts = limit;
        let session = server.begin(ALICE);
        for _ in 0..attempts {
            server.next_verdict(Verdict::Failed(Failure::Credentials));
            server.change_password(ALICE, change(alice(Some(&session))));
        }
        assert_eq!(
            server.change_password(ALICE, change(alice(Some(&session)))).says(),
            says,
            "{limit} {attempts}"
        );
    }
    for (limit, uses, says) in
        [(0, 0, "401 M_UNAUTHORIZED"), (1, 0, "401"), (1, 1, "401 M_UNAUTHORIZED"), (2, 1, "401")]
    {
        let mut server = token_server(limit);
        server.tokens.get_mut("fBVFdqVE").unwrap().uses = uses;
        assert_eq!(server.register(carol(token(None))).says(), says);
    }
}

#[test]
fn lesson_64_an_empty_or_endless_password_reaches_no_host() {
    let mut server = Server::new();
    for (password, says) in [
        (0, "401 M_INVALID_PARAM"),
        (1, "401 M_FORBIDDEN"),
        (512, "401 M_FORBIDDEN"),
        (513, "401 M_INVALID_PARAM"),
    ] {
        let auth = password_auth(None, "alice", &"x".repeat(password));
        assert_eq!(server.change_password(ALICE, change(auth)).says(), says, "{password}");
    }
    assert_eq!(server.asked, 2);
    for (length, ok) in [(0, false), (512, true), (513, false)] {
        let body =
            json!({"type": "m.login.password", "user": "alice", "password": "x".repeat(length)}).to_string();
        assert_eq!(LoginRequest::parse(body.as_bytes()).is_ok(), ok, "{length}");
    }
}

#[test]
fn lesson_65_a_name_in_use_is_told_before_anything_is_asked() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity"]], None);
    let body = json!({"username": "alice", "password": "another-alice"});
    assert_eq!(server.register(body).says(), "400 M_USER_IN_USE");
    assert!(server.sessions.is_empty());
    assert_eq!(Localpart::in_use().status(), 400);
}

#[test]
fn lesson_66_a_session_only_request_completes_nothing() {
    let mut server = with_flows(&[&["m.login.dummy", CODE]]);
    let session = server.begin(ALICE);
    let before = server.session(&session);
    for _ in 0..3 {
        let answer = server.change_password(ALICE, change(poll(&session)));
        assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!([])), "not even a dummy");
    }
    assert_eq!((server.session(&session), server.asked), (before, 0));
}

#[test]
fn lesson_67_a_failed_stage_drops_nothing() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(Value::Null)).session().to_owned();
    let auth_only = |auth: Value| json!({"auth": auth});
    server.change_password(ALICE, auth_only(password_auth(Some(&session), "alice", "wrong")));
    server.change_password(ALICE, auth_only(alice(Some(&session))));
    server.next_verdict(Verdict::Failed(Failure::Other));
    let failed = server.change_password(ALICE, auth_only(stage(CODE, &session)));
    assert_eq!(failed.completed(), &json!(["m.login.password"]));
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, auth_only(stage(CODE, &session))).says(), "200");
    assert_eq!(
        server.users["alice"].hash.as_deref(),
        Some("hash of looking-glass"),
        "kept from the first request"
    );
}

#[test]
fn lesson_14_two_sessions_of_one_second_have_nothing_in_common() {
    // Names come from the host's bytes alone: neither the time nor the user is in them.
    let mut server = Server::new();
    let one = server.begin(ALICE);
    assert_eq!(one, id(1).expose().as_str());
}
