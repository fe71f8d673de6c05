//! What the client of one session saw, and whether one order of its requests explains it: stages that have passed stay
//! passed, at most one request performs the call, and every answer after it is the same.

use serde_json::Value;
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};
use std::sync::Mutex;

/// What a request that names the session was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// That so many stages have passed.
    Goes(usize),
    /// That the call was carried out, and with which outcome.
    Done(String),
}

/// The session as it should be: the last that was true of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Session(Answer);

impl SequentialSpec for Session {
    type Op = ();
    type Ret = Answer;

    fn invoke(&mut self, (): &()) -> Answer {
        self.0.clone()
    }

    fn is_valid_step(&mut self, (): &(), answer: &Answer) -> bool {
        let forward = match (&self.0, answer) {
            (Answer::Goes(before), Answer::Goes(now)) => now >= before,
            (Answer::Goes(_), Answer::Done(_)) => true,
            (Answer::Done(before), Answer::Done(now)) => before == now,
            (Answer::Done(_), Answer::Goes(_)) => false,
        };
        self.0 = answer.clone();
        forward
    }
}

/// The requests of one session that were answered, each with when it was sent. One that was not changes nothing here:
/// what it did shows in the answers to others.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Vec<Event>>);

#[derive(Clone, Debug)]
enum Event {
    Sent,
    /// That of the event with this number.
    Answered(usize, Answer),
}

impl Seen {
    fn push(&self, event: Event) -> usize {
        let mut events = self.0.lock().unwrap();
        events.push(event);
        events.len() - 1
    }

    /// The number that its answer is told with.
    pub fn sent(&self) -> usize {
        self.push(Event::Sent)
    }

    /// Only what an answer says about this session counts.
    pub fn answered(&self, number: usize, session: &str, status: u16, body: &Value) {
        let answer = match status {
            // A token is not handed out twice.
            200 => Answer::Done(format!("{} {}", body["user_id"], body["device_id"])),
            401 if body["session"] == session => {
                Answer::Goes(body["completed"].as_array().map_or(0, Vec::len))
            }
            _ => return,
        };
        self.push(Event::Answered(number, answer));
    }

    pub fn is_linearizable(&self) -> bool {
        let events = self.0.lock().unwrap();
        let mut tester = LinearizabilityTester::new(Session(Answer::Goes(0)));
        let is_answered =
            |sent: usize| events.iter().any(|event| matches!(event, Event::Answered(of, _) if *of == sent));
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Sent if is_answered(at) => _ = tester.on_invoke(at, ()).unwrap(),
                Event::Sent => {}
                Event::Answered(of, answer) => _ = tester.on_return(*of, answer.clone()).unwrap(),
            }
        }
        tester.is_consistent()
    }
}

#[test]
fn a_session_that_goes_backwards_or_is_used_twice_is_found() {
    use serde_json::json;
    let goes = |passed: usize| (401, json!({ "session": "s", "completed": vec!["stage"; passed] }));
    let done = |device: &str| (200, json!({ "user_id": "@u:localhost", "device_id": device }));
    let other = || (401, json!({ "session": "another" }));
    // One after the other, or all at once.
    let told = |at_once: bool, answers: &[(u16, Value)]| {
        let seen = Seen::default();
        let early: Vec<_> = answers.iter().filter(|_| at_once).map(|_| seen.sent()).collect();
        for (at, (status, body)) in answers.iter().enumerate() {
            let number = early.get(at).copied().unwrap_or_else(|| seen.sent());
            seen.answered(number, "s", *status, body);
        }
        seen.is_linearizable()
    };
    for at_once in [false, true] {
        assert!(told(at_once, &[goes(0), goes(1), goes(1), done("A"), done("A"), other()]));
        assert!(!told(at_once, &[goes(0), done("A"), done("B")]), "performed twice");
    }
    assert!(!told(false, &[goes(1), goes(0)]), "a stage is lost");
    assert!(!told(false, &[done("A"), goes(1)]), "open again");
    assert!(told(true, &[done("A"), goes(1)]), "the other order");
}
