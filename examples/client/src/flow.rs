//! One call, from its first request to its last: does what the crate's client says, and nothing of its own.
//!
//! ```text
//!  next ─┬─ Send, Prompt ─► written to FILE ─► sent ─► receive ─► next …
//!        ├─ RequestToken ─► asked for ─► the user follows a link
//!        ├─ Page ─────────► opened, or printed
//!        ├─ Wait ─────────► a spinner, or a countdown
//!        └─ Done, Failed ─► output
//! ```

use crate::ask::Ask;
use crate::browser;
use crate::clock;
use crate::failure::{self, Reopen};
use crate::http::Http;
use crate::output::End;
use crate::prompts::Answers;
use crate::resume::{File, Kept};
use crate::screen::Screen;
use crate::shape;
use crate::validation::Validation;
use matrix_uia::Millis;
use matrix_uia::client::{
    CallName, Client, Credential, Medium, Next, Page, Patience, Received, Request, StageStatus, Ticket,
};
use matrix_uia::endpoint::EndpointPath;
use matrix_uia::endpoint::threepid::RequestTokenResponse;
use matrix_uia::wire::{AuthType, Raw};
use serde_json::Value;

/// Terms in many languages have room in it.
pub type Progress = matrix_uia::client::Progress<16384>;

/// How often what got no answer is sent anew.
pub const RETRIES: u8 = 3;

/// A call.
#[derive(Clone)]
pub struct Call {
    pub endpoint: EndpointPath,
    pub token: Option<String>,
    /// What its errors are about.
    pub credential: Credential,
    /// Its body, without `auth`.
    pub body: String,
}

/// Where it goes, and who is there.
pub struct Flow<'f> {
    pub http: &'f Http,
    pub screen: Screen,
    /// Whether anybody can be asked.
    pub somebody: bool,
}

/// What comes of one look at the progress.
enum Step {
    Send(Ticket, String),
    /// The progress has changed: look again.
    Again,
    Told,
    RequestToken(u32),
    Address(Medium),
    Over(End, Reopen),
}

impl Flow<'_> {
    /// A call that needs no authentication but a token, if that.
    ///
    /// Where no answer comes it may have been done, and there is no session to ask: only what
    /// is as good done twice is tried again.
    pub fn plain(&mut self, call: &Call, retries: u8) -> Result<Value, End> {
        let client = Client::new(&[]).unattended().with_patience(self.patience(retries));
        let client = client.with_credential(call.credential);
        let mut nothing = Answers::default();
        let mut kept = Kept::new(String::new(), name(call)?);
        self.drive(call, client, &mut nothing, &mut kept, &mut File::at(None))
    }

    /// A call that may ask for user-interactive authentication; `who` is it about.
    pub fn authenticated(
        &mut self,
        call: &Call,
        who: &str,
        answers: &mut Answers,
        file: &mut File,
    ) -> Result<Value, End> {
        let stages = answers.stages(call.endpoint, self.somebody);
        let client = Client::new(&stages).with_patience(self.patience(RETRIES));
        let client = if self.somebody { client.with_browser() } else { client.unattended() };
        let client = client.with_credential(call.credential);
        let whose = format!("{}{} {who} {}", self.http.base(), call.endpoint.path, about(call));
        let mut kept = file.read(whose, name(call)?)?;
        if answers.email.is_some() {
            kept.progress.address_given(Medium::Email);
        }
        self.drive(call, client, answers, &mut kept, file)
    }

    fn patience(&self, max_unanswered: u8) -> Patience {
        let mut patience = Patience::default();
        patience.poll_interval = Millis::from_secs(1);
        patience.max_poll_interval = Millis::from_secs(5);
        patience.retry_after = Millis::new(500);
        patience.max_unanswered = max_unanswered;
        // Whoever watches the countdown can end it.
        patience.max_retry_after = Millis::from_secs(if self.somebody { 300 } else { 30 });
        patience
    }

    fn drive(
        &mut self,
        call: &Call,
        client: Client<'_>,
        answers: &mut Answers,
        kept: &mut Kept,
        file: &mut File,
    ) -> Result<Value, End> {
        let mut silence = String::new();
        loop {
            if !kept.progress.is_over() {
                file.write(kept)?;
            }
            self.screen.stages(client.stages(&kept.progress));
            match self.step(call, &client, answers, kept, &silence)? {
                Step::Send(ticket, body) => {
                    file.write(kept)?;
                    let reply = match self.http.send(call.endpoint, call.token.as_deref(), &body) {
                        Ok(reply) => reply,
                        Err(why) => {
                            client.no_answer(&mut kept.progress, ticket, clock::now());
                            silence = why;
                            continue;
                        }
                    };
                    let read = |body: &[u8]| shape::read(call.endpoint, body);
                    let received =
                        client.receive_as(&mut kept.progress, ticket, reply.answer(), clock::now(), read);
                    if let Received::Result(body) = received {
                        file.remove();
                        return Ok(body);
                    }
                    silence = reply.odd();
                }
                Step::Again => {}
                Step::Told => kept.progress.stage_completed_elsewhere(),
                Step::Address(medium) => kept.progress.address_given(medium),
                Step::RequestToken(send_attempt) => {
                    self.request_token(call, &client, answers, kept, file, send_attempt)?;
                }
                Step::Over(end, reopen) => {
                    match reopen {
                        Reopen::No => file.remove(),
                        // The next time it goes on, and does not find that it was over.
                        Reopen::Yes if kept.progress.again() => file.write(kept)?,
                        Reopen::Yes => {}
                    }
                    return Err(end);
                }
            }
        }
    }

    fn step(
        &mut self,
        call: &Call,
        client: &Client<'_>,
        answers: &mut Answers,
        kept: &mut Kept,
        silence: &str,
    ) -> Result<Step, End> {
        let open = next_stage(client, &kept.progress);
        let refusal = kept.progress.clone();
        let Kept { progress, validation, .. } = kept;
        Ok(match client.next(progress, clock::now()) {
            Next::Send(request) => send(call, &request)?,
            Next::Prompt(prompt) => {
                let there = (&self.screen, self.somebody);
                answers.answer(prompt, validation.as_ref(), there, |request| send(call, request))??
            }
            Next::Page(page) => self.open(page)?,
            Next::RequestToken(request) => Step::RequestToken(request.send_attempt()),
            Next::Address(missing) => {
                let stages: Vec<_> = missing.stages().collect();
                self.ask_address(call, answers, &stages)?
            }
            Next::Uncertain(doubt) => {
                self.screen.say("The answer to this call was lost: it may have been carried out.");
                if self.somebody && Ask.yes("Ask for it once more?") == Some(true) {
                    doubt.go_on();
                    return Ok(Step::Again);
                }
                let end = End::Network("an answer was lost, and nobody knows whether it was done".to_owned());
                Step::Over(end, Reopen::Yes)
            }
            Next::Wait { until, why } => {
                self.screen.wait(until, why, open.as_deref());
                Step::Again
            }
            Next::Failed(failure) => {
                let (end, reopen) = failure::ended(&failure, &refusal, open, silence);
                Step::Over(end, reopen)
            }
            // One request at a time, and none after the result: there is nothing else to do.
            _ => Step::Over(End::Network("nothing can be done".to_owned()), Reopen::Yes),
        })
    }

    /// Opens the page, or lets it be opened; whoever is there says when it is done.
    fn open(&self, page: Page<'_>) -> Result<Step, End> {
        let mut url = String::new();
        page.write_url(self.http.base(), &mut url).map_err(|_| unwritten())?;
        self.screen.say(&format!("Open {url}"));
        if self.screen.is_lively() {
            browser::open(&url);
        }
        // Nobody may be there to press it, and the page be completed nevertheless.
        let _ = Ask.line("Press Enter when done. ");
        page.opened(clock::now());
        Ok(Step::Told)
    }

    fn ask_address(&self, call: &Call, answers: &mut Answers, stages: &[AuthType<'_>]) -> Result<Step, End> {
        let missing = || End::Missing(stages.iter().map(|stage| stage.name().to_string()).collect());
        if !stages.contains(&AuthType::EmailIdentity) {
            // The page asks for it.
            return Ok(Step::Address(Medium::Msisdn));
        }
        if call.endpoint.request_token(Medium::Email).is_some() {
            let email = Ask.line("E-mail address: ").filter(|email| !email.is_empty());
            answers.email = Some(email.ok_or_else(missing)?);
        }
        Ok(Step::Address(Medium::Email))
    }

    fn request_token(
        &mut self,
        call: &Call,
        client: &Client<'_>,
        answers: &Answers,
        kept: &mut Kept,
        file: &mut File,
        send_attempt: u32,
    ) -> Result<(), End> {
        let no_way = || End::missing(AuthType::EmailIdentity.name().to_string());
        let endpoint = call.endpoint.request_token(Medium::Email).ok_or_else(no_way)?;
        let mut validation = match kept.validation.take() {
            Some(validation) => validation,
            None => {
                let email = answers.email.as_deref().ok_or_else(no_way)?;
                Validation::of(email).map_err(|error| End::Usage(error.to_string()))?
            }
        };
        // Its secret is kept before the server knows it: asked again, it sends nothing twice.
        kept.validation = Some(validation.clone());
        file.write(kept)?;
        let body = validation.request(send_attempt).map_err(|_| unwritten())?;
        let call = Call { endpoint, token: None, credential: Credential::Nothing, body };
        let answer = self.plain(&call, RETRIES)?.to_string();
        let answer = RequestTokenResponse::parse(answer.as_bytes()).map_err(|_| not_json())?;
        validation.sid = Some(answer.sid.to_string());
        let told = format!("A message is on its way to {}: follow its link.", validation.email);
        kept.validation = Some(validation);
        if let Next::RequestToken(request) = client.next(&mut kept.progress, clock::now()) {
            request.sent(clock::now());
        }
        // Kept before it is told: whoever ends the program then, and follows the link, can go on.
        file.write(kept)?;
        self.screen.say(&told);
        Ok(())
    }
}

fn send(call: &Call, request: &Request<'_>) -> Result<Step, End> {
    let mut body = String::new();
    let original = Raw::parse(&call.body).map_err(|_| unwritten())?;
    let call = matrix_uia::client::Call::new(call.endpoint.path, original).map_err(|_| unwritten())?;
    request.write(&call, &mut body).map_err(|_| unwritten())?;
    Ok(Step::Send(request.ticket(), body))
}

fn next_stage(client: &Client<'_>, progress: &Progress) -> Option<String> {
    let mut stages = client.stages(progress);
    stages.find(|(_, status)| *status == StageStatus::Next).map(|(stage, _)| stage.name().to_string())
}

/// One process makes one call, so its endpoint is name enough; whose it is, and what it is about, the file says.
fn name(call: &Call) -> Result<CallName<'static>, End> {
    CallName::new(call.endpoint.path).map_err(|_| unwritten())
}

/// What of a body says which call it is: all but its passwords, which stand in no file.
fn about(call: &Call) -> Value {
    let mut body: Value = serde_json::from_str(&call.body).unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.retain(|key, _| key != "password" && key != "new_password");
    }
    body
}

fn unwritten() -> End {
    End::Usage("the request can't be written".to_owned())
}

fn not_json() -> End {
    End::Network("the answer is not what the call answers".to_owned())
}
