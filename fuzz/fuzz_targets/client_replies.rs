//! A client whose server, network and user do anything at all.
//!
//! The input: one byte of what the client can do, then records that end with 0xFF. A
//! record's first byte says what happens, modulo 9; an answer goes on with a status (see
//! `STATUS`), a `Retry-After` (0: none, 1: a date, else that many seconds), and the body.
//!
//! What is asserted: nothing is sent but what was advertised, no secret but in answer to a
//! prompt, always with the last session, and the call's own body whole; asked twice it
//! says the same; the end is the end; requests that nobody asked for are bounded; nothing
//! shows the session or a credential, and nothing that is stored has a credential.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::client::{
    Answer, Call, CallName, Client, Medium, Next, Patience, Progress, Prompt, Received, Ticket,
};
use matrix_uia::wire::{AuthType, ChallengeBody, Raw, ThreepidCreds, UserIdentifier};
use matrix_uia::{Secret, Text, Timestamp};
use matrix_uia_fuzz::json::{self, Node};
use matrix_uia_fuzz::stable;
use serde_json::Value;

const STATUS: [u16; 10] = [401, 200, 429, 403, 400, 500, 502, 302, 0, 599];
const CAN: [AuthType<'static>; 8] = [
    AuthType::Password,
    AuthType::Recaptcha,
    AuthType::EmailIdentity,
    AuthType::Msisdn,
    AuthType::RegistrationToken,
    AuthType::Terms,
    AuthType::OAuth,
    AuthType::custom("x"),
];
const MARK: &str = "ZXQmark";
const ORIGINAL: &str = r#"{"pad":39,"auth":{"session":"ZXQold"}}"#;

fuzz_target!(|input: &[u8]| {
    let Some((can, rest)) = input.split_first() else { return };
    // Its highest bits: is there a browser, is there a stage it can't do?
    let can_do = if can & 64 != 0 { &CAN[..] } else { &CAN[..usize::from(can & 7)] };
    let client = Client::new(can_do);
    let client = if can & 128 != 0 { client.with_browser() } else { client };
    let mut run = Run {
        client,
        progress: Progress::new(CallName::new("fuzzed").unwrap()),
        now: 1_000_000,
        flight: None,
        advertised: Vec::new(),
        session: None,
        begun: false,
        unasked: 0,
        ended: None,
    };
    for record in rest.split(|byte| *byte == 0xFF).take(64) {
        run.happens(record);
        run.check();
    }
});

struct Run<'c> {
    client: Client<'c>,
    progress: Progress<1024>,
    now: u64,
    flight: Option<Ticket>,
    /// The stages of the last flows, as `serde_json` reads them.
    advertised: Vec<String>,
    session: Option<String>,
    /// Whether there has been a challenge.
    begun: bool,
    /// Requests since the application did something.
    unasked: usize,
    /// What was said when it was over.
    ended: Option<String>,
}

impl Run<'_> {
    fn happens(&mut self, record: &[u8]) {
        let Some((op, payload)) = record.split_first() else { return };
        let now = Timestamp::from_millis(self.now);
        match op % 9 {
            0 | 1 => self.act(),
            2 => self.answer(payload),
            // No answer came, or it was never sent, or whoever waited for it is no more.
            3 => {
                if let Some(ticket) = self.flight.take() {
                    match payload {
                        b"n" => {
                            self.client.not_sent(&mut self.progress, ticket);
                            self.unasked = self.unasked.saturating_sub(1);
                        }
                        b"a" => self.client.abandon(&mut self.progress, now),
                        b"d" => drop(self.client.flight(&mut self.progress, ticket, now)),
                        _ => self.client.no_answer(&mut self.progress, ticket, now),
                    }
                    let late = Answer::new(200, b"{}");
                    let late = self.client.receive(&mut self.progress, ticket, late, now);
                    assert!(matches!(late, Received::Ignored));
                }
            }
            4 => {
                self.flight = None;
                self.unasked = 0;
                let stored = serde_json::to_string(&self.progress).expect("it can be stored");
                assert!(!stored.contains(MARK), "{stored}");
                self.progress = serde_json::from_str(&stored).expect("and read back");
            }
            5 => {
                self.unasked = 0;
                self.progress.stage_completed_elsewhere();
            }
            6 => {
                let step = payload.first().map_or(0, |step| u64::from(*step) * 700);
                self.now =
                    if payload.len() > 1 { self.now.saturating_sub(step * 90) } else { self.now + step };
            }
            7 => {
                self.unasked = 0;
                let medium = if payload.is_empty() { Medium::Email } else { Medium::Msisdn };
                if payload.len() > 1 {
                    self.progress.address_withdrawn(medium);
                } else {
                    self.progress.address_given(medium);
                }
            }
            _ if payload == b"cancel" => self.progress.cancel(),
            // Whatever was stored, by whomever: read or refused.
            _ => drop(serde_json::from_slice::<Progress<1024>>(payload)),
        }
    }

    fn act(&mut self) {
        let now = Timestamp::from_millis(self.now);
        let mut prompted = true;
        let request = match self.client.next(&mut self.progress, now) {
            Next::Send(request) => {
                prompted = false;
                request
            }
            Next::Prompt(prompt) => {
                assert!(self.advertised.contains(&prompt.auth_type().to_string()));
                match prompt {
                    Prompt::Password(prompt) => {
                        prompt.answer(UserIdentifier::User(Text::new("alice")), Secret::new(MARK))
                    }
                    Prompt::Recaptcha(prompt) => prompt.answer(Secret::new(MARK)),
                    Prompt::Terms(prompt) => {
                        prompt.terms().each(&["de"], |policy| {
                            assert!(policy.url.to_string().to_lowercase().starts_with("http"))
                        });
                        prompt.accept()
                    }
                    Prompt::RegistrationToken(prompt) => prompt.answer(Secret::new(MARK)),
                    Prompt::Threepid(prompt) => {
                        prompt.answer(ThreepidCreds::new(Text::new("1"), Secret::new(MARK)))
                    }
                    Prompt::Custom(prompt) => {
                        prompt.answer(Raw::parse(r#"{"pin":"ZXQmark","session":"no"}"#).unwrap())
                    }
                    other => panic!("{other:?}"),
                }
            }
            Next::Page(page) => {
                assert!(self.advertised.contains(&page.auth_type().to_string()));
                let mut url = String::new();
                page.write_url("https://example.org", &mut url).unwrap();
                assert!(url.to_lowercase().starts_with("http") && !url.contains([' ', '"', '\n']), "{url}");
                self.unasked = 0;
                return page.opened(now);
            }
            Next::RequestToken(request) => {
                self.unasked = 0;
                assert!(request.send_attempt() > 0);
                return request.sent(now);
            }
            Next::Uncertain(doubt) => {
                self.unasked = 0;
                return doubt.go_on();
            }
            Next::Wait { until, .. } => {
                assert!(until > now);
                self.now = until.as_millis().min(1 << 60);
                return;
            }
            _ => return,
        };
        let ticket = request.ticket();
        let mut body = String::new();
        request.write(&Call::new("fuzzed", Raw::parse(ORIGINAL).unwrap()).unwrap(), &mut body).unwrap();
        assert!(self.flight.replace(ticket).is_none(), "two requests at a time");
        self.unasked = if prompted { 0 } else { self.unasked + 1 };
        self.sent(&body, prompted);
    }

    fn sent(&self, body: &str, prompted: bool) {
        let sent: Value = serde_json::from_str(body).expect("JSON is sent");
        assert_eq!(sent["pad"], 39);
        assert!(prompted || !body.contains(MARK), "a secret that nobody was asked for: {body}");
        let Some(auth) = sent.get("auth") else {
            return assert!(!prompted && self.session.is_none() || self.advertised.is_empty());
        };
        assert_eq!(auth.get("session").and_then(Value::as_str), self.session.as_deref(), "the last session");
        if let Some(name) = auth.get("type") {
            let name = name.as_str().unwrap();
            assert!(self.advertised.iter().any(|stage| stage == name), "{name} was never advertised");
            assert!(prompted || name == "m.login.dummy");
        }
    }

    fn answer(&mut self, payload: &[u8]) {
        let (Some(ticket), [status, wait, body @ ..]) = (self.flight.take(), payload) else { return };
        let status = STATUS[usize::from(*status) % STATUS.len()];
        let seconds = wait.to_string();
        let retry_after = match wait {
            0 => None,
            1 => Some("Wed, 21 Oct 2026 07:28:00 GMT"),
            _ => Some(seconds.as_str()),
        };
        let answer = Answer::new(status, body).with_retry_after(retry_after);
        let now = Timestamp::from_millis(self.now);
        match self.client.receive(&mut self.progress, ticket, answer, now) {
            Received::Result(result) => {
                assert_eq!((status, result), (200, body));
                assert!(self.progress.is_over());
            }
            Received::GoOn => {}
            Received::Ignored => panic!("the answer it was waiting for"),
        }
        // An answer given twice is none.
        assert!(matches!(self.client.receive(&mut self.progress, ticket, answer, now), Received::Ignored));
        if status == 401 && ChallengeBody::parse(body).is_ok() && !self.progress.is_over() {
            let root = json::read(body).expect("it was read").root;
            // Before there are flows it is no challenge, and after them only if it says something.
            self.begun |= matches!(root.get("flows"), Some(Node::Array(_)));
            if self.begun {
                self.challenged(&root);
            }
        }
    }

    fn challenged(&mut self, root: &Node) {
        if let Some(flows @ Node::Array(_)) = root.get("flows") {
            let stages =
                flows.items().iter().flat_map(|flow| flow.get("stages").map_or(&[][..], Node::items));
            self.advertised = stages.filter_map(Node::text).map(|name| stable(&name).to_owned()).collect();
        }
        if let Some(session) = root.text_of("session").filter(|session| !session.is_empty()) {
            self.session = Some(session);
        }
    }

    fn check(&mut self) {
        let patience = Patience::default();
        let most = 9 * (1 + usize::from(patience.max_retries.max(patience.max_unanswered)))
            + usize::from(patience.max_polls);
        assert!(self.unasked <= most, "{} requests in a row", self.unasked);
        let shown = format!("{:?}", self.progress);
        assert!(!shown.contains(MARK));
        if !self.progress.is_over() {
            return assert!(self.ended.is_none(), "what is over stays so");
        }
        let now = Timestamp::from_millis(self.now);
        let said = match self.client.next(&mut self.progress, now) {
            Next::Done => "done".to_owned(),
            Next::Failed(failure) => format!("{:?}", failure.meaning()),
            other => panic!("over, and yet {other:?}"),
        };
        assert_eq!(*self.ended.get_or_insert_with(|| said.clone()), said);
    }
}
