//! Lessons about the ways into an account: login, refresh, and being locked out.

use matrix_uia::endpoint::appservice::ServiceToken;
use matrix_uia::endpoint::login::{self, LoginRequest};
use matrix_uia::endpoint::moderation::{Moderated, Moderation, Moderator};
use matrix_uia::endpoint::refresh::{self, Generation, Presented, RefreshRequest};
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::server::account::{AccountStatus, Action, Event};
use matrix_uia::server::reference::UserRef;
use matrix_uia::wire::error::ErrorCode;
use serde_json::json;

use crate::support::Server;

fn status(event: Event) -> AccountStatus {
    AccountStatus::default().on(event).unwrap()
}

#[test]
fn lesson_43_a_lock_never_looks_like_a_dead_session() {
    let locked = status(Event::Lock);
    let mut refusals: Vec<_> = Action::ALL.iter().filter_map(|action| locked.gate(*action).err()).collect();
    // Even where the token has expired, or was used up meanwhile.
    for presented in [Presented::Live, Presented::FirstUse, Presented::Spent] {
        refusals.push(refresh::decide(Some((presented, locked))).unwrap_err());
    }
    refusals.push(login::decide(Some(locked), true, false).unwrap_err());
    refusals.push(login::decide_token(Some(locked), false).unwrap_err());
    let ours = ServiceToken::Service { in_namespace: true };
    refusals.push(login::decide_appservice(ours, Some(locked)).unwrap_err());
    for refusal in refusals {
        assert_eq!((refusal.code(), refusal.soft_logout()), (ErrorCode::UserLocked, Some(true)));
    }
    assert_eq!(locked.gate(Action::Logout), Ok(()));
    assert_eq!(locked.on(Event::Unlock).unwrap().gate(Action::Refresh), Ok(()), "nothing has ended");
}

#[test]
fn lesson_44_no_type_of_login_gets_past_the_gate() {
    let fenced = status(Event::Fence);
    for gone in [fenced, fenced.on(Event::Finish).unwrap()] {
        assert!(login::decide(Some(gone), true, true).is_err());
        assert!(login::decide_token(Some(gone), true).is_err());
        let ours = ServiceToken::Service { in_namespace: true };
        assert!(login::decide_appservice(ours, Some(gone)).is_err());
        for presented in [Presented::Live, Presented::FirstUse] {
            assert!(refresh::decide(Some((presented, gone))).is_err());
        }
    }
}

#[test]
fn lesson_31_who_is_no_administrator_learns_nothing_about_anybody() {
    // There is no way to ask about an account but through what `authorise` gives.
    assert!(Moderator::authorise(UserRef::new(2), false).is_err());
    // And names outside its namespace are all alike to an application service.
    let theirs = ServiceToken::Service { in_namespace: false };
    let known = login::decide_appservice(theirs, Some(AccountStatus::default()));
    assert_eq!(login::decide_appservice(theirs, None), known);
    assert_eq!(login::decide_appservice(theirs, Some(status(Event::Lock))), known);
    // A hidden account that is gone is a token that never was.
    assert_eq!(login::decide_token(Some(status(Event::Fence)), true), login::decide_token(None, true));
}

#[test]
fn lesson_11_a_refresh_repeated_never_leaves_two_pairs() {
    let (held, handed_out) = (Generation::FIRST, Generation::FIRST.next());
    assert_eq!(held.next(), handed_out, "the second answer takes the place of the first");
    assert_eq!(held.presented(handed_out), Presented::Spent, "and ends the old once it is used");
}

#[test]
fn lesson_54_the_parsers_of_logins_are_total() {
    for body in
        [&b"{}"[..], b"", b"null", b"[]", b"{\"type\":{}}", b"{\"refresh_token\":[]}", b"{\"master_key\":[]}"]
    {
        assert!(LoginRequest::parse(body).is_err());
        assert!(RefreshRequest::parse(body).is_err());
        assert!(Moderation::Lock.parse(body).is_err());
        let _ = UploadSigningKeysRequest::parse(body);
    }
    assert_eq!(LoginRequest::parse(b"{}").unwrap_err().code(), ErrorCode::MissingParam);
}

#[test]
fn lesson_43_sessions_of_a_locked_account_stand_still_and_go_on_afterwards() {
    let mut server = Server::new();
    let body = json!({"new_password": "looking-glass"});
    let session = server.change_password(Some("alice-token"), body.clone()).session().to_owned();
    let moderator = Moderator::authorise(UserRef::new(99), true).unwrap();
    let alice = Moderated::new(server.user_ref("alice"), false, server.user("alice").status);
    let locked = moderator.set(Moderation::Lock, true, Some(alice)).unwrap();
    server.user("alice").status = locked;
    let mut attempt = body;
    attempt["auth"] = crate::support::password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(Some("alice-token"), attempt.clone()).says(), "401 M_USER_LOCKED");
    assert_eq!(server.asked, 0, "nothing is verified meanwhile");
    server.user("alice").status = locked.on(Event::Unlock).unwrap();
    assert_eq!(server.change_password(Some("alice-token"), attempt).says(), "200");
}
