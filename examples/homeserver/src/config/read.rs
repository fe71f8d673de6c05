//! From a file to a [`Config`], with errors that name the field.

use super::{Config, ConfigError};
use serde_json::error::Category;
use std::path::Path;

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(file).map_err(|error| {
            ConfigError::new(file.display().to_string(), error.to_string(), "give --config a readable file")
        })?;
        Self::parse(&bytes)
    }

    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let mut document = serde_json::Deserializer::from_slice(json);
        let mut config: Self = serde_path_to_error::deserialize(&mut document).map_err(explain)?;
        document.end().map_err(|error| syntax(&error))?;
        config.check()?;
        Ok(config)
    }
}

fn explain(error: serde_path_to_error::Error<serde_json::Error>) -> ConfigError {
    let path = error.path().to_string();
    let error = error.into_inner();
    if error.classify() != Category::Data {
        return syntax(&error);
    }
    let message = error.to_string();
    // serde_json ends its messages with the position; the path says it better.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let field = if path == "." { "the whole file" } else { &path };

    if let Some(name) = message.strip_prefix("missing field ") {
        return ConfigError::new(field, format!("{name} is missing"), "add it");
    }
    if message.starts_with("duplicate field ") {
        return ConfigError::new(field, message, "give it once");
    }
    match message.rsplit_once(", expected ") {
        Some((wrong, expected)) => {
            ConfigError::new(field, without_text(wrong), format!("expected {}", in_plain_words(expected)))
        }
        None => ConfigError::new(field, without_text(message), "see the config file's description"),
    }
}

fn syntax(error: &serde_json::Error) -> ConfigError {
    // Of a syntax error serde_json shows no text of the file.
    ConfigError::new(
        format!("line {} column {}", error.line(), error.column()),
        "not JSON",
        "give one JSON object, without comments and trailing commas",
    )
}

/// serde's "invalid type: string "…"" shows the text, which may be a password in the wrong place.
fn without_text(wrong: &str) -> &str {
    wrong.split_once("string \"").map_or(wrong, |(kind, _)| match kind {
        "invalid type: " => "invalid type: a string",
        _ => "invalid value: a string",
    })
}

/// serde names Rust types; who writes JSON knows JSON's.
fn in_plain_words(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "usize" => "a whole number, 0 or more",
        "a nonzero u32" => "a whole number, 1 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BodyBinding, Medium, Replay, StageOrder, Status, Unbind, UnknownSession};
    use super::*;

    /// The file as the contract shows it.
    const SHOWN: &str = r#"{
  "server_name": "localhost",
  "users": [
    { "localpart": "alice", "password": "wonderland", "status": "active", "admin": false,
      "threepids": [ { "medium": "email", "address": "alice@example.org", "id_server": "id.example.org" } ] }
  ],
  "registration": { "enabled": true, "guests": false },
  "flows": {
    "register":       [["m.login.dummy"]],
    "password":       [["m.login.password"]],
    "password_reset": [["m.login.email.identity"]],
    "deactivate":     [["m.login.password"]],
    "delete_devices": [["m.login.password"]],
    "add_3pid":       [["m.login.password"]],
    "device_signing": [["m.login.password"]],
    "get_login_token": [["m.login.password"]],
    "deactivate_without_token": null
  },
  "params": { "m.login.recaptcha": { "public_key": "key" }, "m.login.terms": { "policies": {} }, "m.oauth": { "url": "https://example.org/account" } },
  "recaptcha_accepts": ["good-captcha"],
  "registration_tokens": [ { "token": "fBVFdqVE", "uses_allowed": 1, "expires_at_ms": null } ],
  "identity_servers": { "id.example.org": { "trusted": true, "unbind": "success" } },
  "threepid_denied_domains": ["denied.example"],
  "hide_threepid_existence": false,
  "password_policy": { "minimum_length": 8, "require_digit": false, "require_symbol": false, "require_lowercase": false, "require_uppercase": false },
  "capabilities": { "m.change_password": true, "m.3pid_changes": true },
  "appservices": [ { "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" } ],
  "legacy_login": true,
  "hide_deactivated": false,
  "login_token": { "enabled": true, "lifetime_ms": 120000 },
  "access_token_lifetime_ms": null,
  "uia": {
    "session_lifetime_ms": 900000, "session_limit": 100000,
    "stage_order": "strict", "body_binding": "omitted_or_exact", "unknown_session": "restart",
    "one_shot": true, "replay": "result", "replay_ms": 60000,
    "max_failed_attempts": 10, "recent_auth_ms": 0, "sealed": false,
    "sessions_per_owner": 1000, "claim_for_ms": 60000
  },
  "rate_limits": { "failed_auth": { "burst": 100, "per_second": 10.0 }, "failed_auth_per_address": { "burst": 1000, "per_second": 100.0 },
                   "request_token": { "burst": 100, "per_second": 10.0 }, "messages_per_recipient": { "burst": 20, "per_second": 0.02 } },
  "edges": { "header_timeout_ms": 10000, "body_timeout_ms": 30000, "idle_timeout_ms": 60000,
             "connections": 10000, "connections_per_address": 1000, "hash_queue": 64 },
  "trusted_proxies": [], "query_tokens": true, "strict_id_server": false,
  "outbox": "DIR"
}"#;

    fn parse(json: &str) -> Config {
        Config::parse(json.as_bytes()).unwrap()
    }

    fn refusal(json: &str) -> String {
        Config::parse(json.as_bytes()).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn the_values_shown_are_the_defaults() {
        let (shown, mut default) = (parse(SHOWN), parse("{}"));
        // Facts, which are empty unless given; the rest must be equal to the last key.
        default.users = parse(SHOWN).users;
        default.params = shown.params.clone();
        default.recaptcha_accepts = shown.recaptcha_accepts.clone();
        default.registration_tokens = parse(SHOWN).registration_tokens;
        default.identity_servers = parse(SHOWN).identity_servers;
        default.threepid_denied_domains = shown.threepid_denied_domains.clone();
        default.appservices = parse(SHOWN).appservices;
        default.outbox = shown.outbox.clone();
        assert_eq!(format!("{shown:#?}"), format!("{default:#?}"));
    }

    #[test]
    fn the_facts_shown_are_read() {
        let shown = parse(SHOWN);
        let alice = &shown.users[0];
        assert_eq!((alice.localpart.as_str(), alice.status), ("alice", Status::Active));
        assert!(alice.password.as_ref().unwrap().matches("wonderland"));
        assert_eq!(alice.threepids[0].medium, Medium::Email);
        assert_eq!(alice.threepids[0].id_server.as_deref(), Some("id.example.org"));
        assert_eq!(shown.registration_tokens[0].uses_allowed, Some(1));
        assert_eq!(shown.identity_servers["id.example.org"].unbind, Unbind::Success);
        assert_eq!(shown.appservices[0].user_prefix, "_bridge_");
        assert_eq!(shown.outbox.as_deref(), Some(Path::new("DIR")));
    }

    #[test]
    fn facts_left_out_are_empty() {
        let config = parse("{}");
        assert!(config.params.is_empty() && config.recaptcha_accepts.is_empty());
        assert!(config.registration_tokens.is_empty() && config.identity_servers.is_empty());
        assert!(config.threepid_denied_domains.is_empty() && config.appservices.is_empty());
        assert_eq!(config.outbox, None);
        // Of the users, the built-in one is left; who names users names all of them.
        assert_eq!(config.users.len(), 1);
        assert_eq!(config.users[0].localpart, "alice");
        assert!(parse(r#"{"users": []}"#).users.is_empty());
    }

    #[test]
    fn flows_are_merged_key_by_key() {
        let flows =
            parse(r#"{"flows": {"register": [["a", "b"], ["c"]], "deactivate_without_token": [["d"]]}}"#)
                .flows;
        assert_eq!(flows.register, [vec!["a", "b"], vec!["c"]]);
        assert_eq!(flows.password, [["m.login.password"]]);
        assert_eq!(flows.deactivate_without_token.unwrap(), [["d"]]);
    }

    #[test]
    fn nested_keys_left_out_have_the_value_shown() {
        let config = parse(
            r#"{"uia": {"replay_ms": 5}, "rate_limits": {"failed_auth": {"burst": 3}},
                "registration_tokens": [{"token": "a"}, {"token": "b", "uses_allowed": null}],
                "identity_servers": {"id": {}}, "users": [{"localpart": "bob"}]}"#,
        );
        assert_eq!((config.uia.replay_ms, config.uia.max_failed_attempts), (5, 10));
        assert_eq!(config.rate_limits.failed_auth.burst.get(), 3);
        assert!((config.rate_limits.failed_auth.per_second - 10.0).abs() < f64::EPSILON);
        let rates = parse(
            r#"{"rate_limits": {"failed_auth_per_address": {"burst": 3}, "messages_per_recipient": {"per_second": 1}}}"#,
        )
        .rate_limits;
        assert!((rates.failed_auth_per_address.per_second - 100.0).abs() < f64::EPSILON);
        assert_eq!(
            (rates.failed_auth_per_address.burst.get(), rates.messages_per_recipient.burst.get()),
            (3, 20)
        );
        assert_eq!(config.registration_tokens[0].uses_allowed, Some(1));
        assert_eq!(config.registration_tokens[1].uses_allowed, None);
        assert!(config.identity_servers["id"].trusted);
        assert!(config.users[0].password.is_none(), "an account without a password");
    }

    #[test]
    fn every_choice_has_its_names() {
        for (order, binding, unknown, replay, expected) in [
            (
                "strict",
                "omitted_or_exact",
                "restart",
                "result",
                (StageOrder::Strict, BodyBinding::OmittedOrExact, UnknownSession::Restart, Replay::Result),
            ),
            (
                "any",
                "exact",
                "reject",
                "refuse",
                (StageOrder::Any, BodyBinding::Exact, UnknownSession::Reject, Replay::Refuse),
            ),
            (
                "any",
                "any",
                "reject",
                "refuse",
                (StageOrder::Any, BodyBinding::Any, UnknownSession::Reject, Replay::Refuse),
            ),
        ] {
            let uia = parse(&format!(
                r#"{{"uia": {{"stage_order": "{order}", "body_binding": "{binding}",
                     "unknown_session": "{unknown}", "replay": "{replay}"}}}}"#
            ))
            .uia;
            assert_eq!((uia.stage_order, uia.body_binding, uia.unknown_session, uia.replay), expected);
        }
        for (name, unbind) in
            [("success", Unbind::Success), ("no-support", Unbind::NoSupport), ("error", Unbind::Error)]
        {
            let config = parse(&format!(r#"{{"identity_servers": {{"id": {{"unbind": "{name}"}}}}}}"#));
            assert_eq!(config.identity_servers["id"].unbind, unbind);
        }
    }

    #[test]
    fn a_refusal_is_one_line_that_names_the_field_and_the_mend() {
        for (json, line) in [
            ("", "line 1 column 0: not JSON; give one JSON object, without comments and trailing commas"),
            (
                "{} {}",
                "line 1 column 4: not JSON; give one JSON object, without comments and trailing commas",
            ),
            ("[]", "the whole file: invalid type: sequence; expected an object"),
            (r#"{"colour": 1}"#, "colour: unknown field `colour`; expected one of `server_name`, `users`"),
            (
                r#"{"uia": {"lifetime": 1}}"#,
                "uia.lifetime: unknown field `lifetime`; expected one of `session_lifetime_ms`",
            ),
            (
                r#"{"users": [{"localpart": "a", "name": "b"}]}"#,
                "users[0].name: unknown field `name`; expected one of",
            ),
            (r#"{"users": [{}]}"#, "users[0]: `localpart` is missing; add it"),
            (r#"{"uia": [5]}"#, "uia: invalid type: sequence; expected an object"),
            (r#"{"params": []}"#, "params: invalid type: sequence; expected an object"),
            (r#"{"users": "alice"}"#, "users: invalid type: a string; expected a list"),
            (
                r#"{"users": [{"localpart": "a", "status": "gone"}]}"#,
                "users[0].status: unknown variant `gone`; expected one of `active`, `locked`, `suspended`, `deactivated`",
            ),
            (
                r#"{"users": [{"localpart": "a", "threepids": [{"medium": "fax", "address": "1"}]}]}"#,
                "users[0].threepids[0].medium: unknown variant `fax`; expected `email` or `msisdn`",
            ),
            (
                r#"{"uia": {"stage_order": "none"}}"#,
                "uia.stage_order: unknown variant `none`; expected `strict` or `any`",
            ),
            (
                r#"{"uia": {"replay_ms": -1}}"#,
                "uia.replay_ms: invalid value: integer `-1`; expected a whole number, 0 or more",
            ),
            (
                r#"{"uia": {"one_shot": 1}}"#,
                "uia.one_shot: invalid type: integer `1`; expected true or false",
            ),
            (
                r#"{"rate_limits": {"failed_auth": {"burst": 0}}}"#,
                "rate_limits.failed_auth.burst: invalid value: integer `0`; expected a whole number, 1 or more",
            ),
            (
                r#"{"identity_servers": {"id.example": {"unbind": "maybe"}}}"#,
                "identity_servers.id.example.unbind: unknown variant `maybe`; expected one of `success`, `no-support`, `error`",
            ),
            (
                r#"{"trusted_proxies": ["10.0.0.0/8", "proxy.example"]}"#,
                "trusted_proxies[1]: not an address or a network; see the config file's description",
            ),
            (r#"{"flows": {"register": null}}"#, "flows.register: invalid type: null; expected a list"),
            (
                r#"{"flows": {"register": ["m.login.dummy"]}}"#,
                "flows.register[0]: invalid type: a string; expected a list",
            ),
            (
                r#"{"legacy_login": true, "legacy_login": true}"#,
                "the whole file: duplicate field `legacy_login`; give it once",
            ),
        ] {
            let refusal = refusal(json);
            assert!(refusal.starts_with(&format!("config: {line}")), "{json}\n{refusal}\n{line}");
            assert_eq!(refusal.lines().count(), 1, "{refusal}");
        }
    }

    #[test]
    fn a_refusal_shows_no_text_of_the_file_that_may_be_secret() {
        for json in [
            r#"{"users": [{"localpart": "a", "password": ["hunter2"]}, "hunter2"]}"#,
            r#"{"users": ["hunter2"]}"#,
            r#"{"users": [{"localpart": "a", "admin": "hunter2, expected u64"}]}"#,
            r#"{"registration_tokens": ["hunter2"]}"#,
            r#"{"access_token_lifetime_ms": "hunter2"}"#,
        ] {
            let refusal = refusal(json);
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn a_key_with_a_line_break_still_makes_one_line() {
        assert_eq!(refusal(r#"{"a\nb": 1}"#).lines().count(), 1);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", parse(SHOWN));
        for secret in ["wonderland", "good-captcha", "fBVFdqVE", "as-secret"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Config::read(Path::new("/no/such/config.json")).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("config: /no/such/config.json: No such file"), "{error}");
    }
}
