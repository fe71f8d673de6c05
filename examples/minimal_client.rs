//! The client's loop, without HTTP: a password change at a server that is a script.
//!
//!     cargo run --example minimal_client

use core::error::Error;

use matrix_uia::client::{Answer, Call, Client, Next, Progress, Prompt, Received};
use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
use matrix_uia::{Secret, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    // What a homeserver would answer.
    let mut replies = [
        (401, r#"{"flows":[{"stages":["m.login.password"]}],"params":{},"session":"xyz"}"#),
        (401, r#"{"errcode":"M_FORBIDDEN","error":"Invalid password","session":"xyz"}"#),
        (200, "{}"),
    ]
    .into_iter();
    let mut passwords = ["white-rabbit", "wonderland"].into_iter();

    let client = Client::new(&[AuthType::Password]);
    let call = Call::new("password of alice", Raw::parse(r#"{"new_password":"looking-glass"}"#)?)?;
    let mut progress = Progress::<4096>::new(call.name());
    loop {
        let now = Timestamp::from_millis(0);
        let request = match client.next(&mut progress, now) {
            Next::Send(request) => request,
            Next::Prompt(Prompt::Password(prompt)) => {
                let password = passwords.next().ok_or("no other password comes to mind")?;
                prompt.answer(UserIdentifier::User("alice".into()), Secret::new(password))
            }
            Next::Done => return Ok(()),
            other => return Err(format!("this needs more than 30 lines: {other:?}").into()),
        };
        let (ticket, mut body) = (request.ticket(), String::new());
        request.write(&call, &mut body)?;
        let (status, reply) = replies.next().ok_or("the server has gone")?;
        println!("{body}\n{status}  {reply}\n");
        if let Received::Result(_) =
            client.receive(&mut progress, ticket, Answer::new(status, reply.as_bytes()), now)
        {
            println!("The password has been changed.");
        }
    }
}
