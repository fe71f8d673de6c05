//! Faults of the engine that a property, the model checker or the test kit found before
//! anybody met them, one test each.

use matrix_uia::server::account::{Caller, Event};
use matrix_uia::server::call::{Call, Param, Params};
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::drive::Recalled;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::{Exempt, Outcome, Refusal};
use matrix_uia::server::operation::{Operation, Register, Replayable};
use matrix_uia::server::reference::Reference;
use matrix_uia::server::respond::Respond;
use matrix_uia::server::rules::BodyBinding;
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::Auth;
use matrix_uia::{Exchange, Incoming, MatrixError, Millis, Rules, Session, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    Handler, ONE_TRANSACTION, Own, Server, flows, id, key, password_auth, policy, poll, stage,
};

const ALICE: Option<&str> = Some("alice-token");
const CODE: &str = "org.example.code";
const TOKEN: &[&[&str]] = &[&["m.login.registration_token"]];

fn alice(session: Option<&str>) -> Value {
    password_auth(session, "alice", "wonderland")
}

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

fn carol(auth: Value) -> Value {
    json!({"username": "carol", "password": "carol-secret", "auth": auth})
}

fn token(session: Option<&str>) -> Value {
    json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": session})
}

/// A server whose registrations take one token of so many uses.
fn token_server(limit: usize) -> Server {
    let mut server = Server::new();
    server.policies.register = policy(TOKEN, None);
    server.add_token("fBVFdqVE", limit);
    server
}

#[test]
fn parameters_that_were_refused_are_kept_for_nobody() {
    let mut server = Server::new();
    let session = server.register(carol(Value::Null)).session().to_owned();
    server.call_fails = Some(matrix_uia::endpoint::register::Localpart::in_use());
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "400 M_USER_IN_USE");
    let other = json!({"username": "caroline", "auth": poll(&session)});
    assert_eq!(server.register(other).says(), "400 M_MISSING_PARAM", "the password went with the name");
    assert!(!server.users.contains_key("caroline"));
    let whole = json!({"username": "caroline", "password": "carol-secret", "auth": poll(&session)});
    assert_eq!(server.register(whole).says(), "200");
}

#[test]
fn who_need_not_authenticate_uses_nothing_of_a_session() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": true})).session().to_owned();
    let body = json!({"auth": poll(&session)}).to_string();
    let request = matrix_uia::endpoint::deactivate::DeactivateRequest::parse(body.as_bytes()).unwrap();
    let request = request.check().unwrap();
    let handler = Handler {
        admit: &mut |_| Ok(Some(Exempt::ApplicationService)),
        perform: &mut |server, plan| {
            let answer = server.carry_out(plan);
            Ok((Outcome::NOTHING, answer))
        },
        repeat: &mut |_, _| Value::Null,
    };
    assert_eq!(server.serve(ALICE, server.policies.deactivate, &request, handler).says(), "200");
    assert!(server.journal.iter().all(|effect| effect != "MarkErased"), "{:?}", server.journal);
}

#[test]
fn a_session_that_begins_keeps_nothing_of_the_one_that_was_named() {
    let mut server = Server::new();
    let before = json!({"new_password": "looking-glass", "logout_devices": false});
    let old = server.change_password(ALICE, before).session().to_owned();
    server.pass_time(server.rules.session_lifetime);
    let again = json!({"new_password": "another-one", "auth": alice(Some(&old))});
    let answer = server.change_password(ALICE, again);
    assert_eq!(answer.says(), "401 M_UNKNOWN");
    assert_eq!(server.change_password(ALICE, json!({"auth": alice(Some(answer.session()))})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of another-one"));
    assert!(server.journal.contains(&"EndDevices(Others)".to_owned()), "{:?}", server.journal);
}

#[test]
fn a_claimed_session_of_an_older_policy_names_only_stages_that_are_offered() {
    let mut server = Server::new();
    (server.kind, server.dies) = (HostKind::CLAIMS, true);
    let session = server.begin(ALICE);
    server.change_password(ALICE, change(alice(Some(&session))));
    assert!(server.session(&session).is_claimed());
    server.policies.change = policy(&[&[CODE]], None);
    let answer = server.change_password(ALICE, change(poll(&session)));
    assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!([])));
}

#[derive(Debug)]
struct MakeToken;
impl Operation for MakeToken {
    const NAME: &'static str = "org.example.make_token";
    const DESCRIPTION: &'static str = "make a token";
    const REPLAY: Replayable = Replayable::WithParams;
}

#[test]
fn a_call_without_parameters_binds_none_however_exact_the_rule() {
    let mut server = Server::new();
    server.rules.body_binding = BodyBinding::Exact;
    let flows = policy::<MakeToken>(&[&["m.login.dummy"]], None);
    let session = server.own(None, flows, Call::new(&Auth::Absent)).0.session().to_owned();
    let mut own = |auth: Value| {
        let auth = auth.to_string();
        server.own(None, flows, Call::new(&Auth::parse(auth.as_bytes()).unwrap())).0.says()
    };
    assert_eq!(own(stage("m.login.dummy", &session)), "200");
    assert_eq!(own(poll(&session)), "401 M_UNKNOWN", "the session's ID alone is no way to its token");
}

#[test]
fn a_session_whose_call_failed_is_read_back_as_it_was_stored() {
    // The test server compares every session that it stores with what is read back.
    for kind in [HostKind::CLAIMS, ONE_TRANSACTION] {
        let mut server = Server::new();
        server.kind = kind;
        let session = server.begin(ALICE);
        server.pass_time(Millis::new(7));
        server.call_fails = Some(MatrixError::unavailable());
        assert_eq!(server.change_password(ALICE, change(alice(Some(&session)))).says(), "503 M_UNKNOWN");
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
    }
}

#[test]
fn a_refusal_without_the_token_changes_no_session_of_the_token() {
    let mut server = Server::new();
    let flows = policy::<MakeToken>(&[&["m.login.password"]], None);
    let name = key().param::<MakeToken>("name").text("a".into());
    let params = Params::new([Param::required(Some(name))]);
    let call = Call::<MakeToken>::new(&Auth::Absent).with_params(params);
    let session = server.own(ALICE, flows, call).0.session().to_owned();
    let before = server.session(&session);
    let named = poll(&session).to_string();
    let named = Auth::parse(named.as_bytes()).unwrap();
    let handler = Handler {
        admit: &mut |_| Err(Refusal::for_params(MatrixError::unavailable())),
        perform: &mut |_, _| Ok((Outcome::NOTHING, Value::Null)),
        repeat: &mut |_, _| Value::Null,
    };
    server.serve(None, flows, &Own(Call::new(&named).with_params(params)), handler);
    assert_eq!(server.session(&session), before, "its parameters are still bound");
}

#[test]
fn who_has_no_token_learns_nothing_of_the_account_of_one() {
    for event in [Event::Lock, Event::Fence] {
        let mut server = Server::new();
        let session = server.begin(ALICE);
        let status = server.user("alice").status;
        server.user("alice").status = status.on(event).unwrap();
        let answer = server.change_password(None, change(poll(&session)));
        assert_eq!(answer.says(), "401 M_UNKNOWN", "as a session that never was: {event:?}");
    }
}

#[test]
fn a_reservation_that_was_given_back_with_the_claim_is_not_given_back_again() {
    let mut server = token_server(2);
    server.kind = HostKind::CLAIMS;
    let session = server.register(carol(Value::Null)).session().to_owned();
    let body = carol(token(Some(&session)));
    let racing = body.clone();
    server.add_token("other", 1);
    server.meanwhile = Some(Box::new(move |server| {
        server.call_fails = Some(MatrixError::unavailable());
        let number = server.tokens["other"].number;
        server.tokens.get_mut("other").unwrap().pending = 1;
        server.next_verdict(Verdict::Passed(Evidence::token(Reference::new(number))));
        server.register(racing);
    }));
    assert_eq!(server.register(body).says(), "200");
    let uses = |name: &str| (server.tokens[name].pending, server.tokens[name].uses);
    assert_eq!((uses("fBVFdqVE"), uses("other")), ((0, 0), (0, 1)));
}

/// Found by the test kit.
#[test]
fn what_became_of_a_claim_is_asked_before_the_name_in_use() {
    let mut server = Server::new();
    server.kind = HostKind::CLAIMS;
    let session = server.register(carol(Value::Null)).session().to_owned();
    let body = carol(stage("m.login.dummy", &session));
    server.dies = true;
    server.register(body.clone());
    // The account was made, and the process died before the claim was ended.
    server.dies = false;
    server.add_user("carol", "carol-secret");
    server.outcomes.insert(7, json!({"name": "carol", "login": null}));
    let outcome = Outcome::new(Reference::new(7)).of_account(server.account_named("carol"));
    server.record = Recalled::CarriedOut(outcome);
    server.pass_time(server.rules.claim_for);
    assert_eq!(server.register(body).says(), "200", "the name is in use by this very call");
}

const NOW: Timestamp = Timestamp::from_millis(1_000);
const RESERVED: Verdict<'static> = Verdict::Passed(Evidence::token(Reference::new(7)));

fn attempt(session: Option<&str>) -> &'static str {
    token(session).to_string().leak()
}

/// Up to the question about a token, with the session that is stored.
fn asked<'w, 'r>(
    exchange: Exchange<'w, 'r, Register>,
    session: Option<&Session>,
    now: Timestamp,
) -> Exchange<'w, 'r, Register> {
    let Exchange::Load(load) = exchange else { panic!("{exchange:?}") };
    match load.found(session, Caller::Nobody, now) {
        Exchange::Admit(admit) => admit.admitted(),
        other => other,
    }
}

/// Found by the test kit: a commit that lost its race undoes what its verdict had reserved.
#[test]
fn a_stage_is_asked_about_again_after_a_lost_commit() {
    let (flows, rules) =
        (flows::<Register>(&[&["m.login.registration_token", "m.login.dummy"]], None), Rules::default());
    let auth = attempt(None);
    let auth = Auth::parse(auth.as_bytes()).unwrap();
    let kind = ONE_TRANSACTION;
    for in_transaction in [true, false] {
        let mut incoming = Incoming::new(&flows, &rules, kind, Call::new(&auth), id(1), NOW);
        let Exchange::Verify(verify) = asked(incoming.exchange(), None, NOW) else {
            panic!("a token is asked about")
        };
        let exchange = match in_transaction {
            true => verify.verdict_in_transaction(RESERVED),
            false => asked(verify.verdict(RESERVED), None, NOW),
        };
        let Exchange::Commit(commit) = exchange else { panic!("{exchange:?}") };
        let next = asked(commit.committed(Committed::Lost), None, NOW);
        let again = matches!(next, Exchange::Verify(_));
        assert_eq!(again, in_transaction, "what was found outside still holds: {next:?}");
    }
}

#[test]
fn a_full_store_still_ends_the_session_that_is_over_and_gives_back_once() {
    let (flows, rules) =
        (flows::<Register>(&[&["m.login.registration_token", "m.login.dummy"]], None), Rules::default());
    let kind = ONE_TRANSACTION;
    // A session that has reserved a use of a token, and has run out.
    let auth = attempt(None);
    let auth = Auth::parse(auth.as_bytes()).unwrap();
    let mut incoming = Incoming::new(&flows, &rules, kind, Call::new(&auth), id(1), NOW);
    let Exchange::Verify(verify) = asked(incoming.exchange(), None, NOW) else {
        panic!("a token is asked about")
    };
    let Exchange::Commit(commit) = asked(verify.verdict(RESERVED), None, NOW) else { panic!("it is stored") };
    let stored = commit.changes().find_map(|change| match change {
        Change::Put(Put { session, .. }) => Some(*session),
        _ => None,
    });
    let late = Timestamp::from_millis(NOW.as_millis() + rules.session_lifetime.get());

    let named = attempt(Some(&id(1).expose()));
    let named = Auth::parse(named.as_bytes()).unwrap();
    let mut incoming = Incoming::new(&flows, &rules, kind, Call::new(&named), id(2), late);
    let exchange = asked(incoming.exchange(), stored.as_ref(), late);
    let Exchange::Commit(commit) = exchange else { panic!("{exchange:?}") };
    let Exchange::Commit(commit) = commit.committed(Committed::Full(Millis::new(500))) else {
        panic!("the old session is still to be ended")
    };
    let changes: Vec<_> = commit.changes().collect();
    let given_back = changes.iter().filter(|change| {
        matches!(change, Change::GiveBack { proof: Proof::Token(token), session } if token.get() == 7 && *session == id(1))
    });
    assert_eq!(given_back.count(), 1, "{changes:?}");
    assert!(changes.iter().any(|change| matches!(change, Change::Remove { id: it, .. } if *it == id(1))));
    assert!(changes.iter().all(|change| !matches!(change, Change::Put(_))), "{changes:?}");
    let Exchange::Respond(Respond::Error(error)) = commit.committed(Committed::Stored) else {
        panic!("the client has to wait")
    };
    assert_eq!((error.status(), error.retry_after_secs()), (429, Some(1)));
}
