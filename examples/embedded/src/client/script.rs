//! A homeserver and a user who say what they are to say, and look at what they are told.

use core::fmt;
use core::slice;

use matrix_uia::Timestamp;

use crate::calls::{Reply, Surroundings};

/// What happens up to one answer.
pub struct Step {
    /// What the device shows.
    shown: &'static str,
    /// What the user types.
    typed: &'static str,
    /// The request that the device sends.
    sent: &'static str,
    /// The answer's status and body; `None` if it is lost on its way.
    answer: Option<(u16, &'static str)>,
}

impl Step {
    /// A request that nobody is asked for.
    const fn sends(sent: &'static str) -> Self {
        Self { shown: "", typed: "", sent, answer: None }
    }

    /// One that the user is asked for before.
    const fn asks(shown: &'static str, typed: &'static str, sent: &'static str) -> Self {
        Self { shown, typed, sent, answer: None }
    }

    const fn answered(self, status: u16, body: &'static str) -> Self {
        Self { answer: Some((status, body)), ..self }
    }
}

/// A registration that takes a token, consent to two policies, and a stage that takes nothing. The
/// homeserver limits the first request, and the answer to the token is lost.
pub static REGISTRATION: &[Step] = &[
    Step::sends(r#"{"username":"lamp","password":"wonderland","inhibit_login":true}"#)
        .answered(429, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too fast","retry_after_ms":2000}"#),
    Step::sends(r#"{"username":"lamp","password":"wonderland","inhibit_login":true}"#).answered(
        401,
        r#"{"flows":[{"stages":["m.login.recaptcha","m.login.dummy"]},{"stages":["m.login.registration_token","m.login.terms","m.login.dummy"]}],"params":{"m.login.recaptcha":{"public_key":"k"},"m.login.terms":{"policies":{"privacy":{"version":"1.2","en":{"name":"Privacy policy","url":"https://example.org/privacy"},"fr":{"name":"Vie priv\u00e9e","url":"https://example.org/vie-privee"}},"terms":{"version":"3","en":{"name":"Terms","url":"https://example.org/terms"}}}},"m.login.dummy":{}},"session":"r1"}"#,
    ),
    Step::asks(
        "Registration token? ",
        "lamp-0042",
        r#"{"auth":{"type":"m.login.registration_token","token":"lamp-0042","session":"r1"},"username":"lamp","password":"wonderland","inhibit_login":true}"#,
    ),
    Step::sends(
        r#"{"auth":{"session":"r1"},"username":"lamp","password":"wonderland","inhibit_login":true}"#,
    )
    .answered(401, r#"{"completed":["m.login.registration_token"],"session":"r1"}"#),
    Step::asks(
        "Vie privée: https://example.org/vie-privee\nTerms: https://example.org/terms\nDo you accept? ",
        "yes",
        r#"{"auth":{"type":"m.login.terms","session":"r1"},"username":"lamp","password":"wonderland","inhibit_login":true}"#,
    )
    .answered(401, r#"{"completed":["m.login.registration_token","m.login.terms"],"session":"r1"}"#),
    Step::sends(
        r#"{"auth":{"type":"m.login.dummy","session":"r1"},"username":"lamp","password":"wonderland","inhibit_login":true}"#,
    )
    .answered(200, r#"{"user_id":"@lamp:example.org"}"#),
];

/// A new password that takes the one of before, which the user gets wrong once.
pub static PASSWORD: &[Step] = &[
    Step::sends(r#"{"new_password":"looking-glass"}"#)
        .answered(401, r#"{"flows":[{"stages":["m.login.sso"]},{"stages":["m.login.password"]}],"params":{},"session":"p1"}"#),
    Step::asks(
        "Password? ",
        "wonderlamp",
        r#"{"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"lamp"},"password":"wonderlamp","session":"p1"},"new_password":"looking-glass"}"#,
    )
    .answered(401, r#"{"errcode":"M_FORBIDDEN","error":"Wrong password","session":"p1"}"#),
    Step::asks(
        "Wrong password\nPassword? ",
        "wonderland",
        r#"{"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"lamp"},"password":"wonderland","session":"p1"},"new_password":"looking-glass"}"#,
    )
    .answered(200, "{}"),
];

/// A deactivation that takes a browser, which the device has none of.
pub static DEACTIVATION: &[Step] =
    &[Step::sends("{}")
        .answered(401, r#"{"flows":[{"stages":["m.login.sso"]}],"params":{},"session":"d1"}"#)];

/// The homeserver and the user of one call.
pub struct Script {
    /// What has not happened yet.
    steps: slice::Iter<'static, Step>,
    screen: heapless::String<256>,
    now: Timestamp,
    /// Whether all that was shown and sent so far is what it is to be.
    as_it_should: bool,
}

impl Script {
    pub fn new(steps: &'static [Step]) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        Self { steps: steps.iter(), screen: heapless::String::new(), now, as_it_should: true }
    }

    /// Whether all of it has happened, and nothing else.
    pub fn is_over(&self) -> bool {
        self.as_it_should && self.steps.as_slice().is_empty()
    }
}

/// The screen.
impl fmt::Write for Script {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.screen.push_str(text).map_err(|_| fmt::Error)
    }
}

impl Surroundings for Script {
    fn typed(&mut self) -> Option<&str> {
        self.steps.as_slice().first().map(|step| step.typed)
    }

    fn post(&mut self, path: &str, body: &str, reply: &mut Reply) -> Option<u16> {
        print(&[&self.screen, "\n", path, " ", body, "\n"]);
        let step = self.steps.next()?;
        self.as_it_should &= self.screen == step.shown && body == step.sent;
        self.screen.clear();
        let (status, answer) = step.answer?;
        reply.clear();
        reply.push_str(answer).ok()?;
        Some(status)
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn sleep(&mut self, until: Timestamp) {
        self.now = until;
    }
}

/// Says what the device shows and sends.
#[cfg(feature = "answers")]
fn print(parts: &[&str]) {
    parts.iter().for_each(|part| crate::board::print(part));
}

#[cfg(not(feature = "answers"))]
const fn print(_: &[&str]) {}
