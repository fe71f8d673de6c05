//! Client and server joined in memory, with everything in between that a network does:
//! requests and answers are dropped, delayed, doubled and put out of order, either side
//! restarts from its serialised value, and clocks step.
//!
//! ```text
//!  Client ─► Progress ─► requests ~~~► Run ─► Session, stored as text ─► how often?
//!     ▲                                                                        │
//!     └───────────────────── answers ◄~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~─┘
//! ```
//!
//! Nothing here knows the rules of either side. It counts how often the call was carried
//! out, and looks at what is sent: only what was advertised, and no secret but in answer
//! to a prompt. The property tests and the fuzz target `pair` drive it.

mod server;

use matrix_uia::client::{
    Answer, Call, CallName, Client, FlowFailure, Medium, Next, Patience, Progress, Prompt, Received, Ticket,
};
use matrix_uia::wire::{AuthType, Raw, ThreepidCreds, UserIdentifier};
use matrix_uia::{Millis, Rules, Secret, Text, Timestamp};

use server::{PIN, Server, limited};

pub use server::POLICIES;

const NAME: CallName<'static> = match CallName::new("pair") {
    Ok(name) => name,
    Err(_) => panic!("a short name"),
};
const CAN: &[AuthType<'static>] = &[AuthType::Password, AuthType::EmailIdentity, AuthType::custom(PIN)];

/// Everything that can happen. Which of several is meant is taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The application does what it is told to; a prompt is answered rightly or not.
    Act { right: bool },
    /// A request arrives; a copy of it may stay on the way.
    Arrive { which: u8, twice: bool },
    /// A request arrives at a limiter that lets nothing through.
    Limit { which: u8 },
    /// A request is lost.
    DropRequest { which: u8 },
    /// An answer arrives; a copy of it may stay on the way.
    Return { which: u8, twice: bool },
    /// An answer is lost.
    DropAnswer { which: u8 },
    /// The client has waited long enough.
    GiveUp,
    /// The client is started again from what it stored.
    Restart,
    /// A page says it is done, rightly or not.
    Told,
    /// A stage is completed at the server by somebody else's page, or a link.
    CompleteElsewhere,
    /// Time passes, for both.
    Time(u32),
    /// The client's clock is set back.
    SetBack(u32),
}

/// A request on the way.
struct Sent {
    ticket: Ticket,
    body: String,
    /// Another of the same has arrived before.
    is_copy: bool,
}

pub struct Pair {
    server: Server,
    /// Whether a finished call is answered again as long as anybody may ask.
    repeats: bool,
    client: Client<'static>,
    progress: Progress<2048>,
    client_now: u64,
    flight: Option<Ticket>,
    /// The session that the open page belongs to.
    page: Option<String>,
    requests: Vec<Sent>,
    answers: Vec<(Ticket, u16, String)>,
    /// How often the application did something that lets the client go on.
    acts: usize,
    sent: usize,
    pub result: bool,
}

impl Pair {
    /// `replay_for` of the server in milliseconds; whether the client has an address.
    pub fn new(policy: u8, replay_for: u64, with_address: bool, patience: Patience) -> Self {
        let mut rules = Rules::default();
        rules.replay_for = Millis::new(replay_for);
        rules.max_failed_attempts = u16::MAX;
        if replay_for == u64::MAX {
            rules.session_lifetime = Millis::new(u64::MAX);
        }
        let mut progress = Progress::new(NAME);
        if with_address {
            progress.address_given(Medium::Email);
        }
        Self {
            server: Server::new(policy, rules),
            repeats: replay_for == u64::MAX,
            client: Client::new(CAN).with_browser().with_patience(patience),
            progress,
            client_now: 5_000_000,
            flight: None,
            page: None,
            requests: Vec::new(),
            answers: Vec::new(),
            acts: 0,
            sent: 0,
            result: false,
        }
    }

    /// How often the call has been carried out.
    #[must_use]
    pub fn launched(&self) -> usize {
        self.server.launched
    }

    /// One event.
    pub fn happens(&mut self, event: Event) {
        let now = Timestamp::from_millis(self.client_now);
        match event {
            Event::Act { right } => self.act(right),
            Event::Arrive { which, twice } => {
                if let Some(request) = take(&mut self.requests, which) {
                    let (status, answer) = self.server.serve(&request.body);
                    self.answers.push((request.ticket, status, answer));
                    // What a copy does its sender can't know but from a server that repeats
                    // results: that is what rule U14 has them for.
                    if twice && self.repeats {
                        self.requests.push(Sent { is_copy: true, ..request });
                    }
                }
            }
            Event::Limit { which } => {
                if let Some(Sent { ticket, is_copy: false, .. }) = take(&mut self.requests, which) {
                    let (status, answer) = limited();
                    self.answers.push((ticket, status, answer));
                }
            }
            Event::DropRequest { which } => drop(take(&mut self.requests, which)),
            Event::Return { which, twice } => {
                if let Some((ticket, status, body)) = take(&mut self.answers, which) {
                    self.receive(ticket, status, &body);
                    if twice {
                        self.answers.push((ticket, status, body));
                    }
                }
            }
            Event::DropAnswer { which } => drop(take(&mut self.answers, which)),
            Event::GiveUp => {
                if let Some(ticket) = self.flight.take() {
                    self.client.no_answer(&mut self.progress, ticket, now);
                }
            }
            Event::Restart => self.restart(),
            Event::Told => {
                self.acts += 1;
                self.progress.stage_completed_elsewhere();
            }
            Event::CompleteElsewhere => self.server.complete_elsewhere(self.page.as_deref()),
            Event::Time(span) => {
                self.server.now += u64::from(span);
                self.client_now += u64::from(span);
            }
            Event::SetBack(span) => self.client_now = self.client_now.saturating_sub(span.into()),
        }
        self.check();
    }

    fn restart(&mut self) {
        self.acts += 1;
        self.flight = None;
        let stored = serde_json::to_string(&self.progress).unwrap();
        assert!(!stored.contains("wonderland") && !stored.contains("mark-of-a-secret"), "{stored}");
        self.progress = serde_json::from_str(&stored).unwrap();
    }

    /// What holds whatever has happened.
    fn check(&self) {
        assert!(self.server.launched <= 1, "carried out {} times", self.server.launched);
        assert!(!self.result || self.server.launched == 1, "a result without a call");
        let patience = Patience::default();
        let per_act = 9 * (1 + usize::from(patience.max_retries.max(patience.max_unanswered)))
            + usize::from(patience.max_polls);
        assert!(self.sent <= (self.acts + 1) * per_act, "{} requests for {} acts", self.sent, self.acts);
    }

    /// One step of an application.
    fn act(&mut self, right: bool) {
        let now = Timestamp::from_millis(self.client_now);
        let session = String::new();
        let (request, prompted) = match self.client.next(&mut self.progress, now) {
            Next::Send(request) => (request, false),
            Next::Prompt(prompt) => {
                self.acts += 1;
                let password = if right { "wonderland" } else { "white-rabbit" };
                let request = match prompt {
                    Prompt::Password(prompt) => {
                        prompt.answer(UserIdentifier::User(Text::new("alice")), Secret::new(password))
                    }
                    Prompt::Threepid(prompt) => {
                        prompt.answer(ThreepidCreds::new(Text::new("sid"), Secret::new("mark-of-a-secret")))
                    }
                    Prompt::Custom(prompt) => {
                        let pin = if right { r#"{"pin":"mark-of-a-secret"}"# } else { "{}" };
                        prompt.answer(Raw::parse(pin).unwrap())
                    }
                    other => panic!("it was never said that this can be done: {other:?}"),
                };
                (request, true)
            }
            Next::Page(page) => {
                self.acts += 1;
                let mut url = session;
                page.write_url("https://example.org", &mut url).unwrap();
                self.page = url.rsplit_once("?session=").map(|(_, session)| session.to_owned());
                return page.opened(now);
            }
            Next::RequestToken(request) => {
                self.acts += 1;
                return request.sent(now);
            }
            Next::Wait { until, .. } => {
                let span = until.since(now).get();
                self.client_now += span;
                self.server.now += span;
                return;
            }
            // Whether it happened: whoever can look may go on.
            Next::Uncertain(doubt) if self.server.launched == 0 && self.requests.is_empty() => {
                self.acts += 1;
                return doubt.go_on();
            }
            _ => return,
        };
        let ticket = request.ticket();
        let mut body = String::new();
        request
            .write(&Call::new(NAME.as_str(), Raw::parse(r#"{"pad":39}"#).unwrap()).unwrap(), &mut body)
            .unwrap();
        let secret =
            ["wonderland", "white-rabbit", "mark-of-a-secret"].iter().any(|secret| body.contains(secret));
        assert!(prompted || !secret, "a credential nobody was asked for: {body}");
        assert!(self.flight.replace(ticket).is_none(), "two requests at a time");
        self.sent += 1;
        self.requests.push(Sent { ticket, body, is_copy: false });
    }

    fn receive(&mut self, ticket: Ticket, status: u16, body: &str) {
        let now = Timestamp::from_millis(self.client_now);
        let answer = Answer::new(status, body.as_bytes());
        match self.client.receive(&mut self.progress, ticket, answer, now) {
            Received::Result(_) => self.result = true,
            Received::GoOn => {}
            Received::Ignored => {
                assert_ne!(self.flight, Some(ticket));
                return;
            }
        }
        assert_eq!(self.flight.take(), Some(ticket));
    }

    /// The network heals, and the user means it. Returns how it ended.
    pub fn heal(&mut self) -> Ending {
        self.requests.clear();
        self.answers.clear();
        self.happens(Event::GiveUp);
        for _ in 0..2_000 {
            if self.progress.is_over() {
                break;
            }
            for event in [
                Event::Act { right: true },
                Event::CompleteElsewhere,
                Event::Arrive { which: 0, twice: false },
                Event::Return { which: 0, twice: false },
            ] {
                self.happens(event);
            }
        }
        match self.client.next(&mut self.progress, Timestamp::from_millis(self.client_now)) {
            Next::Done => Ending::Done,
            Next::Uncertain(_) => Ending::Uncertain,
            Next::Failed(failure) => Ending::Failed(match failure {
                FlowFailure::Answer { status, .. } => format!("{status}"),
                other => format!("{other:?}"),
            }),
            other => panic!("it neither ends nor asks: {other:?}"),
        }
    }
}

/// How a flow ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Done,
    Uncertain,
    Failed(String),
}

fn take<T>(list: &mut Vec<T>, which: u8) -> Option<T> {
    let index = usize::from(which).checked_rem(list.len())?;
    Some(list.remove(index))
}
