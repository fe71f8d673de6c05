//! What the types of the config can't refuse. Each rule names the field by its path in the file.

use super::{Config, ConfigError, Status, User};
use crate::addresses;
use crate::password::{self, normal_form};
use std::collections::BTreeSet;
use tokio::sync::Semaphore;

/// A rule that holds, or the line that says why not.
type Checked = Result<(), ConfigError>;

/// The largest number of milliseconds: what every JSON reader keeps exactly, and added to any time of
/// day still far from the end of 64 bits.
const MAX_MS: u64 = (1 << 53) - 1;

fn ensure(holds: bool, field: impl Into<String>, wrong: &str, mend: &str) -> Checked {
    if holds { Ok(()) } else { Err(ConfigError::new(field, wrong, mend)) }
}

impl Config {
    /// Refuses what makes no sense, and brings addresses and domains into the form they are compared in.
    pub(super) fn check(&mut self) -> Checked {
        self.check_server_name()?;
        self.check_users()?;
        self.check_registration_tokens()?;
        self.check_appservices()?;
        self.check_times()?;
        self.check_uia()?;
        self.check_rates()?;
        self.check_edges()?;
        ensure(
            self.password_policy.minimum_length <= password::MAX_BYTES,
            "password_policy.minimum_length",
            "longer than any password may be",
            "give at most 512",
        )?;
        let outbox = self.outbox.as_ref();
        ensure(
            outbox.is_none_or(|dir| !dir.as_os_str().is_empty()),
            "outbox",
            "empty",
            "give a directory, or leave it out",
        )
    }

    fn check_server_name(&self) -> Checked {
        let name = &self.server_name;
        let of_a_host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        ensure(!name.is_empty(), "server_name", "empty", "give the host name that user IDs end with")?;
        ensure(
            name.len() <= 230 && name.bytes().all(of_a_host),
            "server_name",
            "not a host name",
            "give a host name or address, with a port if need be",
        )
    }

    fn check_users(&mut self) -> Checked {
        let mut names = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for (n, user) in self.users.iter_mut().enumerate() {
            let field = format!("users[{n}]");
            check_localpart(&format!("{field}.localpart"), &user.localpart, &self.server_name)?;
            ensure(
                names.insert(user.localpart.clone()),
                format!("{field}.localpart"),
                "the name of two users",
                "name each user once",
            )?;
            check_password(&field, user)?;
            for (m, threepid) in user.threepids.iter_mut().enumerate() {
                let field = format!("{field}.threepids[{m}].address");
                let parsed = addresses::threepid(threepid.medium, threepid.address.as_str().into());
                let canonical = parsed.map_err(|_| {
                    ConfigError::new(
                        &field,
                        format!("no address of medium {}", threepid.medium.name()),
                        "an e-mail address has one @, a phone number the digits of E.164",
                    )
                })?;
                canonical.address().clone_into(&mut threepid.address);
                // The 3PIDs of a deactivated account are free again.
                let free = user.status == Status::Deactivated
                    || addresses.insert((threepid.medium, threepid.address.clone()));
                ensure(free, field, "given twice", "an address belongs to one user")?;
            }
        }
        Ok(())
    }

    fn check_registration_tokens(&self) -> Checked {
        let mut tokens = BTreeSet::new();
        for (n, token) in self.registration_tokens.iter().enumerate() {
            let field = || format!("registration_tokens[{n}].token");
            let text = token.token.expose();
            let opaque = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
            ensure(
                (1..=64).contains(&text.len()) && text.bytes().all(opaque),
                field(),
                "not a registration token",
                "give 1 to 64 characters of [0-9A-Za-z._~-]",
            )?;
            ensure(tokens.insert(text), field(), "given twice", "give each token once")?;
            let uses = token.uses_allowed.unwrap_or(0);
            let field = |key| format!("registration_tokens[{n}].{key}");
            ensure(uses <= MAX_MS, field("uses_allowed"), "too large", "give null for any number")?;
            let expires = token.expires_at_ms.unwrap_or(0);
            ensure(expires <= MAX_MS, field("expires_at_ms"), "too far away", "give null for never")?;
        }
        Ok(())
    }

    fn check_appservices(&self) -> Checked {
        let mut ids = BTreeSet::new();
        let mut tokens = BTreeSet::new();
        for (n, service) in self.appservices.iter().enumerate() {
            let field = |key| format!("appservices[{n}].{key}");
            let token = service.as_token.expose();
            ensure(!service.id.is_empty(), field("id"), "empty", "name the application service")?;
            ensure(ids.insert(&service.id), field("id"), "given twice", "give each service its own")?;
            ensure(!token.is_empty(), field("as_token"), "empty", "give a token that can't be guessed")?;
            ensure(tokens.insert(token), field("as_token"), "given twice", "give each service its own")?;
            check_localpart(&field("sender_localpart"), &service.sender_localpart, &self.server_name)?;
            // An empty prefix would make every name on the server the service's own.
            check_localpart(&field("user_prefix"), &service.user_prefix, &self.server_name)?;
        }
        Ok(())
    }

    fn check_times(&self) -> Checked {
        for (field, least, ms) in [
            ("uia.session_lifetime_ms", 1, self.uia.session_lifetime_ms),
            ("uia.replay_ms", 0, self.uia.replay_ms),
            ("uia.recent_auth_ms", 0, self.uia.recent_auth_ms),
            ("uia.claim_for_ms", 1, self.uia.claim_for_ms),
            ("edges.header_timeout_ms", 1, self.edges.header_timeout_ms),
            ("edges.body_timeout_ms", 1, self.edges.body_timeout_ms),
            ("edges.idle_timeout_ms", 1, self.edges.idle_timeout_ms),
            ("login_token.lifetime_ms", 1, self.login_token.lifetime_ms),
            ("access_token_lifetime_ms", 1, self.access_token_lifetime_ms.unwrap_or(1)),
        ] {
            ensure(ms >= least, field, "no time at all", "give at least 1")?;
            ensure(ms <= MAX_MS, field, "too long", "give at most 9007199254740991")?;
        }
        Ok(())
    }

    fn check_rates(&self) -> Checked {
        let rates = &self.rate_limits;
        for (name, limit) in [
            ("failed_auth", rates.failed_auth),
            ("failed_auth_per_address", rates.failed_auth_per_address),
            ("request_token", rates.request_token),
            ("messages_per_recipient", rates.messages_per_recipient),
        ] {
            let field = format!("rate_limits.{name}.per_second");
            ensure(limit.per_second >= 0.0, field, "negative", "give a number, 0 or more")?;
        }
        Ok(())
    }

    fn check_edges(&self) -> Checked {
        let edges = &self.edges;
        for (field, count) in [
            ("edges.connections", edges.connections),
            ("edges.connections_per_address", edges.connections_per_address),
        ] {
            ensure(count > 0, field, "no connection at all", "give at least 1")?;
            // What tokio's semaphores can count.
            ensure(count <= Semaphore::MAX_PERMITS, field, "too many", "give at most 1000000000")?;
        }
        Ok(())
    }

    fn check_uia(&self) -> Checked {
        let uia = &self.uia;
        ensure(uia.session_limit > 0, "uia.session_limit", "no session at all", "give at least 1")?;
        ensure(uia.sessions_per_owner > 0, "uia.sessions_per_owner", "no session at all", "give at least 1")?;
        ensure(uia.max_failed_attempts > 0, "uia.max_failed_attempts", "no attempt at all", "give at least 1")
    }
}

fn check_localpart(field: &str, localpart: &str, server_name: &str) -> Checked {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._=/+-".contains(&b);
    ensure(
        !localpart.is_empty() && localpart.bytes().all(allowed),
        field,
        "not a localpart",
        "give one or more characters of [a-z0-9._=/+-]",
    )?;
    // With `@` and `:`.
    let user_id = localpart.len().saturating_add(server_name.len()).saturating_add(2);
    ensure(user_id <= 255, field, "too long", "a user ID has at most 255 bytes, server name included")
}

fn check_password(field: &str, user: &User) -> Checked {
    let Some(password) = &user.password else { return Ok(()) };
    let field = format!("{field}.password");
    ensure(!password.expose().is_empty(), &field, "empty", "leave it out for an account without a password")?;
    // It is hashed, and later compared, in this form, which may be many times as long.
    let bytes = normal_form(password.lend()).expose().len();
    ensure(bytes <= password::MAX_BYTES, &field, "too long", "give at most 512 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        Config::parse(json.as_bytes()).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let long = "x".repeat(513);
        for (json, line) in [
            (r#"{"server_name": ""}"#, "server_name: empty"),
            (r#"{"server_name": "a b"}"#, "server_name: not a host name"),
            (r#"{"users": [{"localpart": ""}]}"#, "users[0].localpart: not a localpart"),
            (r#"{"users": [{"localpart": "Alice"}]}"#, "users[0].localpart: not a localpart"),
            (r#"{"users": [{"localpart": "a:b"}]}"#, "users[0].localpart: not a localpart"),
            (r#"{"users": [{"localpart": "a"}, {"localpart": "a"}]}"#, "users[1].localpart: the name of two"),
            (r#"{"users": [{"localpart": "a", "password": ""}]}"#, "users[0].password: empty; leave it out"),
            (
                &format!(r#"{{"users": [{{"localpart": "a", "password": "{long}"}}]}}"#),
                "users[0].password: too long; give at most 512 bytes",
            ),
            (&format!(r#"{{"users": [{{"localpart": "{long}"}}]}}"#), "users[0].localpart: too long"),
            (
                r#"{"users": [{"localpart": "a", "threepids": [{"medium": "email", "address": "a@b@c"}]}]}"#,
                "users[0].threepids[0].address: no address of medium email",
            ),
            (
                r#"{"users": [
                    {"localpart": "a", "threepids": [{"medium": "email", "address": "a@b"}]},
                    {"localpart": "b", "threepids": [{"medium": "email", "address": "A@B"}]}]}"#,
                "users[1].threepids[0].address: given twice",
            ),
            (r#"{"registration_tokens": [{"token": ""}]}"#, "registration_tokens[0].token: not a"),
            (r#"{"registration_tokens": [{"token": "a b"}]}"#, "registration_tokens[0].token: not a"),
            (
                &format!(r#"{{"registration_tokens": [{{"token": "{}"}}]}}"#, "x".repeat(65)),
                "registration_tokens[0].token: not a",
            ),
            (
                r#"{"registration_tokens": [{"token": "a"}, {"token": "a"}]}"#,
                "registration_tokens[1].token: given twice",
            ),
            (
                r#"{"appservices": [{"id": "a", "as_token": "", "sender_localpart": "a", "user_prefix": "_"}]}"#,
                "appservices[0].as_token: empty",
            ),
            (
                r#"{"appservices": [{"id": "a", "as_token": "t", "sender_localpart": "a", "user_prefix": ""}]}"#,
                "appservices[0].user_prefix: not a localpart",
            ),
            (r#"{"uia": {"session_lifetime_ms": 0}}"#, "uia.session_lifetime_ms: no time at all"),
            (r#"{"uia": {"replay_ms": 9007199254740992}}"#, "uia.replay_ms: too long"),
            (r#"{"access_token_lifetime_ms": 0}"#, "access_token_lifetime_ms: no time at all"),
            (r#"{"uia": {"session_limit": 0}}"#, "uia.session_limit: no session at all"),
            (r#"{"uia": {"max_failed_attempts": 0}}"#, "uia.max_failed_attempts: no attempt at all"),
            (r#"{"uia": {"sessions_per_owner": 0}}"#, "uia.sessions_per_owner: no session at all"),
            (r#"{"uia": {"claim_for_ms": 0}}"#, "uia.claim_for_ms: no time at all"),
            (r#"{"edges": {"header_timeout_ms": 0}}"#, "edges.header_timeout_ms: no time at all"),
            (r#"{"edges": {"connections_per_address": 0}}"#, "edges.connections_per_address: no connection"),
            (
                r#"{"rate_limits": {"request_token": {"per_second": -0.5}}}"#,
                "rate_limits.request_token.per_second: negative",
            ),
            (r#"{"password_policy": {"minimum_length": 513}}"#, "password_policy.minimum_length: longer"),
            (r#"{"outbox": ""}"#, "outbox: empty"),
        ] {
            let refusal = refusal(json);
            assert!(refusal.starts_with(&format!("config: {line}")), "{refusal}\n{line}");
        }
    }

    #[test]
    fn lesson_108_a_password_is_bounded_in_the_form_that_is_hashed() {
        let user =
            |password: &str| format!(r#"{{"users": [{{"localpart": "a", "password": "{password}"}}]}}"#);
        // 3 bytes as it is written, 33 in its normal form.
        let line = refusal(&user(&"\u{fdfa}".repeat(60)));
        assert!(line.starts_with("config: users[0].password: too long; give at most 512 bytes"), "{line}");
        assert!(Config::parse(user(&"\u{fdfa}".repeat(15)).as_bytes()).is_ok());
        // 3 bytes as it is written, 1 in its normal form.
        assert!(Config::parse(user(&"\u{ff41}".repeat(512)).as_bytes()).is_ok());
    }

    #[test]
    fn the_bounds_themselves_are_accepted() {
        let token = "x".repeat(64);
        let password = "x".repeat(512);
        let json = format!(
            r#"{{"users": [{{"localpart": "a.b_c=d/e+f-0", "password": "{password}"}}],
                 "registration_tokens": [{{"token": "{token}", "uses_allowed": 0}}],
                 "uia": {{"replay_ms": 9007199254740991, "session_limit": 1}},
                 "rate_limits": {{"failed_auth": {{"burst": 1, "per_second": 0}}}}}}"#
        );
        assert!(Config::parse(json.as_bytes()).is_ok());
    }

    #[test]
    fn addresses_are_kept_as_they_are_compared() {
        let json = r#"{"users": [{"localpart": "a", "threepids":
            [{"medium": "email", "address": "A@Example.org"}, {"medium": "msisdn", "address": "+447700900000"}]}]}"#;
        let config = Config::parse(json.as_bytes()).unwrap();
        let addresses: Vec<_> = config.users[0].threepids.iter().map(|t| t.address.as_str()).collect();
        assert_eq!(addresses, ["a@example.org", "447700900000"]);
    }

    #[test]
    fn the_address_of_a_deactivated_user_is_free() {
        let json = r#"{"users": [
            {"localpart": "a", "status": "deactivated", "threepids": [{"medium": "email", "address": "a@b"}]},
            {"localpart": "b", "threepids": [{"medium": "email", "address": "a@b"}]}]}"#;
        assert!(Config::parse(json.as_bytes()).is_ok());
    }
}
