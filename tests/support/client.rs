//! A client that is told what the server said, and says in a word what it does.
//!
//! ```text
//!  step() ─► "send {…}" │ "password M_FORBIDDEN" │ "page …" │ "wait 2000 Elsewhere" │ "failed …"
//!  give() ─► answers the prompt that is open     reply(401, …) ─► the server's answer
//! ```
//!
//! Between two steps the progress is written and read back whenever no request is on its
//! way, so every test is also a test of restarts.

use matrix_uia::client::{
    Answer, Call, CallName, Client, FlowFailure, Medium, Next, Progress, Prompt, Received, SessionImpact,
    Ticket,
};
use matrix_uia::wire::{AuthType, Raw, ThreepidCreds, UserIdentifier};
use matrix_uia::{Secret, Text, Timestamp};
use serde_json::{Value, json};

/// An application that can do everything by itself.
pub(crate) const ALL: &[AuthType<'static>] = &[
    AuthType::Password,
    AuthType::Recaptcha,
    AuthType::EmailIdentity,
    AuthType::Msisdn,
    AuthType::RegistrationToken,
    AuthType::Terms,
    AuthType::custom("org.example.pin"),
];

pub(crate) struct Walk<'c> {
    pub(crate) client: Client<'c>,
    pub(crate) progress: Progress,
    pub(crate) now: u64,
    /// The call's own body.
    pub(crate) original: &'c str,
    /// ResetTarget password is given, and what for a password.
    pub(crate) user: &'c str,
    pub(crate) password: &'c str,
    pub(crate) registration_token: &'c str,
    pub(crate) flight: Option<Ticket>,
    /// What was sent last.
    pub(crate) body: Value,
    pub(crate) sent: usize,
}

impl<'c> Walk<'c> {
    pub(crate) fn new(client: Client<'c>) -> Self {
        Self {
            client,
            progress: Progress::new(CallName::new("walk").unwrap()),
            now: 1_000_000,
            original: r#"{"new_password":"looking-glass"}"#,
            user: "alice",
            password: "wonderland",
            registration_token: "fBVFdqVE",
            flight: None,
            body: Value::Null,
            sent: 0,
        }
    }

    /// One that has sent its first request, and got `challenge` for it.
    pub(crate) fn challenged(client: Client<'c>, challenge: Value) -> Self {
        let mut walk = Self::new(client);
        walk.begin(challenge);
        walk
    }

    pub(crate) fn begin(&mut self, challenge: Value) {
        assert_eq!(self.step(), "send -");
        self.reply(401, challenge);
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    /// What it does now.
    pub(crate) fn step(&mut self) -> String {
        let now = self.timestamp();
        let request = match self.client.next(&mut self.progress, now) {
            Next::Send(request) => request,
            next => return words(&next, now),
        };
        let ticket = request.ticket();
        let mut body = String::new();
        request.write(&Call::new("walk", Raw::parse(self.original).unwrap()).unwrap(), &mut body).unwrap();
        self.send(ticket, &body)
    }

    /// Answers the prompt that is open, rightly by all it knows.
    pub(crate) fn give(&mut self) -> String {
        let now = self.timestamp();
        let Next::Prompt(prompt) = self.client.next(&mut self.progress, now) else { panic!("no prompt") };
        let creds = ThreepidCreds::new(Text::new("sid"), Secret::new("client-secret"));
        let request = match prompt {
            Prompt::Password(prompt) => {
                prompt.answer(UserIdentifier::User(Text::new(self.user)), Secret::new(self.password))
            }
            Prompt::Recaptcha(prompt) => prompt.answer(Secret::new("solved")),
            Prompt::Terms(prompt) => prompt.accept(),
            Prompt::RegistrationToken(prompt) => prompt.answer(Secret::new(self.registration_token)),
            Prompt::Threepid(prompt) => prompt.answer(creds),
            Prompt::Custom(prompt) => prompt.answer(Raw::parse(r#"{"pin":1234}"#).unwrap()),
            other => panic!("{other:?}"),
        };
        let ticket = request.ticket();
        let mut body = String::new();
        request.write(&Call::new("walk", Raw::parse(self.original).unwrap()).unwrap(), &mut body).unwrap();
        self.send(ticket, &body)
    }

    fn send(&mut self, ticket: Ticket, body: &str) -> String {
        assert!(self.flight.replace(ticket).is_none(), "one request in flight");
        self.sent += 1;
        self.body = serde_json::from_str(body).unwrap();
        self.body.get("auth").map_or("send -".to_owned(), |auth| format!("send {auth}"))
    }

    pub(crate) fn reply(&mut self, status: u16, body: Value) {
        self.reply_bytes(status, None, body.to_string().as_bytes());
    }

    pub(crate) fn reply_bytes(&mut self, status: u16, retry_after: Option<&str>, body: &[u8]) {
        let ticket = self.flight.take().expect("a request is on its way");
        let answer = Answer::new(status, body).with_retry_after(retry_after);
        let now = self.timestamp();
        let received = self.client.receive(&mut self.progress, ticket, answer, now);
        assert!(!matches!(received, Received::Ignored));
        self.restart();
    }

    pub(crate) fn lose(&mut self) {
        let ticket = self.flight.take().expect("a request is on its way");
        let now = self.timestamp();
        self.client.no_answer(&mut self.progress, ticket, now);
        self.restart();
    }

    /// Only the stored value is left.
    pub(crate) fn restart(&mut self) {
        self.flight = None;
        let stored = serde_json::to_string(&self.progress).unwrap();
        self.progress = serde_json::from_str(&stored).unwrap();
    }

    /// The page is open, or the token sent.
    pub(crate) fn done(&mut self) {
        let now = self.timestamp();
        match self.client.next(&mut self.progress, now) {
            Next::Page(page) => page.opened(now),
            Next::RequestToken(request) => request.sent(now),
            Next::Uncertain(doubt) => doubt.go_on(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits as long as it has to; how long that was.
    pub(crate) fn wait(&mut self) -> u64 {
        let now = self.timestamp();
        let Next::Wait { until, .. } = self.client.next(&mut self.progress, now) else { panic!("no wait") };
        let waited = until.as_millis() - self.now;
        self.now += waited;
        waited
    }

    pub(crate) fn meaning(&mut self) -> SessionImpact {
        let now = self.timestamp();
        let Next::Failed(failure) = self.client.next(&mut self.progress, now) else { panic!("not over") };
        failure.meaning()
    }
}

/// A challenge with these flows and the session `s`.
pub(crate) fn offer(flows: &[&[&str]]) -> Value {
    let flows: Vec<Value> = flows.iter().map(|stages| json!({"stages": stages})).collect();
    json!({"flows": flows, "params": {}, "session": "s"})
}

/// The same, with some stages completed.
pub(crate) fn completed(flows: &[&[&str]], completed: &[&str]) -> Value {
    with(offer(flows), json!({"completed": completed}))
}

/// `body` with the keys of `more` as well.
pub(crate) fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn words(next: &Next<'_>, now: Timestamp) -> String {
    match next {
        Next::Prompt(prompt) => {
            let name = match prompt {
                Prompt::Recaptcha(prompt) => format!("recaptcha {}", prompt.public_key()),
                Prompt::Threepid(prompt) => format!("{:?}", prompt.medium()),
                _ => prompt.auth_type().to_string().replace("m.login.", ""),
            };
            let code = prompt.error().and_then(|error| error.code).map(|code| format!(" {}", code.name()));
            format!("{name}{}{}", code.unwrap_or_default(), if prompt.is_again() { " again" } else { "" })
        }
        Next::Page(page) => {
            let mut url = String::new();
            page.write_url("https://example.org/", &mut url).unwrap();
            format!("page {url}")
        }
        Next::RequestToken(request) => {
            let medium = if request.medium() == Medium::Email { "email" } else { "msisdn" };
            format!("token {medium} {}", request.send_attempt())
        }
        Next::Address(missing) => format!("address {}", list(missing.stages())),
        Next::Wait { until, why } => format!("wait {} {why:?}", until.since(now).get()),
        Next::Uncertain(_) => "doubt".to_owned(),
        Next::Busy => "busy".to_owned(),
        Next::Done => "done".to_owned(),
        Next::Failed(failure) => match failure {
            FlowFailure::Answer { status, error, .. } => {
                let code = error.and_then(|error| error.code).map(|code| format!(" {}", code.name()));
                format!("failed {status}{}", code.unwrap_or_default())
            }
            FlowFailure::NoFlow(missing) => format!("no flow {}", list(missing.stages())),
            other => format!("failed {other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn list<'a>(stages: impl Iterator<Item = AuthType<'a>>) -> String {
    stages.map(|stage| stage.to_string()).collect::<Vec<_>>().join(",")
}
