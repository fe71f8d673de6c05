//! Where a database of sessions is found. Such a URL may hold a password, which is shown nowhere.

use std::fmt;

/// `redis://HOST:PORT[/DB]` or `postgres://USER@HOST:PORT/NAME`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    whole: String,
    /// Without who logs in, and without parameters.
    shown: String,
}

impl StoreUrl {
    /// # Errors
    ///
    /// What it should look like.
    pub fn redis(url: &str) -> Result<Self, &'static str> {
        let form = "redis is given as redis://HOST:PORT, or as redis://HOST:PORT/DB";
        let found = Self::parse(url, "redis://").ok_or(form)?;
        let rest = found.shown.strip_prefix("redis://").unwrap_or_default();
        let database = rest.split_once('/').map_or("", |(_, database)| database);
        if database.bytes().all(|byte| byte.is_ascii_digit()) { Ok(found) } else { Err(form) }
    }

    /// # Errors
    ///
    /// What it should look like.
    pub fn postgres(url: &str) -> Result<Self, &'static str> {
        let form = "postgres is given as postgres://USER@HOST:PORT/NAME";
        let found = Self::parse(url, "postgres://").ok_or(form)?;
        let has_user = url.split_once('@').is_some_and(|(user, _)| user.len() > "postgres://".len());
        let is_read = found.whole.parse::<tokio_postgres::Config>().is_ok_and(|it| it.get_dbname().is_some());
        if has_user && is_read { Ok(found) } else { Err(form) }
    }

    fn parse(url: &str, scheme: &str) -> Option<Self> {
        let rest = url.strip_prefix(scheme)?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = place.rsplit_once(':')?;
        let readable = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let plain = !host.is_empty() && (host.bytes().all(readable)) && path.bytes().all(readable);
        port.parse::<u16>().ok().filter(|_| plain)?;
        let slash = if path.is_empty() { "" } else { "/" };
        Some(Self { whole: url.to_owned(), shown: format!("{scheme}{place}{slash}{path}") })
    }

    /// As it was given.
    pub fn expose(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_has_no_password() {
        for (url, shown) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://:hunter2@[::1]:6379/3?protocol=resp3", "redis://[::1]:6379/3"),
        ] {
            let url = StoreUrl::redis(url).unwrap();
            assert_eq!((format!("{url}").as_str(), format!("{url:?}").as_str()), (shown, shown));
        }
        let url =
            StoreUrl::postgres("postgres://uia:hunter2@db.example:5432/uia?application_name=a").unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5432/uia");
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for url in [
            "redis:",
            "redis://",
            "redis://h",
            "redis://h:",
            "redis://h:1/a",
            "redis://:1",
            "redis://h:99999",
            "redis://h\n:1",
        ] {
            assert!(StoreUrl::redis(url).is_err(), "{url}");
        }
        for url in [
            "postgres://h:1/n",
            "postgres://@h:1/n",
            "postgres://u@h/n",
            "postgres://u@h:1",
            "postgres://u@h:1/n?a=b",
        ] {
            assert!(StoreUrl::postgres(url).is_err(), "{url}");
        }
    }
}
