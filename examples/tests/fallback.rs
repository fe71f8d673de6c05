//! The fallback pages over HTTP (rules F1 to F5). That every page has its headers, its labels and nothing
//! executable but our own is checked in [`Html::check`], for each of them.
//!
//! [`Html::check`]: matrix_uia_page_reader::Html::check

use crate::support::{Answer, Client, Setup, password_auth, percent, text, with};
use matrix_uia_page_reader::Html;
use serde_json::{Value, json};

/// As much of an attribute's end as a URL may have.
const LINK: &str = "https://example.org/?'onclick=alert(1)//&lt";

/// A field, and what is typed into it.
type Typed = (&'static str, &'static str);

const MARKUP: &str = "\"'></title><script>alert(1)</script><img src=x onerror=alert(1)>";

fn config() -> Value {
    json!({
        "flows": {
            "register": [["m.login.registration_token", "m.login.recaptcha", "m.login.terms", "m.login.dummy"]],
            "password": [["m.login.password", "org.example.pin"]],
            "deactivate": [["m.login.sso"]],
        },
        "params": {
            "m.login.recaptcha": { "public_key": "a-key" },
            "m.login.terms": { "policies": {
                "terms": {
                    "version": "1.2",
                    "en": { "name": "Terms of Service", "url": "https://example.org/terms-en" },
                    "fr": { "name": "Conditions", "url": "https://example.org/terms-fr" },
                },
                "privacy": { "version": "7", "en": { "name": MARKUP, "url": LINK } },
            } },
        },
        "recaptcha_accepts": ["good-captcha"],
        "registration_tokens": [{ "token": "good-token", "uses_allowed": 1 }],
    })
}

fn carol() -> Value {
    json!({ "username": "carol", "password": "christmas" })
}

fn at(stage: &str, session: &str) -> String {
    format!("auth/{}/fallback/web?session={}", percent(stage), percent(session))
}

/// Sends the page's own form, with what its user typed.
#[track_caller]
fn fill_in(client: &Client, stage: &str, session: &str, typed: &[(&str, &str)]) -> Answer {
    let page = client.page(&at(stage, session), "");
    assert_eq!(page.status, 200, "{page}");
    let fields = page.html().fields();
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<_> = fields.chain(typed.iter().copied()).collect();
    client.form(&at(stage, session), "", &fields)
}

fn poll(client: &Client, session: &str) -> Answer {
    client.post("register", None, &with(&carol(), "auth", json!({ "session": session })))
}

fn runs_the_script(page: &Html) -> bool {
    let script = "if (window.onAuthDone) {\n    window.onAuthDone();\n} else if (window.opener && window.opener.postMessage) {\n    window.opener.postMessage(\"authDone\", \"*\");\n}\n";
    page.all("script").any(|tag| tag.text.trim_start_matches('\n') == script)
}

#[test]
fn f01_every_stage_of_a_flow_is_completed_on_its_page() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let steps: [(&str, &str, &[Typed]); 4] = [
        ("m.login.registration_token", "Enter your registration token", &[("token", "good-token")]),
        ("m.login.recaptcha", "Show that you are human", &[("g-recaptcha-response", "good-captcha")]),
        ("m.login.terms", "Read and accept the terms", &[]),
        ("m.login.dummy", "Continue", &[]),
    ];
    let mut completed = Vec::new();
    for (stage, heading, typed) in steps {
        let page = client.page(&at(stage, &session), "").shows(200, heading);
        assert!(page.text().contains("create an account"), "what it is for");
        assert!(typed.iter().all(|(name, _)| page.asks_for(name)));
        assert!(!runs_the_script(&page));
        poll(&client, &session).continued(&completed);
        let done = fill_in(&client, stage, &session, typed).shows(200, "Done");
        assert!(runs_the_script(&done));
        completed.push(stage);
        if completed.len() < steps.len() {
            poll(&client, &session).continued(&completed);
            // Once more, by whoever goes back or presses twice: nothing is verified again.
            client.form(&at(stage, &session), "", &[("session", &session)]).shows(200, "Done");
            client.page(&at(stage, &session), "").shows(200, "Done");
        }
    }
    assert_eq!(text(&poll(&client, &session).ok(), "user_id"), "@carol:localhost");
    client.page(&at("m.login.dummy", &session), "").shows(404, "This can’t go on");
}

#[test]
fn f01_the_version_prefix_makes_no_difference_and_the_session_may_be_in_the_form() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let path = "/_matrix/client/r0/auth/m.login.dummy/fallback/web";
    client.page(&format!("{path}?session={session}"), "").shows(200, "Continue");
    client.form(path, "", &[("session", &session)]).shows(200, "Done");
    poll(&client, &session).ok();
}

#[test]
fn f01_what_there_is_no_page_for() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    for path in ["auth/m.login.dummy/fallback/web", "auth/m.login.dummy/fallback/web?session="] {
        client.get(path, None).rejected(400, "M_MISSING_PARAM");
        client.form(path, "", &[]).rejected(400, "M_MISSING_PARAM");
        client.form(path, "", &[("session", "")]).rejected(400, "M_MISSING_PARAM");
    }
    for unknown in ["x", &"A".repeat(32), MARKUP, "\u{e9}", &"x".repeat(300)] {
        for answer in [
            client.page(&at("m.login.registration_token", unknown), ""),
            client.form(
                &at("m.login.registration_token", "x"),
                "",
                &[("session", unknown), ("token", "good-token")],
            ),
        ] {
            let page = answer.shows(404, "This can’t go on");
            assert_eq!(page.problem().as_deref(), Some("The session is unknown, or has expired."));
        }
    }
    // In no flow, not the next of one, and of another operation.
    for stage in ["m.login.msisdn", "m.login.sso", "m.login.terms", "org.example.pin", MARKUP] {
        let page = client.page(&at(stage, &session), "").shows(400, "This can’t go on");
        assert!(page.problem().unwrap().contains("This stage is not one"), "{page:?}");
        client.form(&at(stage, &session), "", &[("session", &session)]).shows(400, "This can’t go on");
    }
    for form in ["%", "session=%FF", "session=a&session=b"] {
        let path = at("m.login.registration_token", &session);
        client.send("POST", &path, None, Some(form.as_bytes())).shows(400, "This can’t go on");
    }
    poll(&client, &session).continued(&[]);
}

#[test]
fn u17_what_fails_on_a_page_counts_like_any_attempt() {
    let mut config = config();
    config["uia"] = json!({ "max_failed_attempts": 3 });
    let server = Setup::new(config).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let token = "m.login.registration_token";
    // What can't be an attempt is none.
    for typed in ["", "not a token", &"x".repeat(65)] {
        let page = client.form(&at(token, &session), "", &[("token", typed)]);
        assert!(page.shows(400, "Enter your registration token").problem().is_some());
    }
    for _ in 0..2 {
        let page = fill_in(&client, token, &session, &[("token", "wrong")]);
        let page = page.shows(403, "Enter your registration token");
        assert_eq!(page.problem().as_deref(), Some("The registration token is not valid."));
        assert!(page.asks_for("token") && page.fields().contains(&("session".into(), session.clone())));
    }
    // The third by an auth dict: it is one count.
    let wrong = json!({ "type": token, "token": "wrong", "session": session });
    client.post("register", None, &with(&carol(), "auth", wrong)).failed(&[], "M_UNAUTHORIZED");
    client.form(&at(token, &session), "", &[("token", "good-token")]).shows(429, "This can’t go on");
    client.page(&at(token, &session), "").shows(429, "This can’t go on");
    poll(&client, &session).rejected(429, "M_LIMIT_EXCEEDED");
    // Nothing was reserved by all that.
    let other = client.post("register", None, &carol()).asked();
    fill_in(&client, token, &other, &[("token", "good-token")]).shows(200, "Done");
}

#[test]
fn u17_a_page_is_no_way_around_the_limit_per_user() {
    let server =
        Setup::new(json!({ "rate_limits": { "failed_auth": { "burst": 2, "per_second": 0.001 } } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let begin =
        || client.post("account/password", Some(&token), &json!({ "new_password": "looking-glass" })).asked();
    // Three requests, so that the guess itself comes to another process each time.
    let guess = |password: &str| {
        let page = fill_in(&client, "m.login.password", &begin(), &[("password", password)]);
        page.shows(if page.status == 403 { 403 } else { 429 }, "Enter your password");
        page.status
    };
    // Each process counts for itself.
    let processes = server.processes();
    let failed = (0..4 * processes).filter(|_| guess("white-rabbit") == 403).count();
    assert_eq!(failed, 2 * processes);
    assert_eq!(guess("wonderland"), 429);
    client
        .change_password(&token, "looking-glass", password_auth("alice", "wonderland"))
        .rejected(429, "M_LIMIT_EXCEEDED");
    assert_eq!(client.login("alice", "wonderland").status, 200, "a stranger's is another counter");
}

#[test]
fn u09_the_password_page_takes_the_session_s_user_and_no_other() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let body = json!({ "new_password": "looking-glass" });
    let session = client.post("account/password", Some(&token), &body).asked();
    let page = client.page(&at("m.login.password", &session), "").shows(200, "Enter your password");
    assert!(page.text().contains("change your password") && page.text().contains("@alice:localhost"));
    let stage = at("m.login.password", &session);
    let others = [("user", "bob"), ("password", "builder-bob")];
    let page = client.form(&stage, "", &others).shows(403, "Enter your password");
    assert_eq!(page.problem().as_deref(), Some("These are not the credentials of the right account."));
    fill_in(&client, "m.login.password", &session, &[("password", "wonderland")]).shows(200, "Done");
    // A stage of the operator's own: confirmed on its page.
    let page = client.page(&at("org.example.pin", &session), "").shows(200, "Confirm that it is you");
    assert!(page.text().contains("org.example.pin"));
    fill_in(&client, "org.example.pin", &session, &[]).shows(200, "Done");
    let body = with(&body, "auth", json!({ "session": session }));
    let polled = client.post("account/password", Some(&token), &body);
    assert_eq!(polled.ok(), json!({}));
    client.login("alice", "looking-glass").ok();
}

#[test]
fn f03_a_confirmation_says_what_and_for_whom_and_a_get_confirms_nothing() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let session = client.post("account/deactivate", Some(&token), &json!({ "erase": false })).asked();
    let other = client.post("account/deactivate", Some(&token), &json!({ "erase": false })).asked();
    let ask = |session: &str| {
        client.post("account/deactivate", Some(&token), &json!({ "auth": { "session": session } }))
    };
    for _ in 0..3 {
        let page = client.page(&at("m.login.sso", &session), "").shows(200, "Confirm that it is you");
        assert!(page.text().contains("deactivate your account") && page.text().contains("@alice:localhost"));
        ask(&session).continued(&[]);
    }
    // Another site had a browser send the form.
    for site in ["cross-site", "same-site"] {
        let headers = format!("Sec-Fetch-Site: {site}\r\n");
        client
            .form(&at("m.login.sso", &session), &headers, &[("session", &session)])
            .shows(403, "This can’t go on");
    }
    ask(&session).continued(&[]);
    client
        .form("auth/m.login.sso/fallback/web", "Sec-Fetch-Site: same-origin\r\n", &[("session", &session)])
        .shows(200, "Done");
    // Lesson 37: it is for this session and nothing else, and once.
    ask(&other).continued(&[]);
    let body = json!({ "new_password": "looking-glass", "auth": { "session": session } });
    client.post("account/password", Some(&token), &body).rejected(403, "M_FORBIDDEN");
    ask(&session).ok();
    client.form("auth/m.login.sso/fallback/web", "", &[("session", &session)]).shows(404, "This can’t go on");
}

#[test]
fn f03_a_session_from_before_the_account_s_password_was_changed_is_over() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let session = client.post("account/deactivate", Some(&token), &json!({})).asked();
    let body = json!({ "new_password": "looking-glass", "logout_devices": false });
    let change = client.post("account/password", Some(&token), &body).asked();
    let auth = with(&password_auth("alice", "wonderland"), "session", change.as_str());
    let attempt = with(&body, "auth", auth);
    client.post("account/password", Some(&token), &attempt).continued(&["m.login.password"]);
    fill_in(&client, "org.example.pin", &change, &[]).shows(200, "Done");
    let polled = with(&body, "auth", json!({ "session": change }));
    client.post("account/password", Some(&token), &polled).ok();
    client.page(&at("m.login.sso", &session), "").shows(404, "This can’t go on");
    client.form(&at("m.login.sso", &session), "", &[("session", &session)]).shows(404, "This can’t go on");
}

#[test]
fn u21_the_terms_page_links_to_the_language_that_is_wanted() {
    let mut config = config();
    config["flows"]["register"] = json!([["m.login.terms"]]);
    let server = Setup::new(config).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let path = at("m.login.terms", &session);
    for (headers, name, url) in [
        ("", "Terms of Service", "https://example.org/terms-en"),
        ("Accept-Language: fr-CA, en;q=0.5\r\n", "Conditions", "https://example.org/terms-fr"),
        ("Accept-Language: it\r\n", "Terms of Service", "https://example.org/terms-en"),
    ] {
        let page = client.page(&path, headers).shows(200, "Read and accept the terms");
        let links: Vec<_> =
            page.all("a").map(|tag| (tag.text.as_str(), tag.attributes["href"].as_str())).collect();
        assert_eq!(links, [(MARKUP, LINK), (name, url)]);
        assert!(page.text().contains("Version 1.2") && page.text().contains("Version 7"));
    }
}

/// Lesson 36.
#[test]
fn u21_who_was_shown_the_old_terms_is_shown_the_new() {
    let mut setup = Setup::kept(config());
    setup.config()["flows"]["register"] = json!([["m.login.terms"]]);
    let server = setup.start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let read = client.page(&at("m.login.terms", &session), "").html().fields();
    server.kill();
    setup.config()["params"]["m.login.terms"]["policies"]["terms"]["version"] = "1.3".into();
    let server = setup.start();
    let client = server.client();
    let fields: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for fields in [&fields[..], &[("session", session.as_str())], &[("session", &session), ("terms", "x")]] {
        let page = client.form(&at("m.login.terms", &session), "", fields);
        let page = page.shows(409, "Read and accept the terms");
        assert!(page.problem().unwrap().contains("changed") && page.text().contains("Version 1.3"));
    }
    fill_in(&client, "m.login.terms", &session, &[]).shows(200, "Done");
    poll(&client, &session).ok();
}

#[test]
fn f04_the_login_page_forwards_what_is_no_credential() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let forwarded = |query: &str| {
        let page = client.page(&format!("/_matrix/static/client/login/{query}"), "").shows(200, "Sign in");
        assert!(page.asks_for("user") && page.asks_for("password"));
        let script =
            page.all("script").find(|tag| tag.attributes.contains_key("nonce")).unwrap().text.clone();
        assert!(script.contains("window.matrixLogin.onLogin(response)"));
        let data = page.all("script").find(|tag| !tag.attributes.contains_key("nonce")).unwrap().text.clone();
        serde_json::from_str::<Value>(&data).unwrap()
    };
    assert_eq!(forwarded(""), json!({}));
    let query =
        "?device_id=GHTYAJCE&refresh_token=true&user=eve&password=p&type=m.login.token&token=t&identifier=x";
    assert_eq!(forwarded(query), json!({ "device_id": "GHTYAJCE", "refresh_token": true }));
    let name = format!("</script>{MARKUP}<!-- é \\ & ");
    let query = format!("?initial_device_display_name={}&refresh_token=1", percent(&name));
    assert_eq!(forwarded(&query), json!({ "initial_device_display_name": name }));
    client.page("/_matrix/static/client/login/?a=%", "").shows(400, "This can’t go on");
    let legacy = Setup::new(json!({ "legacy_login": false })).start();
    legacy.client().get("/_matrix/static/client/login/", None).rejected(404, "M_UNRECOGNIZED");
}

#[test]
fn u17_nothing_of_a_page_is_in_the_log() {
    let server = Setup::new(config()).start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    client.page(&at("m.login.registration_token", &session), "");
    fill_in(&client, "m.login.registration_token", &session, &[("token", "guessed-token")]);
    fill_in(&client, "m.login.registration_token", &session, &[("token", "good-token")]);
    fill_in(&client, "m.login.recaptcha", &session, &[("g-recaptcha-response", "wrong-captcha")]);
    let log = server.log();
    for secret in [session.as_str(), "guessed-token", "good-token", "wrong-captcha"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn f01_an_address_is_confirmed_by_the_link_that_its_page_has_sent() {
    let config = json!({ "flows": { "register": [["m.login.email.identity", "m.login.msisdn"]] },
        "threepid_denied_domains": ["denied.example"] });
    let setup = Setup::sending(config);
    let server = setup.start();
    let client = server.client();
    let session = client.post("register", None, &carol()).asked();
    let email = "m.login.email.identity";
    for (typed, status) in [("", 400), ("carol", 400), ("carol@denied.example", 403)] {
        let page = fill_in(&client, email, &session, &[("email", typed)]);
        assert!(page.shows(status, "Confirm your e-mail address").problem().is_some());
    }
    client.page(&at(email, &session), "").shows(200, "Confirm your e-mail address");
    assert!(setup.outbox().is_empty(), "nothing but the form sends anything");
    let waits = fill_in(&client, email, &session, &[("email", " Carol@example.org")]);
    let waits = waits.shows(200, "Check your e-mail").fields();
    let waits: Vec<_> = waits.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let message = setup.last_message();
    assert_eq!(
        (message.text("address"), message.text("purpose")),
        ("carol@example.org".into(), "register".into())
    );
    // Too early: not yet, and no failure.
    let early = client.form(&at(email, &session), "", &waits).shows(200, "Check your e-mail");
    assert!(early.problem().is_some());
    client.page(&message.link(), "").shows(200, "Confirm your address");
    client.form(&at(email, &session), "", &waits).shows(200, "Check your e-mail");
    message.press(client).shows(200, "Address confirmed");
    client.form(&at(email, &session), "", &waits).shows(200, "Done");
    poll(&client, &session).continued(&[email]);

    let msisdn = "m.login.msisdn";
    let number = [("country", "gb"), ("phone_number", "07700 900001")];
    let waits = fill_in(&client, msisdn, &session, &number).shows(200, "Check your messages").fields();
    let waits: Vec<_> = waits.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(setup.last_message().text("address"), "447700900001");
    setup.last_message().submit(client).ok();
    // Nobody else's secret.
    let wrong: Vec<_> = waits
        .iter()
        .map(|(name, value)| (*name, if *name == "client_secret" { "guess" } else { value }))
        .collect();
    client.form(&at(msisdn, &session), "", &wrong).shows(403, "Confirm your phone number");
    client.form(&at(msisdn, &session), "", &waits).shows(200, "Done");
    let user = text(&poll(&client, &session).ok(), "access_token");
    let bound = client.get("account/3pid", Some(&user)).ok();
    assert_eq!(bound["threepids"].as_array().unwrap().len(), 2, "{bound}");
}

#[test]
fn f03_an_oauth_approval_is_the_page_s_button() {
    let flows = json!({ "device_signing": [["m.oauth"]] });
    let params = json!({ "m.oauth": { "url": "https://example.org/account" } });
    let server = Setup::new(json!({ "flows": flows, "params": params })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let key = |name: &str| {
        let keys = json!({ format!("ed25519:{name}"): name });
        json!({ "master_key": { "user_id": "@alice:localhost", "usage": ["master"], "keys": keys } })
    };
    let upload = |body: &Value| client.post("keys/device_signing/upload", Some(&token), body);
    upload(&key("first")).ok();
    let session = upload(&key("second")).asked();
    let page = client.page(&at("m.oauth", &session), "").shows(200, "Confirm that it is you");
    assert!(page.text().contains("reset your digital identity") && page.text().contains("@alice:localhost"));
    let poll = with(&key("second"), "auth", json!({ "session": session }));
    upload(&poll).continued(&[]);
    // By its earlier name it is the same stage.
    client.page(&at("org.matrix.cross_signing_reset", &session), "").shows(200, "Confirm that it is you");
    fill_in(&client, "m.oauth", &session, &[]).shows(200, "Done");
    upload(&poll).ok();
    upload(&key("third")).asked();
}

/// Rule A1.
#[test]
fn a01_a_locked_account_s_sessions_stand_still_on_pages_too() {
    let users = json!([
        { "localpart": "alice", "password": "wonderland" },
        { "localpart": "root", "password": "root-of-all", "admin": true },
    ]);
    let server = Setup::new(json!({ "users": users, "flows": { "deactivate": [["m.login.sso"]] } })).start();
    let client = server.client();
    let (token, root) = (client.token("alice", "wonderland"), client.token("root", "root-of-all"));
    let session = client.post("account/deactivate", Some(&token), &json!({})).asked();
    let lock = |locked: bool| {
        let path = "/_matrix/client/v1/admin/lock/@alice:localhost";
        client.send("PUT", path, Some(&root), Some(json!({ "locked": locked }).to_string().as_bytes())).ok();
    };
    lock(true);
    client.page(&at("m.login.sso", &session), "").shows(401, "This can’t go on");
    client.form(&at("m.login.sso", &session), "", &[("session", &session)]).shows(401, "This can’t go on");
    lock(false);
    let ask = json!({ "auth": { "session": session } });
    client.post("account/deactivate", Some(&token), &ask).continued(&[]);
    fill_in(&client, "m.login.sso", &session, &[]).shows(200, "Done");
    client.post("account/deactivate", Some(&token), &ask).ok();
}
