//! An answer, and what is expected of every one.

use matrix_uia_page_reader::Html;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads a whole answer to a request; `None` if the connection broke before its end.
    ///
    /// # Panics
    ///
    /// If it breaks a rule that holds for every answer, or isn't as the schema of its endpoint says.
    pub fn parse(method: &str, target: &str, received: &[u8]) -> Option<Self> {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&received[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let answer = Self { status, headers, body: received[end + 4..].to_vec() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if answer.body.len() < length {
            return None;
        }
        answer.check();
        super::schema::check(method, target, &answer);
        Some(answer)
    }

    fn check(&self) {
        assert_eq!(self.header("access-control-allow-origin"), Some("*"), "{self:?}");
        let methods = self.header("access-control-allow-methods");
        assert_eq!(methods, Some("GET, POST, PUT, DELETE, OPTIONS"), "{self:?}");
        let headers = self.header("access-control-allow-headers");
        assert_eq!(headers, Some("X-Requested-With, Content-Type, Authorization"), "{self:?}");
        assert!(self.status < 500, "{self}");
        if self.header("content-type") == Some("text/html; charset=utf-8") {
            self.html().check(|name| self.header(name));
            assert_eq!(self.header("retry-after").is_some(), self.status == 429, "{self:?}");
            return;
        }
        if self.status == 302 {
            return;
        }
        if self.status != 204 {
            assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        }
        if self.status >= 400 {
            let json = self.json();
            if json.get("flows").is_some() {
                self.check_challenge(&json);
            } else {
                assert!(json["errcode"].is_string() && json["error"].is_string(), "{self}");
            }
        }
        if self.status == 429 {
            let ms = self.json()["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("{self}"));
            let secs = ms.div_ceil(1000).to_string();
            assert_eq!(self.header("retry-after"), Some(secs.as_str()), "{self}");
        }
    }

    pub fn is_page(&self) -> bool {
        self.header("content-type") == Some("text/html; charset=utf-8")
    }

    /// A page with this status; its text.
    #[track_caller]
    pub fn page(&self, status: u16) -> String {
        assert!(self.status == status && self.is_page(), "{self}");
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn check_challenge(&self, json: &Value) {
        assert_eq!(self.status, 401, "{self}");
        let grammar = |session: &str| {
            (16..=255).contains(&session.len())
                && session.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
        };
        assert!(json["session"].as_str().is_some_and(grammar), "{self}");
        assert!(json["params"].is_object(), "{self}");
        assert!(json["flows"].as_array().is_some_and(|flows| !flows.is_empty()), "{self}");
        if let Some(completed) = json.get("completed") {
            let completed: Vec<_> = completed.as_array().unwrap_or_else(|| panic!("{self}")).iter().collect();
            let distinct: BTreeSet<_> = completed.iter().map(|stage| stage.as_str().unwrap()).collect();
            assert_eq!(distinct.len(), completed.len(), "{self}");
        }
        assert_eq!(json.get("errcode").is_some(), json.get("error").is_some(), "{self}");
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header, _)| header == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is given twice");
        value
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The page.
    #[track_caller]
    pub fn html(&self) -> Html {
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{self}");
        Html::read(std::str::from_utf8(&self.body).unwrap())
    }

    /// A page with this status and this heading.
    #[track_caller]
    pub fn shows(&self, status: u16, heading: &str) -> Html {
        let html = self.html();
        assert_eq!((self.status, &*html.text_of("h1")), (status, heading), "{self}");
        html
    }

    /// 200, and the body.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json()
    }

    /// An error that is no challenge; the body.
    #[track_caller]
    pub fn rejected(&self, status: u16, errcode: &str) -> Value {
        let json = self.json();
        assert_eq!((self.status, json["errcode"].as_str()), (status, Some(errcode)), "{self}");
        assert!(json.get("flows").is_none(), "{self}");
        json
    }

    /// The 401 of a request without an auth dict: exactly three keys. The session.
    #[track_caller]
    pub fn asked(&self) -> String {
        self.challenge(&["flows", "params", "session"])
    }

    /// The 401 of an auth dict that did no harm: four keys. The session.
    #[track_caller]
    pub fn continued(&self, completed: &[&str]) -> String {
        let session = self.challenge(&["completed", "flows", "params", "session"]);
        assert_eq!(self.json()["completed"], serde_json::json!(completed), "{self}");
        session
    }

    /// The 401 of an auth dict that failed: six keys. The session.
    #[track_caller]
    pub fn failed(&self, completed: &[&str], errcode: &str) -> String {
        let session = self.challenge(&["completed", "errcode", "error", "flows", "params", "session"]);
        let json = self.json();
        assert_eq!(json["completed"], serde_json::json!(completed), "{self}");
        assert_eq!(json["errcode"], errcode, "{self}");
        session
    }

    #[track_caller]
    fn challenge(&self, keys: &[&str]) -> String {
        assert_eq!(self.status, 401, "{self}");
        let json = self.json();
        let mut found: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys, "{self}");
        super::text(&json, "session")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
