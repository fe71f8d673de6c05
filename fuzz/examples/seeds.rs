//! Writes the named seeds: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! Bodies are those of the spec's examples and of deployed clients and servers.

use std::{fs, io, path::Path};

const AUTH: &[(&str, &str)] = &[
    ("absent", "null"),
    ("empty", "{}"),
    ("poll", r#"{"session":"xxxxxx"}"#),
    ("null-session", r#"{"type":"m.login.dummy","session":null}"#),
    (
        "password",
        r#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"<user_id or user localpart>"},"password":"<password>","session":"<session ID>"}"#,
    ),
    (
        "password-thirdparty",
        r#"{"type":"m.login.password","identifier":{"type":"m.id.thirdparty","medium":"email","address":"alice@example.org"},"password":"caf\u00e9 \ud83d\ude00","session":"s"}"#,
    ),
    (
        "password-phone",
        r#"{"type":"m.login.password","identifier":{"type":"m.id.phone","country":"GB","phone":"07700900000"},"password":"q\"b\\"}"#,
    ),
    (
        "password-phone-old",
        r#"{"type":"m.login.password","identifier":{"type":"m.id.phone","country":"GB","number":"07700900000"},"password":"p"}"#,
    ),
    ("password-old-user", r#"{"type":"m.login.password","user":"alice","password":"p","session":"s"}"#),
    (
        "password-old-thirdparty",
        r#"{"type":"m.login.password","medium":"email","address":"a@b","password":"p"}"#,
    ),
    ("recaptcha", r#"{"type":"m.login.recaptcha","response":"<captcha response>","session":"<session ID>"}"#),
    (
        "email",
        r#"{"type":"m.login.email.identity","threepid_creds":{"sid":"<identity server session id>","client_secret":"<identity server client secret>","id_server":"<url of identity server authed with, e.g. 'matrix.org:8090'>","id_access_token":"<access token previously registered with the identity server>"},"session":"<session ID>"}"#,
    ),
    (
        "email-good",
        r#"{"type":"m.login.email.identity","threepid_creds":{"sid":"abc123","client_secret":"monkeys_are_GREAT","id_server":"id.example.org","id_access_token":"t"},"session":"s"}"#,
    ),
    (
        "email-element",
        r#"{"type":"m.login.email.identity","threepidCreds":{"sid":"1","client_secret":"x"},"threepid_creds":{"sid":"1","client_secret":"x"}}"#,
    ),
    (
        "regress-threepid-null-after-old-spelling",
        r#"{"type":"m.login.email.identity","threepidCreds":{"sid":"1","client_secret":"x"},"threepid_creds":null}"#,
    ),
    ("msisdn", r#"{"type":"m.login.msisdn","threepid_creds":{"sid":"abc123","client_secret":"x"}}"#),
    ("dummy", r#"{"type":"m.login.dummy","session":"<session ID>"}"#),
    (
        "registration-token",
        r#"{"type":"m.login.registration_token","token":"fBVFdqVE","session":"<session ID>"}"#,
    ),
    ("terms", r#"{"type":"m.login.terms","session":"<session ID>"}"#),
    ("sso", r#"{"type":"m.login.sso","session":"s"}"#),
    ("oauth-unstable", r#"{"type":"org.matrix.cross_signing_reset","session":"s"}"#),
    ("custom", r#"{"type":"org.example.pin","pin":[1,{"a":null}],"session":"s","x":"\/"}"#),
    ("escaped-names", r#"{"\u0074ype":"m.login.\u0064ummy","sessi\u006fn":"s"}"#),
];

const REQUESTS: &[(&str, &str)] = &[
    ("regress-too-deep-and-cut-short", r#"{"]]]]":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]"#),
    (
        "request-token-email",
        r#"{"client_secret":"monkeys_are_GREAT","email":"Stra\u00dfe@Example.org","send_attempt":1,"next_link":"https://example.org/","id_server":"id.example.org","id_access_token":"t"}"#,
    ),
    (
        "request-token-msisdn",
        r#"{"client_secret":"monkeys_are_GREAT","country":"GB","phone_number":"07700900001","send_attempt":-1}"#,
    ),
    ("submit-token", r#"{"sid":"1234","client_secret":"monkeys_are_GREAT","token":"atoken"}"#),
    ("add-threepid", r#"{"sid":"abc123987","client_secret":"d0nt-T3ll","auth":{"session":"xxxxx"}}"#),
    ("delete-threepid", r#"{"medium":"email","address":"example@example.org","id_server":"example.org"}"#),
    (
        "password-change",
        r#"{"new_password":"ihatebananas","logout_devices":true,"auth":{"type":"example.type.foo","session":"xxxxx","example_credential":"verypoorsharedsecret"}}"#,
    ),
    (
        "password-auth",
        r#"{"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"p\u0041\"","session":"s"},"new_password":"\ud83d\ude00","logout_devices":false}"#,
    ),
    (
        "deactivate",
        r#"{"auth":{"session":"xxxxx","type":"example.type.foo"},"erase":true,"id_server":"example.org"}"#,
    ),
    (
        "register",
        r#"{"auth":{"example_credential":"verypoorsharedsecret","session":"xxxxx","type":"example.type.foo"},"device_id":"GHTYAJCE","inhibit_login":false,"initial_device_display_name":"Jungle Phone","password":"ilovebananas","refresh_token":true,"username":"cheeky_monkey"}"#,
    ),
    (
        "login",
        r#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"cheeky_monkey"},"password":"ilovebananas","device_id":"D","initial_device_display_name":"Jungle Phone","refresh_token":false}"#,
    ),
    (
        "delete-devices",
        r#"{"auth":{"session":"xxxxx","type":"m.login.dummy"},"devices":["QBUAZIFURK","AUIECTSRND"]}"#,
    ),
    ("empty", ""),
    ("null-everything", r#"{"new_password":null,"auth":null,"devices":null,"erase":null,"username":null}"#),
    ("duplicate", r#"{"auth":{"type":"a"},"\u0061uth":{}}"#),
    ("lone-surrogate", r#"{"new_password":"\ud800"}"#),
    ("deep", "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"),
    ("huge-number", r#"{"a":1e999,"b":-0.0E-400,"erase":false}"#),
    ("not-an-object", "[1]"),
    ("trailing", "{}x"),
    (
        "identifier-untyped",
        r#"{"auth":{"type":"m.login.password","identifier":{"user":"alice"},"password":"s"}}"#,
    ),
    ("brackets-in-a-string", "{\"]]]]\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]"),
];

const CHALLENGES: &[(&str, &str)] = &[
    (
        "initial",
        r#"{"flows":[{"stages":["example.type.foo","example.type.bar"]},{"stages":["example.type.foo","example.type.baz"]}],"params":{"example.type.baz":{"example_key":"foobar"}},"session":"xxxxxx"}"#,
    ),
    (
        "completed",
        r#"{"completed":["example.type.foo"],"flows":[{"stages":["example.type.foo","example.type.bar"]}],"params":{},"session":"xxxxxx"}"#,
    ),
    (
        "failed",
        r#"{"errcode":"M_FORBIDDEN","error":"Invalid password","completed":["example.type.foo"],"flows":[{"stages":["example.type.foo","example.type.bar"]}],"params":{"example.type.baz":{"example_key":"foobar"}},"session":"xxxxxx"}"#,
    ),
    (
        "terms",
        r#"{"flows":[{"stages":["m.login.terms"]}],"params":{"m.login.terms":{"policies":{"terms_of_service":{"version":"1.2","en":{"name":"Terms of Service","url":"https://example.org/somewhere/terms-1.2-en.html"}}}}},"session":"kasgjaelkgj"}"#,
    ),
    (
        "oauth",
        r#"{"flows":[{"stages":["m.oauth"]},{"stages":["org.matrix.cross_signing_reset"]}],"params":{"m.oauth":{"url":"u"},"org.matrix.cross_signing_reset":{"url":"v"}},"session":"s"}"#,
    ),
    (
        "odd",
        r#" {"flows" : [ {"stages":["a", 5 ,"m.login.dummy"]} , 7, {"x":1}, {"stages":[]} ], "completed" : null, "params":[], "errcode":"M_FORBIDDEN", "session": null} "#,
    ),
    ("token-error", r#"{"errcode":"M_UNKNOWN_TOKEN","error":"x","soft_logout":true}"#),
];

const ERRORS: &[(&str, &str)] = &[
    ("forbidden", r#"{"errcode":"M_FORBIDDEN","error":"You are not allowed to do this"}"#),
    ("limited", r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":2000}"#),
    ("limited-string", r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":"2000"}"#),
    ("limited-fraction", r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000.5}"#),
    ("regress-limited-exponent", r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1.5e3}"#),
    ("soft-logout", r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Soft logged out","soft_logout":true}"#),
    (
        "resource-limit",
        r#"{"errcode":"M_RESOURCE_LIMIT_EXCEEDED","error":"e","admin_contact":"mailto:a@b","limit_type":"monthly_active_user"}"#,
    ),
    (
        "user-limit",
        r#"{"errcode":"M_USER_LIMIT_EXCEEDED","error":"e","info_uri":"https:\/\/x","can_upgrade":true}"#,
    ),
    ("room-version", r#"{"errcode":"M_INCOMPATIBLE_ROOM_VERSION","error":"e","room_version":"11"}"#),
    ("current-version", r#"{"errcode":"M_WRONG_ROOM_KEYS_VERSION","error":"e","current_version":"42"}"#),
    ("custom", r#"{"errcode":"COM.EXAMPLE_CODE","error":"caf\u00e9","a":[1,{"b":null}]}"#),
    ("wrong-types", r#"{"errcode":5,"error":null,"retry_after_ms":"soon","soft_logout":"yes"}"#),
];

/// As `fuzz_targets/flows.rs` reads them: operation, order, stages by number, `FE` after
/// each flow, `FF` before the params.
const FLOWS: &[(&str, &[u8])] = &[
    ("password", &[1, 0, 0]),
    ("password-any-order", &[1, 1, 0, 5, 0xFE, 1, 10]),
    ("register-everything", &[0, 0, 1, 7, 5, 0xFE, 1, 7, 3, 0xFE, 1, 7, 4, 0xFE, 6, 7, 2]),
    ("oauth", &[2, 0, 8, 0xFE, 0]),
    ("oauth-unstable", &[2, 0, 9]),
    ("oauth-both", &[2, 0, 8, 0xFE, 9]),
    ("empty-flow", &[0, 0, 5, 0xFE, 0xFE]),
    ("repeated-stage", &[0, 0, 5, 0, 5]),
    ("repeated-flow", &[0, 0, 5, 0xFE, 0, 0xFE, 5]),
    ("shadowed", &[0, 0, 5, 0, 0xFE, 5]),
    ("nine-stages", &[0, 0, 20, 21, 22, 23, 24, 25, 26, 27, 28]),
    ("eight-stages", &[0, 0, 20, 21, 22, 23, 24, 25, 26, 27]),
    ("seventeen-flows", &[
        0, 0, 20, 0xFE, 21, 0xFE, 22, 0xFE, 23, 0xFE, 24, 0xFE, 25, 0xFE, 26, 0xFE, 27, 0xFE, 28, 0xFE, 29, 0xFE, 30,
        0xFE, 31, 0xFE, 32, 0xFE, 33, 0xFE, 34, 0xFE, 35, 0xFE, 36,
    ]),
    ("thirty-three-types", &[
        0, 0, 20, 21, 22, 23, 24, 25, 26, 27, 0xFE, 30, 31, 32, 33, 34, 35, 36, 37, 0xFE, 40, 41, 42, 43, 44, 45, 46,
        47, 0xFE, 50, 51, 52, 53, 54, 55, 56, 57, 0xFE, 60,
    ]),
    ("wrong-operation", &[1, 0, 7]),
    ("bad-names", &[0, 0, 12, 0xFE, 13, 0xFE, 14, 0xFE, 15, 0xFE, 17]),
    ("longest-name", &[0, 0, 16, 11]),
    ("name-given", b"\0\0\xFD\x03abc\xFE\x05"),
    ("params", b"\0\0\x01\x07\xFF{\"m.login.recaptcha\":{\"public_key\":\"k\"},\"m.login.terms\":{\"policies\":{}},\"m.login.sso\":{}}"),
    ("params-no-object", b"\0\0\x01\xFF[]"),
    ("params-no-objects", b"\0\0\x01\xFF{\"a\":1}"),
];

/// Forms, whose fields `a`, `b` and `c` go into pages.
const PAGES: &[(&str, &str)] = &[
    ("plain", "a=terms&b=1.2&c=https%3A%2F%2Fexample.org%2Fterms"),
    ("markup", "a=%3Cscript%3Ealert(1)%3C/script%3E&b=%22+onload%3D%22x&c=javascript:alert(1)"),
    ("url-with-quotes", "a='&b=&c=https://example.org/?'%3D%26lt;"),
    ("languages", "a=en&b=x&c=de-AT,%20de;q%3D0.8,%20*;q%3D0.1"),
    ("login", "device_id=GHTYAJCE&initial_device_display_name=%3C/script%3E%3C!--&refresh_token=true"),
    ("password", "session=s&user=alice&password=p%C3%A4ss"),
    ("turned-around", "a=%E2%80%AEgro.elpmaxe&b=%00%1B&c="),
];

/// As `fuzz_targets/server_ops.rs` reads them: policy and rules, then what happens.
const OPS: &[(&str, &[[u8; 6]])] = &[
    ("dummy-and-replay", &[[1, 0, 0, 0, 0, 3], BEGIN, attempt(0), SUCCEED, attempt(0), attempt(0)]),
    ("dummy-never-replayed", &[[2, 0, 0, 0, 0, 3], BEGIN, attempt(0), SUCCEED, attempt(0)]),
    ("dummy-after-the-replay-time", &[[1, 0, 0, 0, 0, 3], BEGIN, attempt(0), SUCCEED, later(41), attempt(0)]),
    ("one-shot", &[[1, 1, 1, 0, 0, 3], ONE_SHOT, PASS, GIVE_BACK, POLL, SUCCEED, POLL]),
    ("one-shot-off", &[[1, 1, 1, 2, 0, 3], ONE_SHOT, attempt(1), PASS, SUCCEED]),
    (
        "refused-for-params",
        &[[0, 1, 1, 0, 0, 3], BEGIN, attempt(1), PASS, [11, 0, 0, 0, 0, 3], [0, 0, 26, 1, 0, 0]],
    ),
    (
        "wrong-password-until-closed",
        &[[1, 1, 1, 0, 0, 1], BEGIN, attempt(1), FAIL, attempt(1), FAIL, attempt(1), PASS],
    ),
    ("another-user", &[[1, 1, 1, 0, 0, 3], BEGIN, attempt(1), [6, 0, 0, 0, 0, 2], [0, 0, 5, 1, 0, 0]]),
    (
        "an-e-mail-is-pending",
        &[
            [1, 2, 2, 0, 0, 3],
            BEGIN,
            attempt(1),
            PASS,
            attempt(2),
            [6, 0, 0, 0, 10, 4],
            POLL,
            [6, 0, 0, 0, 0, 4],
            SUCCEED,
        ],
    ),
    (
        "a-poll-that-fails-counts-nothing",
        &[
            [1, 5, 5, 0, 0, 0],
            BEGIN,
            attempt(5),
            [6, 0, 0, 0, 10, 5],
            POLL,
            [6, 0, 0, 0, 8, 0],
            POLL,
            [6, 0, 0, 0, 7, 0],
            POLL,
            PASS,
        ],
    ),
    ("single-sign-on", &[[1, 5, 5, 0, 0, 3], BEGIN, attempt(4), [10, 0, 0, 0, 4, 0], POLL, SUCCEED]),
    (
        "out-of-order",
        &[[1, 6, 6, 0, 0, 3], BEGIN, attempt(0), [10, 0, 0, 0, 3, 3], attempt(1), PASS, attempt(3)],
    ),
    (
        "any-order",
        &[[1, 6, 6, 1, 0, 3], BEGIN, attempt(0), attempt(5), PASS, attempt(1), PASS, attempt(3), PASS],
    ),
    ("expiry", &[[1, 1, 1, 0, 0, 3], BEGIN, attempt(1), later(100), PASS, POLL]),
    (
        "clock-back",
        &[[1, 1, 1, 0, 0, 3], BEGIN, [14, 0, 0, 0, 0, 0xFF], attempt(1), PASS, SUCCEED, later(127), POLL],
    ),
    (
        "two-racing",
        &[[1, 1, 1, 0, 0, 3], BEGIN, attempt(1), attempt(1), PASS, [6, 0, 0, 8, 0, 0], SUCCEED, POLL],
    ),
    ("policy-changes", &[[1, 2, 1, 0, 0, 3], BEGIN, attempt(1), PASS, SWAP, POLL, SUCCEED]),
    ("terms-change", &[[0, 7, 8, 0, 0, 3], [0, 0, 0, 0, 0, 0], SWAP, [0, 0, 0, 3, 6, 0], [0, 0, 0, 3, 6, 0]]),
    ("claimant-killed", &[[1, 0, 0, 0, 0, 3], BEGIN, attempt(0), [15, 0, 0, 0, 0, 2], POLL, SUCCEED]),
    (
        "body-changes",
        &[[1, 1, 1, 0, 0, 3], [0, 0, 18, 0, 0, 0], [0, 0, 26, 3, 1, 0], [0, 0, 2, 3, 1, 0], PASS],
    ),
    (
        "regress-refusal-binds-nothing",
        &[
            [1, 1, 1, 0, 0, 3],
            BEGIN,
            [0, 0, 18, 3, 1, 0],
            [6, 0, 0, 0, 8, 0],
            [0, 0, 26, 1, 0, 0],
            [0, 0, 26, 3, 1, 0],
        ],
    ),
    (
        "regress-refusal-presents-no-terms",
        &[
            [0, 7, 8, 0, 0, 3],
            [0, 0, 0, 0, 0, 0],
            SWAP,
            [0, 0, 0, 3, 1, 0],
            [6, 0, 0, 0, 8, 0],
            [0, 0, 0, 3, 6, 0],
        ],
    ),
];

const BEGIN: [u8; 6] = [0, 0, 2, 0, 0, 0];
const POLL: [u8; 6] = [0, 0, 2, 1, 0, 0];
const ONE_SHOT: [u8; 6] = [0, 0, 2, 0x83, 1, 0];
const PASS: [u8; 6] = [6, 0, 0, 0, 0, 0];
const FAIL: [u8; 6] = [6, 0, 0, 0, 7, 0];
const SUCCEED: [u8; 6] = [11, 0, 0, 0, 0, 0];
const GIVE_BACK: [u8; 6] = [11, 0, 0, 0, 0, 2];
const SWAP: [u8; 6] = [15, 0, 0, 0, 0, 0];

const fn attempt(stage: u8) -> [u8; 6] {
    [0, 0, 2, 3, stage, 0]
}

const fn later(tens: u8) -> [u8; 6] {
    [14, 0, 0, 0, 0, tens]
}

/// What a client can do (128: with a browser), then what happens, each ended by 0xFF.
const REPLIES: &[(&str, &[u8])] = &[
    (
        "password",
        b"\xC0\0\xFF\x02\0\0{\"flows\":[{\"stages\":[\"m.login.password\"]}],\"session\":\"s\"}\xFF\0\xFF\x02\0\0{\"errcode\":\"M_FORBIDDEN\",\"session\":\"s\"}\xFF\0\xFF\x02\x01\0{}\xFF",
    ),
    (
        "terms-and-dummy",
        b"\x40\0\xFF\x02\0\0{\"flows\":[{\"stages\":[\"m.login.terms\",\"m.login.dummy\"]}],\"session\":\"s\",\"params\":{\"m.login.terms\":{\"policies\":{\"t\":{\"version\":\"1\",\"en\":{\"name\":\"T\",\"url\":\"https://x\"}}}}}}\xFF\0\xFF\x02\0\0{\"completed\":[\"m.login.terms\"]}\xFF\0\xFF\x02\x02\x03\xFF\0\xFF\0\xFF\x02\x01\0{}\xFF",
    ),
    (
        "page",
        b"\x80\0\xFF\x02\0\0{\"flows\":[{\"stages\":[\"m.oauth\"]}],\"session\":\"s\",\"params\":{\"m.oauth\":{\"url\":\"https://x\"}}}\xFF\0\xFF\0\xFF\0\xFF\x03\xFF\x05\xFF\0\xFF\x02\0\0{}\xFF\0\xFF\0\xFF\x02\x01\0{}\xFF",
    ),
    (
        "email",
        b"\x40\x07\xFF\0\xFF\x02\0\0{\"flows\":[{\"stages\":[\"m.login.email.identity\"]}],\"session\":\"s\"}\xFF\0\xFF\0\xFF\0\xFF\x02\0\0{\"errcode\":\"M_UNAUTHORIZED\",\"completed\":[]}\xFF\x04\xFF\0\xFF",
    ),
    ("token-gone", b"\x40\0\xFF\x02\0\0{\"errcode\":\"M_UNKNOWN_TOKEN\",\"soft_logout\":true}\xFF\0\xFF"),
    (
        "new-session",
        b"\x40\0\xFF\x02\0\0{\"flows\":[{\"stages\":[\"m.login.dummy\"]}],\"session\":\"s\"}\xFF\0\xFF\x03\xFF\0\xFF\0\xFF\x02\0\0{\"session\":\"t\"}\xFF\0\xFF\0\xFF",
    ),
];

/// Policy, replay, switches; then events: what, and how.
const PAIRS: &[(&str, &[u8])] = &[
    ("password", &[0, 0, 2, 0, 0, 3, 0, 5, 0, 0, 0, 3, 0, 5, 0]),
    ("lost-answer", &[1, 0, 2, 0, 0, 3, 0, 5, 0, 0, 0, 3, 0, 9, 0, 10, 0, 0, 0, 0, 0, 3, 0, 5, 0]),
    ("doubled-and-restarted", &[2, 0, 3, 0, 0, 3, 8, 5, 8, 11, 0, 0, 0, 3, 1, 5, 1, 12, 0, 13, 0, 14, 1]),
    ("session-gone", &[1, 1, 0, 0, 0, 3, 0, 5, 0, 0, 0, 3, 0, 9, 0, 14, 3, 10, 0]),
    ("sso", &[4, 3, 0, 0, 0, 3, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 5, 0, 13, 0, 12, 0]),
];

fn main() -> io::Result<()> {
    for (target, seeds) in [
        ("auth_dict", AUTH),
        ("request_body", REQUESTS),
        ("challenge", CHALLENGES),
        ("error_body", ERRORS),
        ("pages", PAGES),
    ] {
        for (name, seed) in seeds {
            write(target, name, seed.as_bytes())?;
        }
    }
    for (name, seed) in FLOWS {
        write("flows", name, seed)?;
    }
    for (name, seed) in REPLIES {
        write("client_replies", name, seed)?;
    }
    for (name, seed) in PAIRS {
        write("pair", name, seed)?;
    }
    for (name, seed) in OPS {
        write("server_ops", name, seed.as_flattened())?;
    }
    // An ID as the server has made it, and one that another would make, with the key.
    write("sealed", "good", &[0])?;
    write("sealed", "one-letter", &[0, 40, b'A'])?;
    write("sealed", "cut-short", &[0, 32, 0])?;
    let mut opened = matrix_uia_fuzz::sealed::opened();
    opened.insert(0, 1);
    write("sealed", "sealed-again", &opened)?;
    Ok(())
}

fn write(target: &str, name: &str, seed: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), seed)
}
