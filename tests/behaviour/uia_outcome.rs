//! Rules U14 to U18: the grant, its resend, races, lifetimes, limits.

use matrix_uia::server::call::Call;
use matrix_uia::server::drive::Recalled;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::{
    AddThreepid, ChangePassword, Deactivate, DeleteDevice, DeleteDevices, GetLoginToken, Operation, Register,
    Replayable, UploadSigningKeys,
};
use matrix_uia::server::question::LimitKey;
use matrix_uia::server::reference::Reference;
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::Auth;
use matrix_uia::{Flows, MatrixError, Millis, Rules, Session, Timestamp};
use serde_json::{Value, json};

use crate::support::{Own, Server, mode, password_auth, policy, poll, stage};

const ALICE: Option<&str> = Some("alice-token");
const CODE: &str = "org.example.code";

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

fn alice(session: &str) -> Value {
    password_auth(Some(session), "alice", "wonderland")
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u14_a_failed_call_leaves_the_session_complete() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.call_fails = Some(MatrixError::unavailable());
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "503 M_UNKNOWN");
    assert!(!server.session(&session).is_claimed());
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
    assert_eq!((server.asked, server.journal.len()), (1, 3));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u14_a_succeeded_call_is_never_carried_out_again() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let body = change(alice(&session));
    let first = server.change_password(ALICE, body.clone());
    let done = server.journal.clone();
    assert_eq!((first.status, &first.body), (200, &json!({})));
    // The answer was lost: every way of asking again gets it.
    for again in [body, change(poll(&session)), json!({"auth": poll(&session)})] {
        assert_eq!(server.change_password(ALICE, again), first);
    }
    assert_eq!((server.asked, server.grants), (1, 1));
    assert_eq!(server.journal, done);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u14_the_replay_ends_after_its_time_and_not_before() {
    let mut server = Server::new();
    server.rules.replay_for = Millis::new(5_000);
    let session = server.begin(ALICE);
    let body = change(alice(&session));
    server.pass_time(Millis::from_secs(60));
    server.change_password(ALICE, body.clone());
    server.pass_time(Millis::new(4_999));
    assert_eq!(server.change_password(ALICE, body.clone()).says(), "200");
    server.pass_time(Millis::new(1));
    assert_eq!(server.change_password(ALICE, body).says(), "401 M_UNKNOWN");
    assert_eq!(server.grants, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u14_another_request_with_a_consumed_session_is_unknown() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.change_password(ALICE, change(alice(&session)));
    let other = json!({"new_password": "another-one", "auth": poll(&session)});
    assert_eq!(server.change_password(ALICE, other).says(), "401 M_UNKNOWN");
    assert_eq!(server.deactivate(ALICE, json!({"auth": poll(&session)})).says(), "401 M_UNKNOWN");
    assert_eq!(server.change_password(Some("bob-token"), change(poll(&session))).says(), "401 M_UNKNOWN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn u14_a_registration_is_replayed_only_with_its_parameters() {
    let mut server = Server::new();
    let parameters = json!({"username": "carol", "password": "carol-secret", "device_id": "LAPTOP"});
    let session = server.register(parameters.clone()).session().to_owned();
    let mut body = parameters;
    body["auth"] = stage("m.login.dummy", &session);
    let first = server.register(body.clone());
    assert_eq!(first.says(), "200");

    let again = server.register(body);
    assert_eq!(again.says(), "200", "before the check for a name in use");
    assert_eq!(again.body["user_id"], first.body["user_id"]);
    assert_eq!(again.body["device_id"], "LAPTOP");
    assert_ne!(again.body["access_token"], first.body["access_token"]);
    assert_eq!(server.devices("carol"), ["LAPTOP"], "never two live access tokens");

    // The session's ID alone is no way to a token, nor is half of the parameters.
    assert_eq!(server.register(json!({"auth": poll(&session)})).says(), "401 M_UNKNOWN");
    let half = json!({"device_id": "LAPTOP", "auth": poll(&session)});
    assert_eq!(server.register(half).says(), "401 M_UNKNOWN");
    assert_eq!(server.grants, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn u14_a_registration_refused_for_its_name_may_take_another() {
    let mut server = Server::new();
    let session =
        server.register(json!({"username": "carol", "password": "carol-secret"})).session().to_owned();
    // While the flow is open, another registration takes the name.
    server.add_user("carol", "somebody-else");
    let auth = stage("m.login.dummy", &session);
    let taken = json!({"username": "carol", "password": "carol-secret", "auth": auth});
    assert_eq!(server.register(taken).says(), "400 M_USER_IN_USE");
    let other = json!({"username": "caroline", "password": "carol-secret", "auth": auth});
    assert_eq!(server.register(other.clone()).says(), "200");
    assert_eq!(server.register(other).says(), "200", "and that one is the one replayed");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn u14_a_complete_registration_refused_for_its_parameters_may_change_them() {
    let mut server = Server::new();
    let session =
        server.register(json!({"username": "carol", "password": "carol-secret"})).session().to_owned();
    server.call_fails = Some(matrix_uia::endpoint::register::Localpart::in_use());
    let auth = stage("m.login.dummy", &session);
    let body = json!({"username": "carol", "password": "carol-secret", "auth": auth});
    assert_eq!(server.register(body).says(), "400 M_USER_IN_USE");
    let other = json!({"username": "caroline", "password": "carol-secret", "auth": poll(&session)});
    assert_eq!(server.register(other).says(), "200", "and nothing is authenticated again");
    assert!(server.users.contains_key("caroline"));
}

/// An operation of the host's own, which answers with a token.
#[derive(Debug)]
struct MakeToken;
impl Operation for MakeToken {
    const NAME: &'static str = "org.example.make_token";
    const DESCRIPTION: &'static str = "make a token";
    const REPLAY: Replayable = Replayable::WithParams;
}

fn own<Op: Operation>(server: &mut Server, flows: &'static Flows<'static, Op>, auth: &Value) -> String {
    let auth = auth.to_string();
    let auth = Auth::parse(auth.as_bytes()).unwrap();
    server.own(None, flows, Call::<Op>::new(&auth)).0.says()
}

/// A session of an operation of the host's own, complete but for its last request.
fn own_session<Op: Operation>(server: &mut Server, flows: &'static Flows<'static, Op>) -> String {
    let call = Call::<Op>::new(&Auth::Absent);
    server.own(None, flows, call).0.session().to_owned()
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token
#[test]
fn u14_a_login_token_is_never_replayed() {
    let mut server = Server::new();
    let flows = policy::<GetLoginToken>(&[&["m.login.dummy"]], None);
    let name = own_session(&mut server, flows);
    assert_eq!(own(&mut server, flows, &stage("m.login.dummy", &name)), "200");
    assert_eq!(own(&mut server, flows, &poll(&name)), "401 M_UNKNOWN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u14_a_session_id_alone_is_no_way_to_a_token() {
    let mut server = Server::new();
    let flows = policy::<MakeToken>(&[&["m.login.dummy"]], None);
    let name = own_session(&mut server, flows);
    assert_eq!(own(&mut server, flows, &stage("m.login.dummy", &name)), "200");
    assert_eq!(own(&mut server, flows, &poll(&name)), "401 M_UNKNOWN", "there are no parameters to repeat");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u15_of_two_racing_requests_one_gets_the_grant() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let body = change(alice(&session));
    let racing = body.clone();
    // Verified, and before that is stored the same request comes through whole.
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.change_password(ALICE, racing).says(), "200");
    }));
    let answer = server.change_password(ALICE, body);
    assert_eq!((answer.says().as_str(), &answer.body), ("200", &json!({})), "the redeemed result");
    assert_eq!((server.asked, server.grants), (2, 1));
    assert_eq!(server.journal.iter().filter(|effect| *effect == "SetPassword").count(), 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u15_the_loser_of_a_race_sees_the_resulting_state() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE]], None);
    let session = server.begin(ALICE);
    let body = change(alice(&session));
    let racing = body.clone();
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.change_password(ALICE, racing).says(), "401");
    }));
    let answer = server.change_password(ALICE, body);
    assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!(["m.login.password"])));
    assert_eq!(server.session(&session).proofs().count(), 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u15_a_write_against_an_old_revision_is_turned_down() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let wrong = password_auth(Some(&session), "alice", "wrong");
    let other = change(wrong.clone());
    server.before_write = Some(Box::new(move |server| {
        server.change_password(ALICE, other);
    }));
    assert_eq!(server.change_password(ALICE, change(wrong)).says(), "401 M_FORBIDDEN");
    assert_eq!(server.session(&session).failures(), 2, "neither failure is lost");
    assert_eq!(server.asked, 2, "and nothing was verified twice");
}

/// A password change whose process has died with the claim stored.
fn claimed() -> (Server, String) {
    let mut server = Server::new();
    server.kind = mode(HostKind::CLAIMS);
    server.dies = true;
    let session = server.begin(ALICE);
    let _ = server.change_password(ALICE, change(alice(&session)));
    server.dies = false;
    assert!(server.session(&session).is_claimed());
    (server, session)
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u15_while_a_call_is_carried_out_others_get_the_state() {
    let (mut server, session) = claimed();
    let before = server.session(&session);
    let other = server.change_password(ALICE, change(poll(&session)));
    assert_eq!((other.says(), other.completed()), ("401".to_owned(), &json!(["m.login.password"])));
    assert_eq!(server.session(&session), before, "nothing has changed");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u26_a_claim_lapses_and_the_record_of_its_call_says_what_became_of_it() {
    let just_before = Rules::default().claim_for.get() - 1;
    for (record, says, grants) in [
        (Recalled::NotCarriedOut, "200", 1),
        (Recalled::CarriedOut(Outcome::new(Reference::new(7))), "200", 0),
        (Recalled::Unknown, "401 M_UNKNOWN", 0),
    ] {
        let (mut server, session) = claimed();
        server.outcomes.insert(7, json!({}));
        server.record = record;
        server.pass_time(Millis::new(just_before));
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401", "it is claimed");
        server.pass_time(Millis::new(1));
        let answer = server.change_password(ALICE, change(poll(&session)));
        assert_eq!((answer.says().as_str(), server.grants), (says, grants), "{record:?}");
        assert_eq!(server.asked, 1, "nothing is authenticated again");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u26_a_host_that_claims_first_carries_a_call_out_once() {
    let mut server = Server::new();
    server.kind = mode(HostKind::CLAIMS);
    let session = server.begin(ALICE);
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200", "repeated");
    assert_eq!(server.grants, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_a_challenge_costs_no_hash_and_a_call_one() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let wrong = password_auth(Some(&session), "alice", "wrong");
    assert_eq!(server.change_password(ALICE, change(wrong)).says(), "401 M_FORBIDDEN");
    assert_eq!(server.hashed, 0);
    assert_eq!(server.change_password(ALICE, json!({"auth": alice(&session)})).says(), "200");
    assert_eq!(server.hashed, 1);
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"), "it was kept sealed");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u16_a_session_lives_its_time_from_its_making() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE]], None);
    server.rules.session_lifetime = Millis::new(10_000);
    let session = server.begin(ALICE);
    assert_eq!(server.session(&session).ends(&server.rules), Timestamp::from_millis(server.now + 10_000));
    server.pass_time(Millis::new(9_000));
    // A passed stage doesn't prolong it.
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "401");
    server.pass_time(Millis::new(999));
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401");
    server.pass_time(Millis::new(1));
    let late = server.change_password(ALICE, change(stage(CODE, &session)));
    assert_eq!((late.says(), late.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(server.asked, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u16_a_clock_that_steps_back_neither_kills_nor_revives() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.now -= 60_000;
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401");
    server.now += 60_000;
    server.pass_time(server.rules.session_lifetime);
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u16_a_verdict_that_comes_too_late_is_applied_to_nothing() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let lifetime = server.rules.session_lifetime;
    server.meanwhile = Some(Box::new(move |server| server.pass_time(lifetime)));
    let answer = server.change_password(ALICE, change(alice(&session)));
    assert_eq!(answer.says(), "401 M_UNKNOWN");
    assert_ne!(answer.session(), session);
    assert_eq!(server.grants, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u16_a_session_with_a_passed_stage_is_worth_more() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE]], None);
    let session = server.begin(ALICE);
    assert!(!server.session(&session).has_passed_stage());
    server.change_password(ALICE, change(alice(&session)));
    assert!(server.session(&session).has_passed_stage());
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn u17_the_last_failure_is_answered_like_the_others_and_closes_the_session() {
    let mut server = Server::new();
    server.rules.max_failed_attempts = 3;
    server.rules.session_lifetime = Millis::new(100_000);
    let session = server.begin(ALICE);
    for count in 1..=3 {
        let wrong = password_auth(Some(&session), "alice", "wrong");
        assert_eq!(server.change_password(ALICE, change(wrong)).says(), "401 M_FORBIDDEN");
        assert_eq!(server.session(&session).failures(), count);
    }
    server.pass_time(Millis::new(41_500));
    for auth in [alice(&session), poll(&session), stage("m.login.sso", &session)] {
        let answer = server.change_password(ALICE, change(auth));
        assert_eq!(answer.says(), "429 M_LIMIT_EXCEEDED");
        assert_eq!(answer.body["retry_after_ms"], 58_500, "what is left of its lifetime");
        assert_eq!(answer.retry_after, Some(59));
    }
    assert_eq!(server.asked, 3);
    server.pass_time(Millis::new(58_500));
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "401 M_UNKNOWN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn u17_every_kind_of_failure_counts() {
    for (verdict, counted) in [
        (Verdict::Failed(StageFailure::Credentials), 1),
        (Verdict::Failed(StageFailure::UnknownThreepid), 1),
        (Verdict::Failed(StageFailure::OtherUser), 1),
        (Verdict::Pending(Reference::new(1)), 0),
        (Verdict::Unavailable, 0),
        (Verdict::Limited(Millis::new(1)), 0),
    ] {
        let mut server = Server::new();
        let session = server.begin(ALICE);
        server.next_verdict(verdict);
        server.change_password(ALICE, change(alice(&session)));
        assert_eq!(server.session(&session).failures(), counted, "{verdict:?}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn u17_a_failure_racing_past_the_limit_is_still_refused() {
    let mut server = Server::new();
    server.rules.max_failed_attempts = 1;
    let session = server.begin(ALICE);
    let other = change(password_auth(Some(&session), "alice", "wrong"));
    server.meanwhile = Some(Box::new(move |server| {
        server.change_password(ALICE, other);
    }));
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "429 M_LIMIT_EXCEEDED");
    assert_eq!((server.grants, server.session(&session).failures()), (0, 1));
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn u17_the_hosts_own_limit_verifies_nothing_and_changes_nothing() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let before = server.session(&session);
    server.next_verdict(Verdict::Limited(Millis::new(1_001)));
    let answer = server.change_password(ALICE, change(alice(&session)));
    assert_eq!((answer.says(), answer.retry_after), ("429 M_LIMIT_EXCEEDED".to_owned(), Some(2)));
    assert_eq!(answer.body["retry_after_ms"], 1_001);
    assert_eq!(server.session(&session), before);
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn u17_an_attempt_counts_against_every_key_it_touches() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password"], &["m.login.recaptcha"]], None);
    server.policies.reset = policy(&[&["m.login.password"], &["m.login.recaptcha"]], None);
    let keys = |server: &mut Server, token: Option<&str>, auth: Value| {
        server.change_password(token, change(auth));
        std::mem::take(&mut server.limit_keys)
    };
    let password = |name| password_auth(None, name, "x");
    let captcha = json!({"type": "m.login.recaptcha", "response": "x"});
    let of_token = [format!("{:?}", LimitKey::TokenUser(server.user_ref("alice"))), "Address".to_owned()];
    assert_eq!(keys(&mut server, ALICE, password("alice")), of_token);
    assert_eq!(keys(&mut server, ALICE, password("bob")), of_token, "the asking user's");
    assert_eq!(keys(&mut server, ALICE, captcha.clone()), of_token);
    let named = keys(&mut server, None, password("nobody"));
    assert!(named[0].starts_with("Named(") && named[1] == "Address" && named.len() == 2, "{named:?}");
    assert_eq!(keys(&mut server, None, captcha), ["Address"]);
    assert_eq!(keys(&mut server, None, poll("x")), [""; 0], "a poll is no attempt");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u17_what_the_host_cannot_tell_changes_nothing() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let before = server.session(&session);
    server.next_verdict(Verdict::Unavailable);
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "503 M_UNKNOWN");
    assert_eq!(server.session(&session), before);
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
}

fn recent<Op: Operation>(recent_auth: u64, authenticated: u64, now: u64) -> bool {
    let mut server = Server::new();
    server.now = now;
    server.rules.recent_auth = Millis::new(recent_auth);
    let flows = policy::<Op>(&[&["m.login.password"]], None);
    let account = server.account_named("alice");
    let request = Own(Call::<Op>::new(&Auth::Absent));
    let at = Timestamp::from_millis(authenticated);
    server.serve_recent("alice-token", flows, &request, account, at).status == 200
}

/// https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
#[test]
fn u18_recent_authentication_is_asked_for_by_the_policy() {
    assert!(!recent::<DeleteDevice>(0, 1_000, 1_000), "off by default");
    assert!(recent::<DeleteDevice>(500, 1_000, 1_499));
    assert!(!recent::<DeleteDevice>(500, 1_000, 1_500));
    assert!(!recent::<DeleteDevice>(500, 1_000, 999), "never before it happened");
    assert_eq!(Rules::default().recent_auth, Millis::new(0));
}

/// https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
#[test]
fn u18_never_for_what_cannot_be_undone() {
    assert!(recent::<DeleteDevices>(500, 1_000, 1_000));
    assert!(recent::<UploadSigningKeys>(500, 1_000, 1_000));
    assert!(!recent::<ChangePassword>(500, 1_000, 1_000));
    assert!(!recent::<Deactivate>(500, 1_000, 1_000));
    assert!(!recent::<AddThreepid>(500, 1_000, 1_000));
    assert!(!recent::<Register>(500, 1_000, 1_000));
    assert!(!recent::<GetLoginToken>(500, 1_000, 1_000));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u16_the_value_that_is_stored_is_small() {
    assert!(size_of::<Session>() <= 192);
}
