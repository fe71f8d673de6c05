//! Rules C1 to C8 with what Synapse really answers: `tests/interop/synapse/record` has asked it.

use matrix_uia::Millis;
use matrix_uia::client::{Client, Credential, SessionImpact};
use matrix_uia::endpoint::login::{Attempt, LoginRequest};
use matrix_uia::endpoint::refresh::{RefreshRequest, RefreshResponse};
use matrix_uia::endpoint::register::LoginResponse;
use matrix_uia::endpoint::threepid::{GivenAddress, RequestTokenRequest, RequestTokenResponse};
use matrix_uia::endpoint::whoami::WhoamiResponse;
use matrix_uia::wire::UserIdentifier;
use matrix_uia::{Secret, Text};
use serde_json::{Value, json};

use crate::support::client::{ALL, Walk};
use crate::support::synapse::{RECORDINGS, recorded, replay, replay_with_meaning, scene};

/// https://spec.matrix.org/v1.19/client-server-api/#account-registration
#[test]
fn c01_synapse_registers_through_every_stage_it_offers() {
    assert_eq!(replay("open", "register"), ["done"]);
    assert_eq!(replay("refresh", "register"), ["done"]);
    assert_eq!(replay("terms", "register"), ["terms", "done"]);
    let wrong_first = ["registration_token", "registration_token M_UNAUTHORIZED", "done"];
    assert_eq!(replay("token", "register, wrong token first"), wrong_first);
    assert_eq!(replay("open", "register a name that is taken"), ["failed 400 M_USER_IN_USE"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#password-based
#[test]
fn c01_synapse_refuses_a_password_and_takes_the_next() {
    for name in ["change the password", "delete a device", "deactivate"] {
        let steps = replay("open", &format!("{name}, wrong password first"));
        assert_eq!(steps, ["password", "password M_FORBIDDEN", "done"], "{name}");
    }
    // Not as a stage that failed: a 403 without flows ends it.
    let steps = replay("open", "the password of somebody else");
    assert_eq!(steps, ["password", "failed 403 M_FORBIDDEN"]);
    let steps = replay("open", "a change of password in a suspended account");
    assert_eq!(steps, ["password", "done"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn c05_synapse_is_asked_until_the_link_has_been_followed() {
    for name in ["register", "reset the password"] {
        let steps = replay("email", name);
        let waited = [
            "token email 1",
            "wait 2000 Elsewhere",
            "Email",
            "wait 3000 Elsewhere",
            "Email M_UNAUTHORIZED",
            "done",
        ];
        assert_eq!(steps, waited, "{name}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c06_synapse_limits_a_stage_and_it_is_sent_again() {
    let steps = replay("limited", "register, limited in the middle of the flow");
    assert_eq!(steps, ["wait 2000 RateLimited", "done"]);
    assert_eq!(replay("limited", "register"), ["wait 2000 RateLimited"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c07_synapse_is_asked_how_things_stand() {
    let exchanges = scene("open", "how things stand");
    let original = exchanges[0].sent.to_string();
    let mut walk = Walk::new(Client::new(ALL));
    walk.original = &original;
    walk.step();
    walk.reply_bytes(exchanges[0].status, None, &exchanges[0].body());
    walk.give();
    walk.lose();
    walk.wait();
    walk.step();
    assert_eq!(walk.body, exchanges[1].sent);
    walk.reply_bytes(exchanges[1].status, None, &exchanges[1].body());
    assert_eq!(walk.step(), "password again");
}

/// Synapse starts no new session where it doesn't know one, nor where the call has changed:
/// the flow is over, and the application begins another.
/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c01_a_session_that_synapse_does_not_take_ends_the_flow() {
    for (name, end) in [
        ("a session the server doesn't know", "failed 400 M_UNKNOWN"),
        ("a session of another call", "failed 403 M_UNKNOWN"),
    ] {
        let [refused] = &scene("open", name)[..] else { panic!("{name}") };
        let [asked, _] = &scene("open", "how things stand")[..] else { panic!("no challenge") };
        let mut walk = Walk::new(Client::new(ALL));
        walk.step();
        walk.reply_bytes(asked.status, None, &asked.body());
        walk.give();
        walk.reply_bytes(refused.status, None, &refused.body());
        assert_eq!(walk.step(), end);
        assert_eq!(walk.meaning(), SessionImpact::Keep);
    }
}

/// Every refusal of Synapse's that was recorded, and what it means for a stored login.
/// https://spec.matrix.org/v1.19/client-server-api/#soft-logout
#[test]
fn c08_what_synapse_says_means_this_for_a_stored_login() {
    const fn limited(seconds: u64) -> SessionImpact {
        SessionImpact::RateLimited(Some(Millis::from_secs(seconds)))
    }
    let expected: &[(&str, &str, SessionImpact)] = &[
        ("email", "register: an address that is taken", SessionImpact::Keep),
        ("email", "reset the password: an address nobody has", SessionImpact::Keep),
        ("limited", "login, wrong password first", limited(100)),
        ("limited", "register", limited(2)),
        ("open", "a change of password in a locked account", SessionImpact::Locked),
        ("open", "a change of password without a login", SessionImpact::Gone),
        ("open", "a session of another call", SessionImpact::Keep),
        ("open", "a session the server doesn't know", SessionImpact::Keep),
        ("open", "how things stand", SessionImpact::Keep),
        ("open", "locked in the middle of a flow", SessionImpact::Locked),
        ("open", "login of nobody", SessionImpact::Keep),
        // It doesn't tell who has no password whether the account is no more.
        ("open", "login to a deactivated account", SessionImpact::Keep),
        ("open", "login to a locked account", SessionImpact::Locked),
        ("open", "login with a token to a deactivated account", SessionImpact::Deactivated),
        ("open", "login with a wrong password", SessionImpact::Keep),
        ("open", "no token", SessionImpact::Keep),
        ("open", "register a name that is taken", SessionImpact::Keep),
        ("open", "the password of somebody else", SessionImpact::Keep),
        ("open", "token of a deactivated account", SessionImpact::Gone),
        ("open", "token of a device that was logged out", SessionImpact::Gone),
        ("open", "token of a locked account", SessionImpact::Locked),
        ("open", "unknown token", SessionImpact::Gone),
        ("open", "what a suspended account may not", SessionImpact::Suspended),
        ("refresh", "refresh with a token that has been replaced", SessionImpact::Keep),
        ("refresh", "refresh with an unknown token", SessionImpact::Gone),
        ("refresh", "soft-logged out in the middle of a flow", SessionImpact::SoftLogout),
        ("refresh", "token that has ended", SessionImpact::SoftLogout),
    ];
    let mut found = Vec::new();
    for (variant, _) in RECORDINGS {
        for (name, exchanges) in recorded(variant) {
            let last = exchanges.last().unwrap();
            if last.status >= 400 {
                found.push((
                    *variant,
                    name,
                    SessionImpact::of(Credential::AccessToken, last.status, &last.body()),
                ));
            }
        }
    }
    let found: Vec<(&str, &str, SessionImpact)> =
        found.iter().map(|(variant, name, meaning)| (*variant, name.as_str(), *meaning)).collect();
    assert_eq!(found, expected);
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[test]
fn c08_a_flow_that_synapse_ends_tells_what_it_means() {
    for (variant, name, end, meaning) in [
        (
            "open",
            "a change of password in a locked account",
            "failed 401 M_USER_LOCKED",
            SessionImpact::Locked,
        ),
        ("open", "a change of password without a login", "failed 401 M_UNKNOWN_TOKEN", SessionImpact::Gone),
        ("open", "locked in the middle of a flow", "failed 401 M_USER_LOCKED", SessionImpact::Locked),
        (
            "refresh",
            "soft-logged out in the middle of a flow",
            "failed 401 M_UNKNOWN_TOKEN",
            SessionImpact::SoftLogout,
        ),
    ] {
        let (steps, found) = replay_with_meaning(variant, name);
        assert_eq!((steps.last().unwrap().as_str(), found), (end, Some(meaning)), "{name}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
#[test]
fn what_synapse_was_sent_is_what_the_request_types_write() {
    let wrong = &scene("open", "login with a wrong password")[0];
    let with = |with| {
        let mut body = String::new();
        LoginRequest::new(with).write(&mut body).unwrap();
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let identifier = UserIdentifier::User(Text::new("carol"));
    let password = Secret::new("jabberwocky");
    assert_eq!(with(Attempt::Password { identifier, password }), wrong.sent);
    let late = &scene("open", "login with a token to a deactivated account")[0];
    assert_eq!(with(Attempt::Token { token: Secret::new("login_token-1") }), late.sent);
    let address = &scene("email", "login with the address")[0];
    let identifier =
        UserIdentifier::Thirdparty { medium: Text::new("email"), address: Text::new("alice@example.org") };
    let mut login =
        LoginRequest::new(Attempt::Password { identifier, password: Secret::new("looking-glass") });
    login.device_id = Some(Text::new("LOOKINGGLASS"));
    let mut body = String::new();
    login.write(&mut body).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), address.sent);
    let mut body = String::new();
    let email = GivenAddress::Email(Text::new("alice@example.org"));
    RequestTokenRequest::new(Secret::new("client-secret"), email, 1).write(&mut body).unwrap();
    for name in ["register", "reset the password"] {
        let asked = scene("email", &format!("{name}: ask for a token"));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), asked[0].sent);
    }
    let mut body = String::new();
    RefreshRequest::new(Secret::new("refresh_token-1")).write(&mut body).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), scene("refresh", "refresh")[0].sent);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh
#[test]
fn what_synapse_answers_is_what_the_answer_types_read() {
    let mut read = 0;
    for (variant, _) in RECORDINGS {
        for exchange in recorded(variant).into_values().flatten().filter(|exchange| exchange.status == 200) {
            let (body, answer) = (exchange.body(), &exchange.body);
            match exchange.request.as_str() {
                "POST register" | "POST login" => {
                    let response = LoginResponse::parse(&body).unwrap();
                    let login = response.login.unwrap();
                    assert_eq!(answer["user_id"], json!(response.user_id.to_string()));
                    assert_eq!(answer["device_id"], json!(login.device_id.to_string()));
                    assert_eq!(answer["access_token"], json!(login.access_token.expose().to_string()));
                    assert_eq!(answer["expires_in_ms"].as_u64(), login.expires_in.map(Millis::get));
                    assert_eq!(answer["refresh_token"].is_string(), login.refresh_token.is_some());
                }
                path if path.ends_with("/email/requestToken") => {
                    let sent = RequestTokenResponse::parse(&body).unwrap();
                    assert_eq!(answer["sid"], json!(sent.sid.to_string()));
                }
                "POST refresh" => {
                    let fresh = RefreshResponse::parse(&body).unwrap();
                    assert_eq!(answer["access_token"], json!(fresh.access_token.expose().to_string()));
                    assert!(fresh.refresh_token.is_some() && fresh.expires_in == Some(Millis::from_secs(2)));
                }
                "GET account/whoami" => {
                    let whoami = WhoamiResponse::parse(&body).unwrap();
                    assert_eq!(answer["user_id"], json!(whoami.user_id.to_string()));
                    assert_eq!(whoami.device_id.unwrap().to_string(), "LOOKINGGLASS");
                }
                _ => continue,
            }
            read += 1;
        }
    }
    assert!(read >= 8, "{read}");
}
