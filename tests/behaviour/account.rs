//! Rules A1 to A4.

use matrix_uia::endpoint::login;
use matrix_uia::endpoint::moderation::{Moderated, Moderation, Moderator};
use matrix_uia::server::account::{AccountStatus, Action, Event, Lifecycle};
use matrix_uia::server::reference::UserRef;
use serde_json::json;

use crate::support::Server;

fn status(events: &[Event]) -> AccountStatus {
    events.iter().fold(AccountStatus::default(), |status, event| status.on(*event).unwrap())
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[test]
fn a01_locked_is_said_everywhere_but_at_logout() {
    let locked = status(&[Event::Lock]);
    for action in Action::ALL {
        match locked.gate(*action) {
            Ok(()) => assert_eq!(*action, Action::Logout),
            Err(reject) => {
                assert_eq!((reject.status(), reject.code().name()), (401, "M_USER_LOCKED"), "{action:?}");
                assert_eq!(reject.soft_logout(), Some(true), "{action:?}");
            }
        }
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[cfg(feature = "alloc")]
#[test]
fn a01_tokens_work_again_after_unlocking() {
    let mut server = Server::new();
    server.user("alice").status = status(&[Event::Lock]);
    let answer = server.delete_devices("alice-token", json!({"devices": []}));
    assert_eq!((answer.says(), &answer.body["soft_logout"]), ("401 M_USER_LOCKED".to_owned(), &json!(true)));
    server.user("alice").status = status(&[Event::Lock, Event::Unlock]);
    assert_eq!(server.delete_devices("alice-token", json!({"devices": []})).says(), "401");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
#[test]
fn a01_a_login_is_locked_too_but_says_so_only_to_the_user() {
    let locked = status(&[Event::Lock]);
    let right = login::decide(Some(locked), true, false).unwrap_err();
    assert_eq!((right.code().name(), right.soft_logout()), ("M_USER_LOCKED", Some(true)));
    assert_eq!(login::decide(Some(locked), false, false).unwrap_err().code().name(), "M_FORBIDDEN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-suspension
#[test]
fn a02_suspended_allows_what_the_spec_recommends() {
    let suspended = status(&[Event::Suspend]);
    let allowed = [
        Action::Login,
        Action::Logout,
        Action::WhoAmI,
        Action::ChangePassword,
        Action::Deactivate,
        Action::ManageDevices,
        Action::AddThreepid,
        Action::UploadSigningKeys,
        Action::Sync,
        Action::BackUpKeys,
        Action::LeaveRoom,
        Action::RedactOwn,
        Action::Refresh,
    ];
    let refused = [
        Action::RemoveThreepid,
        Action::RedactOthers,
        Action::JoinRoom,
        Action::Invite,
        Action::SendMessage,
        Action::ChangeProfile,
        Action::Moderate,
    ];
    for action in allowed {
        assert_eq!(suspended.gate(action), Ok(()), "{action:?}");
    }
    for action in refused {
        let reject = suspended.gate(action).unwrap_err();
        assert_eq!((reject.status(), reject.code().name()), (403, "M_USER_SUSPENDED"), "{action:?}");
        assert_eq!(reject.soft_logout(), None);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-suspension
#[cfg(feature = "alloc")]
#[test]
fn a02_a_suspended_user_still_manages_devices() {
    let mut server = Server::new();
    server.user("alice").status = status(&[Event::Suspend]);
    assert_eq!(server.delete_device("alice-token", "PHONE", "{}").says(), "401");
    assert_eq!(server.change_password(Some("alice-token"), json!({})).says(), "401");
    assert_eq!(server.deactivate(Some("alice-token"), json!({})).says(), "401");
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-moderation
#[test]
fn a03_a_lock_wins_and_both_survive_each_other() {
    let both = status(&[Event::Suspend, Event::Lock]);
    assert_eq!(both.gate(Action::SendMessage).unwrap_err().code().name(), "M_USER_LOCKED");
    assert_eq!(both.on(Event::Unlock).unwrap(), status(&[Event::Suspend]));
    assert_eq!(both.on(Event::Unsuspend).unwrap(), status(&[Event::Lock]));
    assert_eq!(both, status(&[Event::Lock, Event::Suspend]), "in either order");
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-deactivation
#[test]
fn a03_deactivated_is_final_but_for_an_administrator() {
    let gone = status(&[Event::Fence, Event::Erase, Event::Finish]);
    for event in [Event::Lock, Event::Unlock, Event::Suspend, Event::Unsuspend, Event::Finish] {
        assert_eq!(gone.on(event).unwrap().life, Lifecycle::Deactivated);
    }
    for event in [Event::Fence, Event::Erase] {
        assert!(gone.on(event).is_err(), "{event:?}");
    }
    assert_eq!(gone.on(Event::Reactivate), Ok(AccountStatus::default()));
    assert!(status(&[Event::Fence]).on(Event::Reactivate).is_err(), "not half-way");
    assert!(AccountStatus::default().on(Event::Finish).is_err(), "fenced before it is gone");
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-moderation
#[test]
fn a03_a_status_survives_storage() {
    for events in [&[][..], &[Event::Lock], &[Event::Suspend, Event::Fence], &[Event::Fence, Event::Finish]] {
        let before = status(events);
        let stored = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<AccountStatus>(&stored).unwrap(), before);
    }
}

const ROOT: UserRef = UserRef::new(1);

fn root() -> Moderator {
    Moderator::authorise(ROOT, true).unwrap()
}

/// An account that is to be moderated.
fn account(number: u64, admin: bool, events: &[Event]) -> Option<Moderated> {
    Some(Moderated::new(UserRef::new(number), admin, status(events)))
}

/// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminlockuserid
#[test]
fn a04_only_administrators_moderate_and_neither_each_other_nor_themselves() {
    let says = |result: Result<AccountStatus, matrix_uia::MatrixError>| match result {
        Ok(_) => "200".to_owned(),
        Err(reject) => format!("{} {}", reject.status(), reject.code()),
    };
    let refused = Moderator::authorise(UserRef::new(2), false).unwrap_err();
    assert_eq!(
        (refused.status(), refused.code().name()),
        (403, "M_FORBIDDEN"),
        "before anybody is looked up"
    );
    let gone = &[Event::Fence, Event::Finish][..];
    for (account, seen, set) in [
        (account(2, false, &[]), "200", "200"),
        (account(2, false, &[Event::Lock]), "200", "200"),
        (account(1, true, &[]), "200", "403 M_FORBIDDEN"),
        (account(3, true, &[]), "403 M_FORBIDDEN", "403 M_FORBIDDEN"),
        (account(2, false, &[Event::Fence]), "404 M_NOT_FOUND", "404 M_NOT_FOUND"),
        (account(2, false, gone), "404 M_NOT_FOUND", "404 M_NOT_FOUND"),
        (None, "404 M_NOT_FOUND", "404 M_NOT_FOUND"),
    ] {
        assert_eq!(says(root().see(account)), seen, "{account:?}");
        for moderation in [Moderation::Lock, Moderation::Suspend] {
            for on in [true, false] {
                assert_eq!(says(root().set(moderation, on, account)), set, "{account:?}");
            }
        }
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid
#[test]
fn a04_setting_is_idempotent_and_answers_the_new_state() {
    for (moderation, other, key) in
        [(Moderation::Lock, Event::Suspend, "locked"), (Moderation::Suspend, Event::Lock, "suspended")]
    {
        let mut now = status(&[other]);
        for on in [true, true, false, false] {
            now = root().set(moderation, on, Some(Moderated::new(UserRef::new(2), false, now))).unwrap();
            assert_eq!(moderation.of(now), on);
            assert!(now.locked || now.suspended, "the other one survives");
            let mut body = String::new();
            moderation.write(now, &mut body).unwrap();
            assert_eq!(body, json!({key: on}).to_string());
        }
    }
}
