//! Every command, with every flag.

use super::run::Run;
use super::scripted::Scripted;
use super::{NEO, as_alice, registering};
use crate::support::{Setup, text};
use serde_json::{Value, json};

#[test]
fn who_registers_is_logged_in() {
    let server =
        registering(json!([["m.login.dummy"]]), json!({ "access_token_lifetime_ms": 60_000 })).start();
    let line = "register --user neo --device-id NEBUCHADNEZZAR --refresh";
    let answer = Run::at(server.address(), line).json().env("MATRIX_PASSWORD", NEO).run().ok();
    assert_eq!(
        (&answer["user_id"], &answer["device_id"]),
        (&"@neo:localhost".into(), &"NEBUCHADNEZZAR".into())
    );
    assert!(answer["refresh_token"].is_string() && answer["expires_in_ms"].is_u64(), "{answer}");
    assert!(server.client().is_live(&text(&answer, "access_token")));
    Run::at(server.address(), "register --user neo").json().env("MATRIX_PASSWORD", NEO).run().refused(
        400,
        "M_USER_IN_USE",
        "keep",
    );
}

#[test]
fn logins_of_every_kind() {
    let users = json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "alice@example.org" }] }]);
    let server = Setup::new(json!({ "users": users })).start();
    let client = server.client();
    for line in ["login --user alice", "login --user @alice:localhost", "login --email alice@example.org"] {
        let run = Run::at(server.address(), &format!("{line} --device-id RABBIT")).json();
        let answer = run.env("MATRIX_PASSWORD", "wonderland").run().ok();
        assert_eq!(
            (&answer["user_id"], &answer["device_id"]),
            (&"@alice:localhost".into(), &"RABBIT".into())
        );
        assert!(client.is_live(&text(&answer, "access_token")));
    }
    let token = client.token("alice", "wonderland");
    let auth = json!({ "auth": crate::support::password_auth("alice", "wonderland") });
    let login_token = client.post("/_matrix/client/v1/login/get_token", Some(&token), &auth).ok();
    let login = format!("login --token {}", text(&login_token, "login_token"));
    assert_eq!(Run::at(server.address(), &login).json().run().ok()["user_id"], "@alice:localhost");
    Run::at(server.address(), &login).json().run().refused(403, "M_FORBIDDEN", "keep");
    let wrong = Run::at(server.address(), "login --user alice").json().env("MATRIX_PASSWORD", "white-rabbit");
    wrong.run().refused(403, "M_FORBIDDEN", "keep");
    Run::at(server.address(), "login --user alice").json().run().missing(&["m.login.password"]);
}

#[test]
fn a_refresh_gives_a_new_token() {
    let server = Setup::new(json!({ "access_token_lifetime_ms": 60_000 })).start();
    let login = Run::at(server.address(), "login --user alice --refresh").json();
    let login = login.env("MATRIX_PASSWORD", "wonderland").run().ok();
    let line = format!("refresh --refresh-token {}", text(&login, "refresh_token"));
    let fresh = Run::at(server.address(), &line).json().run().ok();
    assert_ne!(fresh["access_token"], login["access_token"]);
    assert!(server.client().is_live(&text(&fresh, "access_token")));
    Run::at(server.address(), "refresh --refresh-token rabbit").json().run().refused(
        401,
        "M_UNKNOWN_TOKEN",
        "gone",
    );
}

#[test]
fn whose_it_is_which_devices_and_out() {
    let server = Setup::new(json!({})).start();
    let (client, address) = (server.client(), server.address());
    let tokens: Vec<String> = (0..3).map(|_| client.token("alice", "wonderland")).collect();
    let by = |token: &str, line: &str| Run::at(address, line).json().env("MATRIX_ACCESS_TOKEN", token).run();
    assert_eq!(by(&tokens[0], "whoami").ok()["user_id"], "@alice:localhost");
    assert_eq!(by(&tokens[0], "devices").ok()["devices"].as_array().unwrap().len(), 3);
    assert_eq!(by(&tokens[0], "logout").ok(), json!({}));
    by(&tokens[0], "devices").refused(401, "M_UNKNOWN_TOKEN", "gone");
    assert!(client.is_live(&tokens[1]));
    assert_eq!(by(&tokens[1], "logout-all").ok(), json!({}));
    assert!(!client.is_live(&tokens[2]));
    for line in ["whoami", "devices", "logout", "logout-all"] {
        Run::at(address, line).json().run().missing(&["MATRIX_ACCESS_TOKEN"]);
    }
}

#[test]
fn a_new_password_ends_the_other_devices_unless_they_are_kept() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    for (line, new, kept) in [
        ("password --user alice --keep-devices", "wonderland", true),
        ("password --user alice", "jabberwocky", false),
    ] {
        let other = client.token("alice", "wonderland");
        assert_eq!(as_alice(&server, line).env("MATRIX_NEW_PASSWORD", new).run().ok(), json!({}));
        assert_eq!(client.is_live(&other), kept);
    }
    client.login("alice", "jabberwocky").ok();
}

#[test]
fn devices_are_deleted_by_name() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let others: Vec<String> = (0..2).map(|_| client.token("alice", "wonderland")).collect();
    let ids: Vec<String> = others.iter().map(|token| text(&client.whoami(token).ok(), "device_id")).collect();
    let line = format!("delete-devices {} --user alice", ids.join(" "));
    assert_eq!(as_alice(&server, &line).run().ok(), json!({}));
    assert!(others.iter().all(|token| !client.is_live(token)));
}

#[test]
fn an_account_is_ended_as_it_was_asked_for() {
    let server = Setup::new(json!({})).start();
    let answer = as_alice(&server, "deactivate --user alice --erase").run().ok();
    assert_eq!(answer, json!({ "id_server_unbind_result": "success" }));
    let login = Run::at(server.address(), "login --user alice").json().env("MATRIX_PASSWORD", "wonderland");
    login.run().refused(403, "M_USER_DEACTIVATED", "deactivated");
}

#[test]
fn a_deactivation_says_all_that_the_flags_say() {
    for (flags, erase, id_server) in [
        ("", Value::Null, Value::Null),
        (" --erase --id-server id.example.org", true.into(), "id.example.org".into()),
    ] {
        let scripted = Scripted::new(&[(200, "", "{}")]);
        let run = Run::at(scripted.address, &format!("deactivate --user alice{flags}")).json();
        run.env("MATRIX_ACCESS_TOKEN", "mua_token").run().ok();
        let asked = scripted.asked();
        assert!(asked[0].head.starts_with("POST /_matrix/client/v3/account/deactivate HTTP/1.1"));
        assert!(asked[0].head.to_lowercase().contains("authorization: bearer mua_token"));
        let body: Value = serde_json::from_str(&asked[0].body).unwrap();
        assert_eq!((&body["erase"], &body["id_server"]), (&erase, &id_server));
    }
}

#[test]
fn people_get_words() {
    let server = Setup::new(json!({})).start();
    let token = server.client().token("alice", "wonderland");
    let by = |line: &str| Run::at(server.address(), line).env("MATRIX_ACCESS_TOKEN", &token).run();
    let whoami = by("whoami");
    assert!(whoami.stdout.contains("user_id        @alice:localhost\n"), "{whoami:?}");
    assert_eq!(by("logout").stdout, "Logged out.\n");
    let gone = by("whoami");
    assert_eq!((gone.status, gone.stdout.as_str()), (1, ""));
    assert!(gone.stderr.contains("M_UNKNOWN_TOKEN") && gone.stderr.contains("log in again"), "{gone:?}");
}

#[test]
fn wrong_usage_says_what_to_mend() {
    for (line, words) in [
        ("", "Usage"),
        ("whoami", "--homeserver"),
        ("--homeserver example.org whoami", "--homeserver"),
        ("--homeserver http://127.0.0.1:1 fly", "fly"),
        ("--homeserver http://127.0.0.1:1 login", "--user"),
        ("--homeserver http://127.0.0.1:1 login --user a --token t", "--token"),
        ("--homeserver http://127.0.0.1:1 register --user a --password p", "--password"),
        ("--homeserver http://127.0.0.1:1 delete-devices --user a", "<ID>"),
    ] {
        let args: Vec<&str> = line.split(' ').filter(|arg| !arg.is_empty()).collect();
        Run::bare().args(&args).run().usage(words);
        Run::bare().json().args(&args).run().usage(words);
    }
    let run = Run::at("127.0.0.1:1", "whoami").json().env("MATRIX_ACCESS_TOKEN", "two\nlines");
    run.run().usage("MATRIX_ACCESS_TOKEN");
}
