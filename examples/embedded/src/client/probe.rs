//! What each call of a client takes of the stack.

use core::hint::black_box;

use matrix_uia::client::{
    Answer, Call, Client, Credential, Next, Printable, Prompt, Request, SessionImpact, Ticket,
};
use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
use matrix_uia::{Secret, Timestamp};

use crate::calls::{Body, Known};
use crate::stack::{measured, report};

const NOW: Timestamp = Timestamp::from_millis(1);
const CAN: &[AuthType<'static>] = &[AuthType::RegistrationToken, AuthType::Terms, AuthType::Password];
const CALL: &str = r#"{"username":"alice","password":"wonderland","auth":{}}"#;

/// Answers, each with what the request before it was sent for.
const FLOWS: &[u8] = br#"{"flows":[{"stages":["m.login.registration_token","m.login.terms","m.login.password","m.login.dummy"]}],"params":{"m.login.terms":{"policies":{"privacy":{"version":"1.2","en":{"name":"Privacy","url":"https://example.org/privacy"}}}}},"session":"s"}"#;
const REFUSED: &[u8] = br#"{"errcode":"M_UNAUTHORIZED","error":"No such token","session":"s"}"#;
const LIMITED: &[u8] = br#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":0}"#;
const TOKEN: &[u8] = br#"{"completed":["m.login.registration_token"],"session":"s"}"#;
const TERMS: &[u8] = br#"{"completed":["m.login.registration_token","m.login.terms"],"session":"s"}"#;
const PASSWORD: &[u8] =
    br#"{"completed":["m.login.registration_token","m.login.terms","m.login.password"],"session":"s"}"#;
const DONE: &[u8] = br#"{"user_id":"@alice:example.org"}"#;

pub fn run() {
    // A panic ends the program, and not well.
    assert!(walk().is_some(), "a flow goes otherwise than it should");
    let _ =
        measured("SessionImpact::of", || SessionImpact::of(Credential::AccessToken, 401, black_box(REFUSED)));
    report("(size of Progress)", size_of::<Known>());
    report("(size of Next)", size_of::<Next<'_>>());
}

/// One registration, stage by stage; `None` if it does not go as it should.
fn walk() -> Option<()> {
    let client = Client::new(CAN);
    let body = measured("Raw::parse", || Raw::parse(black_box(CALL))).ok()?;
    let call = Call::new("register", body).ok()?;
    let mut known = measured("Progress::new", || Known::new(call.name()));
    let Next::Send(first) = measured("Client::next, the first", || client.next(&mut known, NOW)) else {
        return None;
    };
    let ticket = written(&first, &call, "Request::write, the first")?;
    received(&client, &mut known, ticket, 401, FLOWS, "Client::receive, the flows");

    let (token, terms) = ("Client::next, a token", "Client::next, terms");
    let ticket = {
        let Next::Prompt(Prompt::RegistrationToken(prompt)) =
            measured(token, || client.next(&mut known, NOW))
        else {
            return None;
        };
        written(&prompt.answer(Secret::new("token")), &call, "Request::write, a token")?
    };
    received(&client, &mut known, ticket, 401, REFUSED, "Client::receive, a refusal");
    let ticket = attempt(&client, &mut known, &call)?;
    received(&client, &mut known, ticket, 429, LIMITED, "Client::receive, a limit");
    let ticket = attempt(&client, &mut known, &call)?;
    measured("Client::no_answer", || client.no_answer(&mut known, ticket, NOW));
    let later = Timestamp::from_millis(100_000);
    let Next::Send(poll) = measured("Client::next, how things stand", || client.next(&mut known, later))
    else {
        return None;
    };
    let ticket = poll.ticket();
    received(&client, &mut known, ticket, 401, TOKEN, "Client::receive, a stage completed");

    let ticket = {
        let Next::Prompt(Prompt::Terms(prompt)) = measured(terms, || client.next(&mut known, NOW)) else {
            return None;
        };
        let mut screen = Body::new();
        measured("Terms::each", || {
            prompt.terms().each(&["de"], |policy| {
                let _ = Printable(policy.name).write(&mut screen);
            });
        });
        written(&prompt.accept(), &call, "Request::write, terms")?
    };
    received(&client, &mut known, ticket, 401, TERMS, "Client::receive, terms accepted");

    let ticket = attempt(&client, &mut known, &call)?;
    received(&client, &mut known, ticket, 401, PASSWORD, "Client::receive, the password");
    let Next::Send(dummy) = measured("Client::next, a dummy", || client.next(&mut known, NOW)) else {
        return None;
    };
    let ticket = written(&dummy, &call, "Request::write, a dummy")?;
    received(&client, &mut known, ticket, 200, DONE, "Client::receive, the result");
    known.is_over().then_some(())
}

/// Answers a token or a password; the ticket of the request.
fn attempt(client: &Client<'_>, known: &mut Known, call: &Call<'_>) -> Option<Ticket> {
    let Next::Prompt(prompt) = measured("Client::next, a prompt", || client.next(known, NOW)) else {
        return None;
    };
    let secret = Secret::new("wonderland");
    let request = match prompt {
        Prompt::RegistrationToken(prompt) => prompt.answer(secret),
        Prompt::Password(prompt) => {
            measured("PasswordPrompt::answer", || prompt.answer(UserIdentifier::User("alice".into()), secret))
        }
        _ => return None,
    };
    written(&request, call, "Request::write")
}

/// Writes a request; its ticket.
fn written(request: &Request<'_>, call: &Call<'_>, name: &str) -> Option<Ticket> {
    let mut body = Body::new();
    measured(name, || request.write(black_box(call), &mut body)).ok()?;
    Some(request.ticket())
}

fn received(client: &Client<'_>, known: &mut Known, ticket: Ticket, status: u16, body: &[u8], name: &str) {
    let answer = Answer::new(status, black_box(body));
    let _ = measured(name, || client.receive(known, ticket, answer, NOW));
}
