//! Answers that no homeserver gives, or not there, and what each is to be taken for.

use super::fake::response;

/// What a call was made with.
#[derive(Clone, Copy, PartialEq)]
pub enum With {
    Nothing,
    AccessToken,
    RefreshToken,
}

/// What a client takes an answer for.
#[derive(Clone, Copy)]
pub enum Taken {
    /// No decision: asked again within the bound, then the network's fault.
    Network,
    /// A decision, with that code if it has one, and what it means.
    Refused(Option<&'static str>, &'static str),
    /// About the token: what it means where there is one.
    Token(&'static str, &'static str),
    /// A 403 of a Matrix server's, which is about the refresh token where there is one.
    Forbidden,
}

pub struct Odd {
    pub name: &'static str,
    pub status: u16,
    pub bytes: Vec<u8>,
    pub taken: Taken,
}

impl Odd {
    /// The code and the meaning of a refusal, for a call made with that; `None` for the network.
    pub fn refusal(&self, with: With) -> Option<(Option<&'static str>, &'static str)> {
        Some(match self.taken {
            Taken::Network => return None,
            Taken::Refused(code, meaning) => (code, meaning),
            Taken::Token(code, meaning) => (Some(code), if with == With::Nothing { "keep" } else { meaning }),
            Taken::Forbidden if with == With::RefreshToken => (Some("M_FORBIDDEN"), "gone"),
            Taken::Forbidden => (Some("M_FORBIDDEN"), "keep"),
        })
    }
}

/// All of them.
pub fn all() -> Vec<Odd> {
    let deep = format!("{}{}", "{\"a\":".repeat(200), "1".to_owned() + &"}".repeat(200));
    let mut cut = response(200, "", br#"{"access_token":"t","device_id":"D","user_id":"@a:b"}"#);
    cut.truncate(cut.len() - 38);
    let network = |name, status, headers, body: &[u8]| Odd {
        name,
        status,
        bytes: response(status, headers, body),
        taken: Taken::Network,
    };
    let refused = |name, status, body: &str, taken| Odd {
        name,
        status,
        bytes: response(status, "", body.as_bytes()),
        taken,
    };
    let html = b"<html>Log in to the Wi-Fi</html>";
    vec![
        network("200 with HTML", 200, "Content-Type: text/html\r\n", html),
        network("200 with nothing", 200, "", b""),
        network("200 cut off after 15 bytes", 200, "", br#"{"access_token""#),
        Odd { name: "200 shorter than it says", status: 200, bytes: cut, taken: Taken::Network },
        network("200 with a list", 200, "", b"[]"),
        network("200 with null", 200, "", b"null"),
        network("200 with a string", 200, "", b"\"ok\""),
        network("200 with a key twice", 200, "", br#"{"user_id":"@a:b","user_id":"@c:d"}"#),
        network("200 that is no UTF-8", 200, "", b"{\"a\":\"\xff\"}"),
        network("200 that is too deep", 200, "", deep.as_bytes()),
        network("204", 204, "", b""),
        network("301", 301, "Location: http://127.0.0.1:1/\r\n", b""),
        network("302", 302, "Location: http://127.0.0.1:1/\r\n", html),
        network("307", 307, "Location: /\r\n", b"{}"),
        network("302 with an error", 302, "Location: /\r\n", br#"{"errcode":"M_FORBIDDEN","error":"no"}"#),
        network(
            "302 with a limit",
            302,
            "Location: /\r\n",
            br#"{"errcode":"M_LIMIT_EXCEEDED","error":"no"}"#,
        ),
        network(
            "200 with a challenge",
            200,
            "",
            br#"{"flows":[{"stages":["m.login.dummy"]}],"session":"s"}"#,
        ),
        network("400 with words", 400, "", b"Bad Request"),
        refused(
            "400",
            400,
            r#"{"errcode":"M_BAD_JSON","error":"no"}"#,
            Taken::Refused(Some("M_BAD_JSON"), "keep"),
        ),
        network("401 with HTML", 401, "WWW-Authenticate: Basic realm=x\r\n", html),
        network("401 with {}", 401, "", b"{}"),
        network("401 of a gateway", 401, "", br#"{"message":"Unauthorized"}"#),
        refused(
            "401 about the token",
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":false}"#,
            Taken::Token("M_UNKNOWN_TOKEN", "gone"),
        ),
        refused(
            "401 with a soft logout",
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":true}"#,
            Taken::Token("M_UNKNOWN_TOKEN", "soft_logout"),
        ),
        refused(
            "401 locked",
            401,
            r#"{"errcode":"M_USER_LOCKED","error":"no","soft_logout":true}"#,
            Taken::Refused(Some("M_USER_LOCKED"), "locked"),
        ),
        network("403 with HTML", 403, "", html),
        refused("403", 403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#, Taken::Forbidden),
        refused(
            "403 that paints the screen",
            403,
            r#"{"errcode":"M_FORBIDDEN","error":"\u001b[2J\u202e\u2066no\u009b\u200b\u061c\udb40\udc41"}"#,
            Taken::Forbidden,
        ),
        refused(
            "403 deactivated",
            403,
            r#"{"errcode":"M_USER_DEACTIVATED","error":"no"}"#,
            Taken::Refused(Some("M_USER_DEACTIVATED"), "deactivated"),
        ),
        refused(
            "403 suspended",
            403,
            r#"{"errcode":"M_USER_SUSPENDED","error":"no"}"#,
            Taken::Refused(Some("M_USER_SUSPENDED"), "suspended"),
        ),
        network("404 with HTML", 404, "", html),
        refused(
            "404",
            404,
            r#"{"errcode":"M_UNRECOGNIZED","error":"no"}"#,
            Taken::Refused(Some("M_UNRECOGNIZED"), "keep"),
        ),
        network("405", 405, "", b"Method Not Allowed"),
        network("413 with HTML", 413, "", html),
        network("418 without a code", 418, "", br#"{"error":"teapot"}"#),
        refused(
            "429 until tomorrow",
            429,
            r#"{"errcode":"M_LIMIT_EXCEEDED","error":"no","retry_after_ms":86400000}"#,
            Taken::Refused(Some("M_LIMIT_EXCEEDED"), "rate_limited"),
        ),
        network("500 with nothing", 500, "", b""),
        refused(
            "500",
            500,
            r#"{"errcode":"M_UNKNOWN","error":"no"}"#,
            Taken::Refused(Some("M_UNKNOWN"), "keep"),
        ),
        refused("501 with HTML", 501, "<html>", Taken::Refused(None, "keep")),
        refused(
            "501",
            501,
            r#"{"errcode":"M_UNRECOGNIZED","error":"no"}"#,
            Taken::Refused(Some("M_UNRECOGNIZED"), "keep"),
        ),
        network("502", 502, "", html),
        network("503", 503, "", br#"{"error":"maintenance"}"#),
        network("504", 504, "", html),
        network("599", 599, "", b""),
        refused(
            "200 that is an error",
            200,
            r#"{"errcode":"M_FORBIDDEN","error":"no"}"#,
            Taken::Refused(Some("M_FORBIDDEN"), "keep"),
        ),
        refused(
            "200 about the token",
            200,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no"}"#,
            Taken::Token("M_UNKNOWN_TOKEN", "gone"),
        ),
        Odd { name: "a connection that is closed", status: 0, bytes: Vec::new(), taken: Taken::Network },
        Odd { name: "no HTTP", status: 0, bytes: b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), taken: Taken::Network },
    ]
}
