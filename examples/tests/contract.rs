//! The program itself: flags, config, the one line, signals, CORS, unknown paths, sizes.

use crate::support::{Answer, Scratch, Server, Setup, available, bare, password_auth, run, text};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// Runs the program with arguments that it refuses: exit status 2, nothing on standard output, one line on
/// standard error, which is returned.
#[track_caller]
fn refusal(args: &[&str]) -> String {
    let mut command = bare();
    command.args(args);
    let output = run(command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert_eq!(output.stdout, b"", "{args:?}");
    assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    said
}

/// The same for a config.
#[track_caller]
fn config_refusal(config: &str) -> String {
    let dir = Scratch::new();
    let file = dir.path().join("config.json");
    std::fs::write(&file, config).unwrap();
    refusal(&["--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()])
}

#[test]
fn bad_flags_are_refused_in_one_line_that_names_the_flag() {
    for (args, named) in [
        (&["--listen", "nowhere"][..], "--listen"),
        (&["--listen", "127.0.0.1:99999"], "--listen"),
        (&["--listen"], "--listen"),
        (&["--sessions", "redis://localhost:6379"], "--sessions"),
        (&["--sessions", "cloud"], "--sessions"),
        (&["--verbose"], "--verbose"),
        (&["stray"], "flags"),
        (&["--config", "/nonexistent/config.json"], "/nonexistent/config.json"),
        (&["--data", "/dev/null/data"], "--data"),
    ] {
        let said = refusal(args);
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn a_port_in_use_is_refused() {
    let server = Server::without_config();
    let said = refusal(&["--listen", &server.address().to_string()]);
    assert!(said.contains("--listen"), "{said}");
}

#[test]
fn bad_configs_are_refused_in_one_line_that_names_the_field() {
    for (config, named) in [
        ("{", "config"),
        ("[]", "config"),
        (r#"{"servername": "x"}"#, "servername"),
        (r#"{"uia": {"sessionlimit": 1}}"#, "sessionlimit"),
        (r#"{"uia": {"stage_order": "lax"}}"#, "uia.stage_order"),
        (r#"{"users": [{"localpart": "A"}]}"#, "users[0].localpart"),
        (r#"{"users": [{"localpart": "a", "password": 5}]}"#, "users[0].password"),
        (r#"{"rate_limits": {"failed_auth": {"burst": 0}}}"#, "rate_limits.failed_auth.burst"),
        (r#"{"identity_servers": {"id.example": {"unbind": "perhaps"}}}"#, "unbind"),
        (r#"{"outbox": "/dev/null/mail"}"#, "outbox: /dev/null/mail"),
        (r#"{"outbox": "/dev/null"}"#, "outbox: /dev/null"),
    ] {
        let said = config_refusal(config);
        assert!(said.contains(named), "{config}: {said}");
    }
}

#[test]
fn a_policy_that_cannot_be_completed_is_refused_with_the_flow_and_the_reason() {
    let many: Vec<_> = (0..100).map(|n| [format!("org.example.stage{n}")]).collect();
    let long: Vec<_> = (0..100).map(|n| format!("org.example.stage{n}")).collect();
    let (many, long) = (json!({ "register": many }).to_string(), json!({ "register": [long] }).to_string());
    for (flows, named, why) in [
        (r#"{"register": []}"#, "register", "no flow"),
        (r#"{"register": [[]]}"#, "register", "flow 1 has no stages"),
        (r#"{"register": [["m.login.dummy", "m.login.dummy"]]}"#, "register", "m.login.dummy twice"),
        (r#"{"register": [["m.login.sso"], ["m.login.sso"]]}"#, "register", "flow 2 is flow 1 again"),
        (
            r#"{"password": [["m.login.sso"], ["m.login.sso", "m.login.password"]]}"#,
            "password",
            "never be completed",
        ),
        (
            r#"{"password": [["m.login.sso", "m.login.password"], ["m.login.sso"]]}"#,
            "password",
            "never be completed",
        ),
        (r#"{"password": [["m.login.terms"]]}"#, "password", "asks for m.login.terms"),
        (r#"{"deactivate": [["m.login.registration_token"]]}"#, "deactivate", "m.login.registration_token"),
        (r#"{"register": [["m.oauth"]]}"#, "register", "m.oauth"),
        (r#"{"delete_devices": [["m.oauth"]]}"#, "delete_devices", "m.oauth"),
        (r#"{"password_reset": [["m.login.terms"]]}"#, "password_reset", "m.login.terms"),
        (r#"{"deactivate_without_token": [[]]}"#, "deactivate_without_token", "no stages"),
        (r#"{"register": [[""]]}"#, "register", "no usable name"),
        (&many, "register", "more than"),
        (&long, "register", "more than"),
    ] {
        let said = config_refusal(&format!(r#"{{"flows": {flows}}}"#));
        assert!(
            said.starts_with(&format!("config: flows.{named}: ")) && said.contains(why),
            "{flows}: {said}"
        );
    }
    let said =
        config_refusal(r#"{"params": {"m.login.terms": 5}, "flows": {"register": [["m.login.terms"]]}}"#);
    assert!(said.contains("params"), "{said}");
}

#[test]
fn a_value_of_the_config_never_shows_in_its_refusal() {
    let said = config_refusal(r#"{"users": [{"localpart": "a", "password": ["marked-secret"]}]}"#);
    assert!(!said.contains("marked-secret"), "{said}");
    let said = refusal(&["--sessions", "redis://:marked-secret@localhost:1"]);
    assert!(!said.contains("marked-secret"), "{said}");
}

#[cfg(unix)]
#[test]
fn signals_end_it_with_status_0_and_the_request_in_hand_is_finished() {
    for signal in ["TERM", "INT"] {
        let server = Setup::new(json!({})).start();
        let client = server.client();
        let body = password_auth("alice", "wonderland").to_string();
        // The server has the head of the request, and of the body all but one byte.
        let in_hand = client.load("POST", "login", None, Some(body.as_bytes())).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        server.signal(signal);
        std::thread::sleep(std::time::Duration::from_millis(100));
        in_hand.fire().unwrap().ok();
        assert_eq!(server.wait().status.code(), Some(0), "{signal}");
        assert!(client.try_send("GET", "login", None, None).is_err(), "it is gone");
    }
}

#[test]
fn without_a_config_there_is_alice_and_open_registration() {
    let server = Server::without_config();
    let client = server.client();
    let login = client.login("alice", "wonderland").ok();
    assert_eq!(login["user_id"], "@alice:localhost");
    let who = client.whoami(&text(&login, "access_token")).ok();
    assert_eq!((&who["user_id"], &who["device_id"]), (&login["user_id"], &login["device_id"]));
    let asked = client.post("register", None, &json!({}));
    asked.asked();
    assert_eq!(asked.json()["flows"], json!([{ "stages": ["m.login.dummy"] }]));
}

#[test]
fn with_a_config_its_users_replace_alice_and_flows_are_merged_key_by_key() {
    let mut setup = Setup::new(json!({ "flows": { "password": [["m.login.recaptcha", "m.login.password"]] },
        "params": { "m.login.recaptcha": { "public_key": "k" } }, "server_name": "uia.example" }));
    setup.config()["users"] = json!([{ "localpart": "carol", "password": "christmas" }]);
    let server = setup.start();
    let client = server.client();
    client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
    let login = client.login("@carol:uia.example", "christmas").ok();
    assert_eq!(login["user_id"], "@carol:uia.example");
    client.login("@carol:elsewhere.example", "christmas").rejected(403, "M_FORBIDDEN");
    let token = text(&login, "access_token");
    let asked = client.post("account/password", Some(&token), &json!({}));
    asked.asked();
    let body = asked.json();
    assert_eq!(body["flows"], json!([{ "stages": ["m.login.recaptcha", "m.login.password"] }]));
    assert_eq!(body["params"], json!({ "m.login.recaptcha": { "public_key": "k" } }));
    let asked = client.post("account/deactivate", Some(&token), &json!({}));
    asked.asked();
    assert_eq!(asked.json()["flows"], json!([{ "stages": ["m.login.password"] }]));
    assert_eq!(asked.json()["params"], json!({}));
}

#[test]
fn the_three_curl_lines_work_as_pasted() {
    if !["curl", "sh", "sed"].iter().all(|program| available(program)) {
        eprintln!("skipped: this machine lacks curl, sh or sed");
        return;
    }
    let server = Server::without_config();
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    // As often as one likes.
    for _ in 0..2 {
        for (line, status, check) in [
            (lines[0], "401", (|body| body["completed"].is_null()) as fn(&serde_json::Value) -> bool),
            (lines[1], "401", |body| body["errcode"] == "M_FORBIDDEN" && body["session"].is_string()),
            (lines[2], "200", |body| *body == json!({})),
        ] {
            let mut shell = Command::new("sh");
            shell.args(["-c", line]);
            let output = String::from_utf8(run(shell).stdout).unwrap();
            let (body, code) =
                output.trim_end().rsplit_once('\n').unwrap_or_else(|| panic!("{line}\n{output}"));
            assert_eq!(code, status, "{line}\n{output}");
            assert!(check(&serde_json::from_str(body).unwrap()), "{line}\n{output}");
        }
    }
}

#[test]
fn every_path_answers_options_and_every_answer_lets_browsers_read_it() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    // The headers themselves are checked with every answer.
    for path in
        ["register", "login", "account/password", "devices/X", "/_matrix/client/versions", "/no/such", "/"]
    {
        let answer = client.send("OPTIONS", path, None, None);
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer}");
    }
}

#[test]
fn unknown_paths_are_404_and_wrong_methods_405_m_unrecognized() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    for path in [
        "/",
        "/_matrix",
        "/_matrix/client/v3",
        "/_matrix/client/v3/",
        "/_matrix/client/v3/nothing",
        "/_matrix/client/v1/register",
        "/_matrix/client/r0/versions",
        "/_matrix/client/v3/login/",
        "/_matrix/client/v3/register//",
        "/_MATRIX/client/v3/login",
        "/_matrix/client/v3/%6Cogi%6E%00",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            client.send(method, path, None, None).rejected(404, "M_UNRECOGNIZED");
        }
    }
    for (method, path) in [
        ("GET", "register"),
        ("DELETE", "login"),
        ("PUT", "account/password"),
        ("GET", "account/deactivate"),
        ("POST", "account/whoami"),
        ("POST", "devices/X"),
        ("PATCH", "devices/X"),
        ("GET", "delete_devices"),
        ("POST", "capabilities"),
        ("POST", "/_matrix/client/versions"),
        ("GET", "logout"),
        ("BREW", "logout/all"),
    ] {
        client.send(method, path, None, None).rejected(405, "M_UNRECOGNIZED");
    }
}

#[test]
fn a_path_that_is_no_text_is_a_standard_error() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for method in ["GET", "PUT", "DELETE"] {
        for path in ["devices/%FF", "devices/%ED%A0%80", "devices/%", "devices/%zz", "devices/%00"] {
            let answer = client.send(method, path, Some(&token), Some(b"{}"));
            // That it is JSON with an errcode is checked with every answer.
            assert!((400..500).contains(&answer.status), "{method} {path}: {answer}");
        }
    }
}

#[test]
fn a_body_of_64_kib_is_read_and_one_byte_more_is_too_large() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let body = |len: usize| {
        let frame = r#"{"padding": ""}"#.len();
        format!(r#"{{"padding": "{}"}}"#, "x".repeat(len - frame)).into_bytes()
    };
    for path in ["register", "account/password"] {
        client.send("POST", path, None, Some(&body(65_536))).asked();
        client.send("POST", path, None, Some(&body(65_537))).rejected(413, "M_TOO_LARGE");
        client.send("POST", path, None, Some(&body(3_000_000))).rejected(413, "M_TOO_LARGE");
    }
    // A chunked body announces no length.
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .write_all(b"POST /_matrix/client/v3/register HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    for _ in 0..17 {
        socket.write_all(format!("1000\r\n{}\r\n", " ".repeat(4096)).as_bytes()).unwrap();
    }
    socket.write_all(b"0\r\n\r\n").unwrap();
    let mut received = Vec::new();
    socket.read_to_end(&mut received).unwrap();
    Answer::parse("POST", "/_matrix/client/v3/register", &received).unwrap().rejected(413, "M_TOO_LARGE");
}

#[test]
fn versions_and_capabilities_and_login_flows() {
    let server = Setup::new(json!({ "capabilities": { "m.3pid_changes": false } })).start();
    let client = server.client();
    let versions = client.get("/_matrix/client/versions", None).ok();
    let versions = versions["versions"].as_array().unwrap().clone();
    assert!(versions.contains(&json!("v1.1")) && versions.contains(&json!("v1.19")), "{versions:?}");
    client.get("capabilities", None).rejected(401, "M_MISSING_TOKEN");
    let token = client.token("alice", "wonderland");
    let capabilities = &client.get("capabilities", Some(&token)).ok()["capabilities"];
    assert_eq!(capabilities["m.change_password"], json!({ "enabled": true }));
    assert_eq!(capabilities["m.3pid_changes"], json!({ "enabled": false }));
    let flows = client.get("login", None).ok();
    assert!(flows["flows"].as_array().unwrap().iter().any(|flow| flow["type"] == "m.login.password"));
}

#[test]
fn r0_and_v3_and_a_query_string_are_one_operation() {
    let server = Setup::new(json!({ "uia": { "one_shot": false } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let session = client.post("/_matrix/client/r0/account/password", Some(&token), &json!({})).asked();
    let mut auth = password_auth("alice", "wonderland");
    auth["session"] = session.into();
    let body = json!({ "new_password": "looking-glass", "auth": auth });
    client.post("/_matrix/client/v3/account/password?x=y", Some(&token), &body).ok();

    // `register` and `register?kind=user` (lesson 7).
    let body = json!({ "username": "carol", "password": "christmas" });
    let session = client.post("register?kind=user", None, &body).asked();
    let body = json!({ "username": "carol", "password": "christmas",
        "auth": { "type": "m.login.dummy", "session": session } });
    client.post("/_matrix/client/r0/register", None, &body).ok();
}

#[test]
fn no_token_an_unknown_token_and_an_empty_one() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let needs_token = [
        ("GET", "account/whoami"),
        ("POST", "logout"),
        ("POST", "logout/all"),
        ("POST", "account/deactivate"),
        ("GET", "account/3pid"),
        ("GET", "devices"),
        ("GET", "devices/X"),
        ("PUT", "devices/X"),
        ("DELETE", "devices/X"),
        ("POST", "delete_devices"),
        ("GET", "capabilities"),
    ];
    for (method, path) in needs_token {
        let body = (method != "GET").then_some(&b"{}"[..]);
        for token in [None, Some("")] {
            client.send(method, path, token, body).rejected(401, "M_MISSING_TOKEN");
        }
        for token in ["mua_unknown", "wonderland"] {
            let error = client.send(method, path, Some(token), body).rejected(401, "M_UNKNOWN_TOKEN");
            assert_ne!(error["soft_logout"], true, "{method} {path}");
        }
    }
}
