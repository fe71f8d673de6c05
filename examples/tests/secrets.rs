//! What clients keep secret reaches neither the log nor, but as a hash, the database (lessons 28 and 49).

use crate::support::{Client, Setup, dummy_auth, kept, password_auth_in, text, with};
use serde_json::{Value, json};
use std::path::Path;

const CAPTCHA: &str = "m.login.recaptcha";

/// Every text that must stay secret.
#[derive(Default)]
struct Marked {
    /// In neither.
    secrets: Vec<String>,
    /// IDs of sessions, which are capabilities: in neither. The database finds a session by a digest of its ID.
    sessions: Vec<String>,
}

impl Marked {
    fn secret(&mut self, text: &str) -> String {
        self.secrets.push(text.to_owned());
        text.to_owned()
    }

    fn session(&mut self, session: String) -> String {
        self.sessions.push(session.clone());
        session
    }

    fn login(&mut self, login: &Value) -> String {
        if let Some(token) = login["refresh_token"].as_str() {
            self.secret(token);
        }
        self.secret(&text(login, "access_token"))
    }
}

fn scenario(client: &Client, marked: &mut Marked) {
    let (first, second, third) = (
        marked.secret("MARKED-password-1"),
        marked.secret("MARKED-password-2"),
        marked.secret("MARKED-password-3"),
    );
    let (wrong, captcha) = (marked.secret("MARKED-wrong"), marked.secret("MARKED-captcha"));
    let bad_captcha = marked.secret("MARKED-bad-captcha");
    let post = |path: &str, token: Option<&str>, body: &Value| client.post(path, token, body);

    // A registration with failures, a repetition and a name in use.
    let body = json!({ "username": "carol", "password": first, "refresh_token": true });
    let session = marked.session(post("register", None, &body).asked());
    for response in [&bad_captcha, &captcha] {
        let auth = json!({ "type": CAPTCHA, "response": response, "session": session });
        assert_eq!(post("register", None, &with(&body, "auth", auth)).status, 401);
    }
    let last = with(&body, "auth", dummy_auth(&session));
    for _ in 0..2 {
        let login = post("register", None, &last).ok();
        marked.login(&login);
    }
    post("register", None, &body).rejected(400, "M_USER_IN_USE");

    // Logins, right, wrong and malformed.
    let token = marked.login(&client.login("carol", &first).ok());
    client.login("carol", &wrong).rejected(403, "M_FORBIDDEN");
    client.login(&wrong, &wrong).rejected(403, "M_FORBIDDEN");
    client.post("login", None, &json!({ "type": "m.login.password", "password": wrong, "user": [wrong] }));
    client
        .send("POST", "login", None, Some(format!("{{\"password\": \"{wrong}\"").as_bytes()))
        .rejected(400, "M_NOT_JSON");
    // Tokens that are none, and in the query string and paths of old.
    client.whoami(&wrong).rejected(401, "M_UNKNOWN_TOKEN");
    client.get(&format!("account/whoami?access_token={token}"), None).ok();
    client
        .get(&format!("account/whoami?access_token={wrong}"), Some(&token))
        .rejected(400, "M_INVALID_PARAM");
    client.get(&format!("devices/{token}?session={session}"), Some(&token)).rejected(404, "M_NOT_FOUND");
    client.get(&format!("/{token}/{session}"), None).rejected(404, "M_UNRECOGNIZED");

    // A password change: kept over a failure, carried out without being repeated, repeated; and one left open.
    let session =
        marked.session(post("account/password", Some(&token), &json!({ "new_password": second })).asked());
    post(
        "account/password",
        Some(&token),
        &kept(&json!({ "new_password": second }), password_auth_in(&session, "carol", &wrong)),
    )
    .failed(&[], "M_FORBIDDEN");
    let other = json!({ "new_password": third, "auth": password_auth_in(&session, "carol", &first) });
    post("account/password", Some(&token), &other).rejected(403, "M_FORBIDDEN");
    for _ in 0..2 {
        post(
            "account/password",
            Some(&token),
            &kept(&json!({ "new_password": second }), password_auth_in(&session, "carol", &first)),
        )
        .ok();
    }
    marked.session(post("account/password", Some(&token), &json!({ "new_password": third })).asked());
    let unknown = post(
        "account/password",
        Some(&token),
        &kept(&json!({ "new_password": third }), password_auth_in("x-MARKED-unknown", "carol", &second)),
    );
    marked.sessions.push("x-MARKED-unknown".to_owned());
    marked.session(unknown.failed(&[], "M_UNKNOWN"));

    // A device, and the end.
    let device = post("delete_devices", Some(&token), &json!({ "devices": ["X"] })).asked();
    let device = marked.session(device);
    post(
        "delete_devices",
        Some(&token),
        &kept(&json!({ "devices": ["X"] }), password_auth_in(&device, "carol", &second)),
    )
    .ok();
    let session = marked.session(post("account/deactivate", Some(&token), &json!({})).asked());
    post("account/deactivate", Some(&token), &json!({ "auth": password_auth_in(&session, "carol", &wrong) }))
        .failed(&[], "M_FORBIDDEN");
    post(
        "account/deactivate",
        Some(&token),
        &json!({ "auth": password_auth_in(&session, "carol", &second) }),
    )
    .ok();
    // A guest becomes a full user. The token goes through a session that is kept.
    let guest = post("register?kind=guest", None, &json!({})).ok();
    let token = marked.login(&guest);
    let name = text(&guest, "user_id").trim_start_matches('@').split(':').next().unwrap().to_owned();
    let body = json!({ "username": name, "password": first, "guest_access_token": token });
    let session = marked.session(post("register", None, &body).asked());
    let auth = json!({ "type": CAPTCHA, "response": captcha, "session": session });
    assert_eq!(post("register", None, &with(&body, "auth", auth)).status, 401);
    marked.login(&post("register", None, &with(&body, "auth", dummy_auth(&session))).ok());
    // Another one stays half-way.
    let guest = post("register?kind=guest", None, &json!({})).ok();
    let token = marked.login(&guest);
    let name = text(&guest, "user_id").trim_start_matches('@').split(':').next().unwrap().to_owned();
    let body = json!({ "username": name, "password": third, "guest_access_token": token });
    marked.session(post("register", None, &body).asked());
    // Somebody stays, with a live token and an open session.
    let token = marked.login(&client.login("alice", "MARKED-alice").ok());
    marked.secret("MARKED-alice");
    marked.session(post("account/password", Some(&token), &json!({ "new_password": third })).asked());
}

/// Every byte under a directory.
fn bytes_in(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn neither_log_nor_database_holds_a_secret() {
    for store in ["sqlite", "memory"] {
        let mut setup = Setup::kept(json!({
            "users": [{ "localpart": "alice", "password": "MARKED-alice" }],
            "flows": { "register": [[CAPTCHA, "m.login.dummy"]] },
            "params": { CAPTCHA: { "public_key": "key" } },
            "recaptcha_accepts": ["MARKED-captcha"],
            "access_token_lifetime_ms": 60_000,
            "registration": { "guests": true },
            "appservices": [{ "id": "bridge", "as_token": "MARKED-as-token", "sender_localpart": "bridgebot",
                "user_prefix": "_bridge_" }],
        }));
        setup.sessions = Some(store);
        let server = setup.start();
        let mut marked = Marked::default();
        marked.secret("MARKED-as-token");
        scenario(&server.client(), &mut marked);
        server.client().whoami("MARKED-as-token").ok();
        let log = server.log();
        // While it runs: what SQLite's own log has not merged yet is looked at too.
        let data = bytes_in(&setup.data_dir());
        server.kill();
        let data = [data, bytes_in(&setup.data_dir())].concat();

        assert!(log.lines().count() > 20, "the log has a line for each request");
        assert!(contains(&data, "carol") && contains(&data, "$argon2id$"), "the search finds what is there");
        assert!(marked.secrets.len() > 12 && marked.sessions.len() > 6);
        for secret in &marked.secrets {
            assert!(!log.contains(secret), "{secret} is in the log");
            assert!(!contains(&data, secret), "{secret} is in the database");
        }
        for session in &marked.sessions {
            assert!(!log.contains(session), "{session} is in the log");
            assert!(!contains(&data, session), "{session} is in the database");
        }
        assert!(!log.contains("MARKED"), "{log}");
    }
}
