//! IDs that no server has made: each is as an unknown one (rule U12).

use matrix_uia::endpoint::login::GetLoginTokenRequest;
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::endpoint::threepid::AddThreepidRequest;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::OperationId;
use matrix_uia::server::sealed::{IdKey, IdKeys, IdKeysError};
use matrix_uia::{Millis, SessionId, Text};
use serde_json::json;

use super::{ALICE, alice, begin, both_kinds, change, server};
use crate::support::{Answer, Handler, Server, policy, poll, stage};

fn is_known(server: &Server, text: &str) -> bool {
    server.kind.session_name(Text::new(text)).is_some()
}

fn is_unknown(server: &mut Server, session: &str) -> bool {
    let answer = server.change_password(ALICE, change(alice(session)));
    let stored = server.sessions.len();
    answer.says() == "401 M_UNKNOWN" && answer.session() != session && stored == 0 && server.asked == 0
}

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[test]
fn no_letter_can_be_another_one() {
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    for at in 0..session.len() {
        for letter in LETTERS.iter().copied().filter(|letter| *letter != session.as_bytes()[at]) {
            let forged = format!("{}{}{}", &session[..at], char::from(letter), &session[at + 1..]);
            assert!(!is_known(&server, &forged), "{at} {letter}");
        }
    }
    let last = if session.ends_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{last}", &session[..session.len() - 1]);
    assert!(is_unknown(&mut server, &forged));
}

#[test]
fn no_letter_can_be_missing_or_added() {
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    for at in 0..session.len() {
        assert!(!is_known(&server, &session[..at]), "{at}");
        assert!(!is_known(&server, &session[at + 1..]), "{at}");
    }
    for more in ["A", "AAAA", "=", &session, " ", "é"] {
        assert!(!is_known(&server, &format!("{session}{more}")), "{more}");
        assert!(!is_known(&server, &format!("{more}{session}")), "{more}");
    }
    assert!(is_unknown(&mut server, &session[..SessionId::LEN]));
    assert!(is_unknown(&mut server, ""));
}

/// The ID alone names no session, not even one that is stored.
#[test]
fn the_id_alone_is_not_the_name() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        server.next_verdict(matrix_uia::server::verdict::Verdict::Failed(
            matrix_uia::server::verdict::StageFailure::Credentials,
        ));
        server.change_password(ALICE, change(alice(&session)));
        assert_eq!(server.sessions.len(), 1);
        let short = &session[..SessionId::LEN];
        assert_eq!(server.change_password(ALICE, change(alice(short))).says(), "401 M_UNKNOWN");
    }
}

/// One session's text is none behind another's ID.
#[test]
fn two_ids_can_not_be_mixed() {
    let mut server = server(HostKind::CLAIMS);
    let (one, other) = (begin(&mut server), begin(&mut server));
    let mixed = format!("{}{}", &one[..SessionId::LEN], &other[SessionId::LEN..]);
    assert!(is_known(&server, &one) && is_known(&server, &other));
    assert!(is_unknown(&mut server, &mixed));
}

#[test]
fn another_spelling_of_the_letters_is_the_same_id() {
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    let escaped: String = session.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
    let body = format!(r#"{{"new_password":"looking-glass","auth":{{"session":"{escaped}"}}}}"#);
    let answer = server.change_password_raw(ALICE, body.as_bytes());
    assert_eq!((answer.says().as_str(), answer.session()), ("401", session.as_str()));
}

#[test]
fn an_id_lives_as_long_as_a_session() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let lifetime = server.rules.session_lifetime;
        server.pass_time(Millis::new(lifetime.get() - 1));
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401");
        server.pass_time(Millis::new(1));
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
    }
}

#[test]
fn an_id_that_was_made_in_the_future_is_over() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        server.now -= 60_001;
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
    }
}

#[test]
fn keys_rotate_with_overlap() {
    static NEXT: IdKeys = IdKeys::new(IdKey::new(2, [0x22; 32]));
    let both = || IdKeys::new(IdKey::new(2, [0x22; 32])).also_opening(IdKey::new(1, [0x11; 32]));
    let keys: &'static IdKeys = Box::leak(Box::new(both().unwrap()));
    let mut server = server(HostKind::CLAIMS);
    let old = begin(&mut server);
    server.kind = HostKind::CLAIMS.with_sealed_ids(keys);
    let new = begin(&mut server);
    assert!(is_known(&server, &old) && is_known(&server, &new));
    assert_eq!(server.change_password(ALICE, change(poll(&old))).session(), old);
    // The old key is left out.
    server.kind = HostKind::CLAIMS.with_sealed_ids(&NEXT);
    assert!(!is_known(&server, &old) && is_known(&server, &new));
    assert!(is_unknown(&mut server, &old));
}

#[test]
fn a_key_of_the_same_number_opens_nothing_of_another_server() {
    static FOREIGN: IdKeys = IdKeys::new(IdKey::new(1, [0x12; 32]));
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    server.kind = HostKind::CLAIMS.with_sealed_ids(&FOREIGN);
    assert!(is_unknown(&mut server, &session));
}

#[test]
fn the_same_key_under_another_number_opens_nothing() {
    static RENUMBERED: IdKeys = IdKeys::new(IdKey::new(2, [0x11; 32]));
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    server.kind = HostKind::CLAIMS.with_sealed_ids(&RENUMBERED);
    assert!(is_unknown(&mut server, &session));
}

#[test]
fn keys_are_few_and_have_numbers_of_their_own() {
    let key = |number| IdKey::new(number, [number; 32]);
    let mut keys = IdKeys::new(key(0));
    assert_eq!(IdKeys::new(key(0)).also_opening(key(0)).err(), Some(IdKeysError::Number));
    for number in 1..=3 {
        keys = keys.also_opening(key(number)).unwrap();
    }
    assert_eq!(keys.also_opening(key(4)).err(), Some(IdKeysError::TooMany));
}

#[test]
fn u02_an_id_of_any_operation_is_short_and_of_opaque_letters() {
    let mut server = server(HostKind::CLAIMS);
    let password = json!({"new_password": "looking-glass", "logout_devices": false});
    let registration = json!({"username": "carol", "password": "carol-secret", "inhibit_login": true,
        "device_id": "D", "initial_device_display_name": "N", "refresh_token": true});
    let key = |usage: &str| {
        let name = format!("ed25519:{usage}");
        json!({"user_id": "@alice:example.org", "usage": [usage], "keys": {name: usage}})
    };
    let keys = json!({"master_key": key("master"), "self_signing_key": key("self_signing"),
        "user_signing_key": key("user_signing")})
    .to_string();
    let upload = UploadSigningKeysRequest::parse(keys.as_bytes()).unwrap();
    let add = AddThreepidRequest::parse(br#"{"sid":"1","client_secret":"monkeys"}"#).unwrap();
    let token = GetLoginTokenRequest::parse(b"{}").unwrap();
    let answers = [
        server.change_password(ALICE, password),
        server.deactivate(ALICE, json!({"erase": true, "id_server": "example.org"})),
        server.register(registration),
        server.delete_devices("alice-token", json!({"devices": ["A", "B"]})),
        server.delete_device("alice-token", "LAPTOP", "{}"),
        first(&mut server, &add.check(true).unwrap()),
        first(&mut server, &upload.check("@alice:example.org").unwrap()),
        first(&mut server, &token.check(true).unwrap()),
    ];
    assert_eq!(answers.len(), OperationId::KNOWN.len(), "every operation of the spec");
    for answer in answers {
        let session = answer.session();
        assert!((SessionId::LEN + 1..=128).contains(&session.len()), "{} {session}", session.len());
        assert!(is_opaque(session), "{session}");
        // Base64's padding is none of them.
        assert!(!is_opaque(&format!("{session}=")));
    }
}

/// Rule U2: an opaque identifier, as <https://spec.matrix.org/v1.19/appendices/#opaque-identifiers> has it.
fn is_opaque(session: &str) -> bool {
    session.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
}

/// The answer to the first request of a call.
fn first<E: Endpoint>(server: &mut Server, request: &E) -> Answer {
    let handler = Handler {
        admit: &mut |_| Ok(None),
        perform: &mut |_, _| unreachable!("no auth, no success"),
        repeat: &mut |_, _| unreachable!("no auth, no success"),
    };
    server.serve(ALICE, policy::<E::Op>(&[&["m.login.password"]], None), request, handler)
}

#[test]
fn an_id_shows_nothing_of_what_it_holds() {
    let mut server = server(HostKind::CLAIMS);
    let (one, other) = (begin(&mut server), begin(&mut server));
    // Of the same user, for the same call, with the same parameters, in the same millisecond:
    // behind the ID, no two letters in a row are the same but by chance.
    let tail = |id: &str| id[SessionId::LEN + 2..].to_owned();
    let (one, other) = (tail(&one), tail(&other));
    let common = (0..one.len() - 3).filter(|at| one[*at..*at + 4] == other[*at..*at + 4]).count();
    assert_eq!(common, 0);
    assert_eq!(format!("{:?}", IdKey::new(7, [0x77; 32])), "IdKey { number: 7, .. }");
}

/// What was refused leads to a session that can go on.
#[test]
fn after_an_unknown_id_the_flow_begins_again() {
    let mut server = server(HostKind::CLAIMS);
    let answer = server.change_password(ALICE, change(stage("m.login.password", "nonsense")));
    assert_eq!(answer.says(), "401 M_UNKNOWN");
    let session = answer.session().to_owned();
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
}
