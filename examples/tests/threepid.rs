//! Validating addresses (rules P7, F5), through the outbox.

use serde_json::{Value, json};

use crate::support::{Client, Setup, password_auth, text, with};

fn alice_with_email() -> Value {
    json!([
        { "localpart": "alice", "password": "wonderland", "threepids": [
            { "medium": "email", "address": "alice@example.org", "id_server": "id.example.org" },
            { "medium": "msisdn", "address": "447700900001" }] },
        { "localpart": "bob", "password": "builder-bob" },
    ])
}

pub(super) fn sending(config: Value) -> Setup {
    Setup::sending(with(&config, "users", alice_with_email()))
}

pub(super) fn email(address: &str, send_attempt: i64) -> Value {
    json!({ "client_secret": "monkeys_are_GREAT", "email": address, "send_attempt": send_attempt })
}

pub(super) fn phone(country: &str, number: &str) -> Value {
    json!({ "client_secret": "monkeys_are_GREAT", "country": country, "phone_number": number, "send_attempt": 1 })
}

/// Asks, validates, and adds: the answer.
#[track_caller]
pub(super) fn add(client: Client, token: &str, creds: &Value, password: &str) -> crate::support::Answer {
    let auth = password_auth(if password == "wonderland" { "alice" } else { "bob" }, password);
    client.post("account/3pid/add", Some(token), &with(creds, "auth", auth))
}

pub(super) const EMAIL: [&str; 3] =
    ["register/email/requestToken", "account/password/email/requestToken", "account/3pid/email/requestToken"];
pub(super) const MSISDN: [&str; 3] = [
    "register/msisdn/requestToken",
    "account/password/msisdn/requestToken",
    "account/3pid/msisdn/requestToken",
];

/// `curl -d '{…}'` says that it sends a form.
#[test]
fn a_token_as_json_is_read_whatever_it_is_called() {
    let setup = Setup::sending(json!({}));
    let server = setup.start();
    let client = server.client();
    let asked = json!({ "client_secret": "monkeys", "email": "carol@example.org", "send_attempt": 1 });
    client.post("register/email/requestToken", None, &asked).ok();
    let message = setup.last_message();
    let submission = message.submission().to_string();
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = client.raw("POST", &message.path(), kind, submission.as_bytes());
    assert_eq!(answer.ok(), json!({ "success": true }));
}

#[test]
fn a_body_is_refused_key_by_key() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    let good = email("new@example.org", 1);
    let sms = phone("GB", "07700900123");
    for (body, key, value, code) in [
        (&good, "client_secret", json!(null), "M_MISSING_PARAM"),
        (&good, "client_secret", json!(7), "M_BAD_JSON"),
        (&good, "client_secret", json!(""), "M_INVALID_PARAM"),
        (&good, "client_secret", json!("a b"), "M_INVALID_PARAM"),
        (&good, "client_secret", json!("x".repeat(256)), "M_INVALID_PARAM"),
        (&good, "send_attempt", json!(null), "M_MISSING_PARAM"),
        (&good, "send_attempt", json!("1"), "M_BAD_JSON"),
        (&good, "send_attempt", json!(1.5), "M_BAD_JSON"),
        (&good, "email", json!(null), "M_MISSING_PARAM"),
        (&good, "email", json!(["a@b"]), "M_BAD_JSON"),
        (&good, "email", json!("a@evil@good"), "M_INVALID_PARAM"),
        (&good, "email", json!("nobody"), "M_INVALID_PARAM"),
        (&good, "email", json!(format!("{}@b", "a".repeat(500))), "M_INVALID_PARAM"),
        (&good, "next_link", json!("javascript:alert(1)"), "M_INVALID_PARAM"),
        (&good, "next_link", json!("file:///etc/passwd"), "M_INVALID_PARAM"),
        (&good, "next_link", json!(1), "M_BAD_JSON"),
        (&sms, "country", json!(null), "M_MISSING_PARAM"),
        (&sms, "country", json!("XX"), "M_INVALID_PARAM"),
        (&sms, "country", json!("GBR"), "M_INVALID_PARAM"),
        (&sms, "country", json!(44), "M_BAD_JSON"),
        (&sms, "phone_number", json!(null), "M_MISSING_PARAM"),
        (&sms, "phone_number", json!("not a number"), "M_INVALID_PARAM"),
    ] {
        let paths = if body == &good { EMAIL } else { MSISDN };
        for path in paths {
            let answer = client.post(path, None, &with(body, key, value.clone()));
            let code = (answer.status, answer.json()["errcode"].as_str()) == (400, Some(code));
            assert!(code, "{path} {key}: {answer}");
        }
    }
    assert_eq!(setup.outbox().len(), 0);
}

#[test]
fn what_is_sent_depends_on_the_attempt_and_on_everything_that_was_asked() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    let ask = |path: &str, body: &Value| text(&client.post(path, None, body).ok(), "sid");
    let first = ask(EMAIL[0], &email("New@Example.org", 1));
    let message = setup.last_message();
    assert_eq!(message.text("address"), "new@example.org");
    assert_eq!((message.text("medium"), message.text("purpose")), ("email".into(), "register".into()));
    assert_eq!((message.sid(), message.text("client_secret")), (first.clone(), "monkeys_are_GREAT".into()));
    assert_eq!(message.0.as_object().unwrap().len(), 7);
    for (attempt, sent) in [(1, 1), (0, 1), (-1, 1), (2, 2), (2, 2), (1, 2), (7, 3)] {
        assert_eq!(ask(EMAIL[0], &email("new@example.org", attempt)), first);
        assert_eq!(setup.outbox().len(), sent, "{attempt}");
    }
    let mut sids = vec![first];
    for (path, body) in [
        (EMAIL[0], email("other@example.org", 1)),
        (EMAIL[0], with(&email("new@example.org", 1), "client_secret", "another")),
        (EMAIL[2], email("new@example.org", 1)),
        (MSISDN[0], phone("GB", "07700900123")),
    ] {
        let sid = ask(path, &body);
        assert!(!sids.contains(&sid));
        sids.push(sid);
    }
    let token = client.token("bob", "builder-bob");
    let sid = text(&client.post(EMAIL[2], Some(&token), &email("new@example.org", 1)).ok(), "sid");
    assert!(!sids.contains(&sid));
    assert_eq!(setup.outbox().len(), 8);
}

#[test]
fn whether_there_is_a_token_depends_on_who_has_the_address() {
    for hidden in [false, true] {
        let setup = sending(json!({ "hide_threepid_existence": hidden }));
        let server = setup.start();
        let client = server.client();
        let taken = (email("Alice@example.org", 1), phone("GB", "07700 900001"));
        let free = (email("free@example.org", 1), phone("GB", "07700 900002"));
        for (index, code) in [(0, "M_THREEPID_IN_USE"), (1, "M_THREEPID_NOT_FOUND"), (2, "M_THREEPID_IN_USE")]
        {
            let (right, wrong) = if index == 1 { (&taken, &free) } else { (&free, &taken) };
            for (path, right, wrong) in
                [(EMAIL[index], &right.0, &wrong.0), (MSISDN[index], &right.1, &wrong.1)]
            {
                let sent = client.post(path, None, right).ok();
                assert_ne!(setup.last_message().text("purpose"), "notice");
                let before = setup.outbox().len();
                let answer = client.post(path, None, wrong);
                if !hidden {
                    answer.rejected(400, code);
                    assert_eq!(setup.outbox().len(), before);
                    continue;
                }
                let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
                assert_eq!(keys(&answer.ok()), keys(&sent), "the two look alike");
                assert_eq!(text(&answer.ok(), "sid").len(), text(&sent, "sid").len());
                let notice = setup.last_message();
                assert_eq!(keys(&notice.0), ["address", "client_secret", "medium", "purpose"]);
                assert_eq!(notice.text("purpose"), "notice");
                // And they behave alike: the same sid again, nothing sent, and a token that is wrong.
                assert_eq!(client.post(path, None, wrong).ok(), answer.ok());
                assert_eq!(setup.outbox().len(), before + 1);
                let guess =
                    json!({ "sid": answer.ok()["sid"], "client_secret": "monkeys_are_GREAT", "token": "x" });
                let submit = setup.outbox()[0].path();
                client.post(&submit, None, &guess).rejected(400, "M_TOKEN_INCORRECT");
            }
        }
    }
}

#[test]
fn what_the_server_does_not_do_it_says() {
    let denied = json!({ "threepid_denied_domains": ["Denied.example"] });
    let setup = sending(denied);
    let server = setup.start();
    let client = server.client();
    for path in EMAIL {
        client.post(path, None, &email("a@denied.EXAMPLE", 1)).rejected(403, "M_THREEPID_DENIED");
    }
    let server = Setup::new(json!({})).start();
    for (email_path, sms_path) in EMAIL.into_iter().zip(MSISDN) {
        for answer in [
            server.client().post(email_path, None, &email("a@b", 1)),
            server.client().post(sms_path, None, &phone("GB", "07700900123")),
        ] {
            answer.rejected(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
        }
    }
    let servers = json!({ "good.example": { "trusted": true }, "bad.example": { "trusted": false } });
    let with_server = |server: &str| with(&email("a@b", 1), "id_server", server);
    let setup = sending(json!({ "identity_servers": servers, "strict_id_server": true }));
    let server = setup.start();
    server.client().post(EMAIL[0], None, &with_server("good.example")).ok();
    for bad in ["bad.example", "unknown.example"] {
        server.client().post(EMAIL[0], None, &with_server(bad)).rejected(400, "M_SERVER_NOT_TRUSTED");
    }
    let setup = sending(json!({ "identity_servers": servers }));
    let server = setup.start();
    for any in ["good.example", "bad.example", "unknown.example"] {
        server.client().post(EMAIL[0], None, &with_server(any)).ok();
    }
    let setup = sending(json!({ "legacy_login": false, "capabilities": { "m.3pid_changes": false } }));
    let server = setup.start();
    for path in [EMAIL[0], EMAIL[1], MSISDN[0], MSISDN[1]] {
        server.client().post(path, None, &email("a@b", 1)).rejected(404, "M_UNRECOGNIZED");
    }
    server.client().post(EMAIL[2], None, &email("a@b", 1)).rejected(403, "M_FORBIDDEN");
}

#[test]
fn asking_too_often_is_limited_by_peer_and_by_address() {
    let setup = sending(json!({ "rate_limits": { "request_token": { "burst": 2, "per_second": 0.001 } } }));
    let server = setup.start();
    let client = server.client();
    for n in 0..2 {
        client.post(EMAIL[0], None, &email(&format!("{n}@example.org"), 1)).ok();
    }
    client.post(EMAIL[0], None, &email("3@example.org", 1)).rejected(429, "M_LIMIT_EXCEEDED");
    assert_eq!(setup.outbox().len(), 2);
}

#[test]
fn p07_messages_to_one_address_are_limited_whoever_asks_for_them() {
    let limits = json!({ "messages_per_recipient": { "burst": 2, "per_second": 0.001 } });
    let setup = sending(json!({ "rate_limits": limits, "trusted_proxies": ["127.0.0.1"] }));
    let server = setup.start();
    // Each with a client secret of its own, from somewhere else, and in another spelling.
    let ask = |n: usize, address: &str| {
        let body = with(&email(address, 1), "client_secret", format!("secret{n}"));
        let headers = format!("Content-Type: application/json\r\nX-Forwarded-For: 203.0.113.{n}\r\n");
        server.client().raw("POST", EMAIL[0], &headers, body.to_string().as_bytes())
    };
    ask(1, "new@example.org").ok();
    ask(2, "NEW@example.org").ok();
    ask(3, "new@EXAMPLE.org").rejected(429, "M_LIMIT_EXCEEDED");
    ask(3, "other@example.org").ok();
    assert_eq!(setup.outbox().len(), 3);
}

#[test]
fn opening_a_link_changes_nothing_and_its_button_validates() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    let link = "https://example.org/next?a=b&c";
    client.post(EMAIL[2], None, &with(&email("new+\'tag@example.org", 1), "next_link", link)).ok();
    let message = setup.last_message();
    for _ in 0..3 {
        let page = client.get(&message.link(), None).page(200);
        assert!(page.contains("new+&#39;tag@example.org") && !page.contains("<script"), "{page}");
        assert_eq!(page.matches("<button").count(), 1, "{page}");
        assert_eq!(page.matches("method=\"post\"").count(), 1, "{page}");
    }
    let token = client.token("bob", "builder-bob");
    add(client, &token, &message.creds(), "builder-bob").rejected(400, "M_THREEPID_AUTH_FAILED");
    let answer = message.press(client);
    assert_eq!((answer.status, answer.header("location")), (302, Some(link)), "{answer}");
    add(client, &token, &message.creds(), "builder-bob").ok();
    // It is used up.
    client.get(&message.link(), None).page(400);
    message.press(client).page(400);
}

#[test]
fn a_link_that_is_wrong_is_a_page_that_says_so() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    client.post(EMAIL[0], None, &email("new@example.org", 1)).ok();
    let message = setup.last_message();
    let path = message.path();
    for query in [
        String::new(),
        "?sid=x".to_owned(),
        message.link()[path.len()..].replace("monkeys", "donkeys"),
        format!("?sid={}&client_secret=%3Cscript%3E&token=x", message.sid()),
    ] {
        let page = client.get(&format!("{path}{query}"), None).page(400);
        assert!(!page.contains("<script") && !page.contains("new@example.org"), "{page}");
    }
    let sid = message.sid();
    let wrong = [("sid", &*sid), ("client_secret", "monkeys_are_GREAT"), ("token", "\"><script>")];
    client.post_form(&path, &wrong).page(400);
    let page = message.press(client).page(200);
    assert!(!page.contains("<form"), "{page}");
}

#[test]
fn a_token_is_submitted_as_json_in_the_identity_services_terms() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    let answer = client.post(MSISDN[0], None, &phone("US", "+44 7700 900123")).ok();
    let message = setup.last_message();
    assert_eq!(message.text("address"), "447700900123");
    assert_eq!(answer["submit_url"], message.0["submit_url"], "a number's token is typed in");
    let path = message.path();
    let right = message.submission();
    for (key, value, code) in [
        ("sid", json!(null), "M_MISSING_PARAM"),
        ("sid", json!(1), "M_BAD_JSON"),
        ("client_secret", json!(null), "M_MISSING_PARAM"),
        ("token", json!(null), "M_MISSING_PARAM"),
        ("token", json!(""), "M_INVALID_PARAM"),
        ("sid", json!("unknown"), "M_NO_VALID_SESSION"),
        ("client_secret", json!("another"), "M_NO_VALID_SESSION"),
        ("token", json!("wrong"), "M_TOKEN_INCORRECT"),
    ] {
        client.post(&path, None, &with(&right, key, value)).rejected(400, code);
    }
    for _ in 0..2 {
        assert_eq!(message.submit(client).ok(), json!({ "success": true }));
    }
    client.post(&path, None, &with(&right, "token", "wrong")).rejected(400, "M_TOKEN_INCORRECT");
    assert_eq!(message.submit(client).ok(), json!({ "success": true }));
}

#[test]
fn guessing_ends_a_validation_and_a_new_message_begins_another() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    client.post(EMAIL[0], None, &email("new@example.org", 1)).ok();
    let first = setup.last_message();
    for _ in 0..10 {
        client
            .post(&first.path(), None, &with(&first.submission(), "token", "guess"))
            .rejected(400, "M_TOKEN_INCORRECT");
    }
    first.submit(client).rejected(400, "M_SESSION_EXPIRED");
    client.post(EMAIL[0], None, &email("new@example.org", 2)).ok();
    let second = setup.last_message();
    assert_ne!(first.sid(), second.sid());
    second.submit(client).ok();
}

#[test]
fn a_validation_ends_with_its_lifetime() {
    let setup = sending(json!({ "uia": { "session_lifetime_ms": 1000 } }));
    let server = setup.start();
    let client = server.client();
    client.post(EMAIL[0], None, &email("new@example.org", 1)).ok();
    let message = setup.last_message();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    message.submit(client).rejected(400, "M_SESSION_EXPIRED");
    message.press(client).page(400);
}

#[test]
fn no_secret_of_a_validation_reaches_the_log() {
    let setup = sending(json!({}));
    let server = setup.start();
    let client = server.client();
    client.post(EMAIL[0], None, &email("new@example.org", 1)).ok();
    let message = setup.last_message();
    client.get(&message.link(), None).page(200);
    message.press(client).page(200);
    message.submit(client).ok();
    let log = server.log();
    for key in ["sid", "client_secret", "token"] {
        assert!(!log.contains(&message.text(key)), "{log}");
    }
}

#[test]
fn a_validation_and_the_numbering_survive_a_restart() {
    let mut setup = sending(json!({}));
    setup.data = true;
    let server = setup.start();
    server.client().post(EMAIL[2], None, &email("new@example.org", 1)).ok();
    server.kill();
    let server = setup.start();
    let client = server.client();
    let sid = client.post(EMAIL[2], None, &email("new@example.org", 1)).ok();
    assert_eq!((&sid["sid"], setup.outbox().len()), (&setup.last_message().0["sid"], 1));
    let message = setup.last_message();
    let path = message.path();
    client.post(&path, None, &message.submission()).ok();
    server.kill();
    let server = setup.start();
    let client = server.client();
    let token = client.token("bob", "builder-bob");
    add(client, &token, &message.creds(), "builder-bob").ok();
    client.post(EMAIL[2], None, &email("newer@example.org", 1)).ok();
    assert_eq!(setup.outbox().len(), 2);
}
