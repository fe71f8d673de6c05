//! What ends an account or a device, and what of theirs is under way then.

use super::{raced, run};
use crate::support::{Answer, dummy_auth, text, with};
use serde_json::json;

/// A token that was given out on the way, which nobody may use any more.
fn given(answer: &Answer) -> Option<String> {
    (answer.status == 200).then(|| text(&answer.json(), "access_token"))
}

/// Rules D3 and D4: neither a refresh, nor a login by token, nor an address gets past the fence.
#[test]
fn a_deactivation_and_what_needs_no_password() {
    let dummy = json!([["m.login.dummy"]]);
    let config = json!({ "flows": { "deactivate": dummy, "add_3pid": dummy, "get_login_token": dummy } });
    run(&config, |ground, n| {
        let client = &ground.client;
        let name = format!("_bridge_{n}");
        let pair = ground.made(&name);
        let token = text(&pair, "access_token");
        let auth = json!({ "auth": { "type": "m.login.dummy" } });
        let login = client.post("/_matrix/client/v1/login/get_token", Some(&token), &auth).ok();
        let login = json!({ "type": "m.login.token", "token": login["login_token"] });
        let (path, address) = ("account/3pid/email/requestToken", format!("{name}@example.org"));
        let creds = ground.validated(path, Some(&token), &address);
        let session = client.post("account/3pid/add", Some(&token), &creds).asked();
        let addition = with(&creds, "auth", dummy_auth(&session));
        let refresh = json!({ "refresh_token": pair["refresh_token"] });
        let requests = [
            ("account/deactivate", Some(token.as_str()), auth),
            ("refresh", None, refresh.clone()),
            ("login", None, login.clone()),
            ("account/3pid/add", Some(token.as_str()), addition),
        ];
        let [deactivated, refreshed, logged_in, added] = raced(client, n, requests);
        // The address, if it came to be the account's, was bound nowhere that anybody knows.
        let unbound = if added.status == 200 { "no-support" } else { "success" };
        assert_eq!(deactivated.ok(), json!({ "id_server_unbind_result": unbound }));
        for (answer, status, code) in [
            (&refreshed, 401, "M_UNKNOWN_TOKEN"),
            (&logged_in, 403, "M_USER_DEACTIVATED"),
            (&added, 401, "M_UNKNOWN_TOKEN"),
        ] {
            match answer.status {
                200 => {}
                // The fence takes the login tokens along.
                _ if answer.json()["errcode"] == "M_FORBIDDEN" => assert_eq!(code, "M_USER_DEACTIVATED"),
                _ => drop(answer.rejected(status, code)),
            }
        }
        for token in [Some(token), given(&refreshed), given(&logged_in)].into_iter().flatten() {
            assert!(!client.is_live(&token));
        }
        client.post("refresh", None, &refresh).rejected(401, "M_UNKNOWN_TOKEN");
        client.post("login", None, &login).rejected(403, "M_FORBIDDEN");
        let ask = json!({ "client_secret": "s", "send_attempt": 1, "email": address });
        client.post("account/password/email/requestToken", None, &ask).rejected(400, "M_THREEPID_NOT_FOUND");
        client.post("register/email/requestToken", None, &ask).ok();
        match [&refreshed, &logged_in, &added].iter().filter(|answer| answer.status == 200).count() {
            0 => "the deactivation",
            3 => "all others",
            _ => "some of the others",
        }
    });
}

/// Rule L5: a device that is logged out has no token left, not one of a refresh that was under way either.
#[test]
fn a_logout_and_a_refresh() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let pair = ground.made(&format!("_bridge_{n}"));
        let token = text(&pair, "access_token");
        let refresh = json!({ "refresh_token": pair["refresh_token"] });
        let logout = if n % 2 == 0 { "logout" } else { "logout/all" };
        let requests = [(logout, Some(token.as_str()), json!({})), ("refresh", None, refresh.clone())];
        let [ended, refreshed] = raced(client, n, requests);
        assert_eq!(ended.ok(), json!({}));
        let first = match given(&refreshed) {
            Some(new) => {
                assert!(!client.is_live(&new));
                "the refresh"
            }
            None => {
                refreshed.rejected(401, "M_UNKNOWN_TOKEN");
                "the logout"
            }
        };
        assert!(!client.is_live(&token));
        client.post("refresh", None, &refresh).rejected(401, "M_UNKNOWN_TOKEN");
        first
    });
}
