//! Every command against servers that answer oddly: it ends within its bound, sends no credential twice
//! unasked, keeps a stored progress that still means something, and says what it means (rules C7 and C8).

use super::fake::{Fake, response};
use super::odd_answers::{self, Odd, With};
use super::run::{Ended, Run};
use crate::support::Scratch;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

/// A command line, what it is made with, and whether it has a progress to keep.
const COMMANDS: [(&str, With, bool); 13] = [
    ("register --user neo", With::Nothing, true),
    ("login --user alice", With::Nothing, false),
    ("login --email alice@example.org", With::Nothing, false),
    ("login --token t", With::Nothing, false),
    ("refresh --refresh-token mua_refresh", With::RefreshToken, false),
    ("whoami", With::AccessToken, false),
    ("devices", With::AccessToken, false),
    ("logout", With::AccessToken, false),
    ("logout-all", With::AccessToken, false),
    ("password --user alice", With::AccessToken, true),
    ("reset --email alice@example.org", With::Nothing, true),
    ("deactivate --user alice", With::AccessToken, true),
    ("delete-devices A B --user alice", With::AccessToken, true),
];

/// Most of it is waiting.
const AT_ONCE: usize = 24;

fn run(address: SocketAddr, line: &str, with: With, file: Option<&Path>) -> Ended {
    run_as(Run::at(address, line).json(), with, file)
}

fn run_as(run: Run, with: With, file: Option<&Path>) -> Ended {
    let mut run = run.env("MATRIX_PASSWORD", "wonderland");
    run = run.env("MATRIX_NEW_PASSWORD", "looking-glass");
    if with == With::AccessToken {
        run = run.env("MATRIX_ACCESS_TOKEN", "mua_access");
    }
    match file {
        Some(file) => run.args(&["--resume", file.to_str().unwrap()]).run(),
        None => run.run(),
    }
}

fn in_parallel<T: Send>(cases: Vec<T>, check: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().unwrap().pop();
                    let Some(case) = case else { return };
                    check(case);
                }
            });
        }
    });
}

/// Nothing a terminal would act upon, or not show, was said.
fn nothing_unseen(ended: &Ended, at: &str) {
    let mut seen = ended.stdout.chars().chain(ended.stderr.chars());
    let unseen = |c: char| {
        let format = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        (c.is_control() && c != '\n') || format
    };
    assert!(!seen.any(unseen), "{at}: {ended:?}");
}

/// It said what the answer means.
fn said(ended: &Ended, odd: &Odd, with: With, at: &str) {
    nothing_unseen(ended, at);
    match odd.refusal(with) {
        None => {
            assert_eq!(ended.status, 4, "{at}: {ended:?}");
            ended.network();
        }
        Some((Some(code), meaning)) => {
            assert_eq!(ended.status, 1, "{at}: {ended:?}");
            ended.refused(odd.status, code, meaning);
        }
        Some((None, _)) => ended.status_is(1),
    }
}

fn count(asked: &[String], words: &str) -> usize {
    asked.iter().filter(|body| body.contains(words)).count()
}

#[test]
fn c07_every_odd_answer_to_the_first_request_of_every_command() {
    let odd = odd_answers::all();
    assert!(odd.len() >= 40);
    let cases = odd.iter().flat_map(|odd| COMMANDS.iter().map(move |command| (odd, command))).collect();
    in_parallel(cases, |(odd, (line, with, kept)): (&Odd, &(&str, With, bool))| {
        let bytes = odd.bytes.clone();
        let fake = Fake::new(move |_, _| bytes.clone());
        let dir = Scratch::new();
        let file = dir.path().join("progress");
        let at = format!("{}, {line}", odd.name);
        let ended = run(fake.address, line, *with, kept.then_some(file.as_path()));
        said(&ended, odd, *with, &at);
        let asked = fake.asked();
        assert!((1..=5).contains(&asked.len()), "{at}: {asked:?}");
        if line.starts_with("log") || line.starts_with("refresh") {
            assert_eq!(asked.len(), 1, "{at}: it may have been done");
        }
        assert!(!kept || odd.refusal(*with).is_some() || file.exists(), "{at}: the progress is lost");
    });
}

/// A command that is asked to authenticate, by a stage; and the words of its credential, if it has one.
struct MidFlow {
    line: &'static str,
    with: With,
    stage: &'static str,
    credential: Option<&'static str>,
}

const MID_FLOW: [MidFlow; 6] = [
    by_password("password --user alice"),
    by_password("deactivate --user alice"),
    by_password("delete-devices A B --user alice"),
    MidFlow {
        line: "register --user neo --registration-token marked-token",
        with: With::Nothing,
        stage: "m.login.registration_token",
        credential: Some("marked-token"),
    },
    MidFlow { line: "register --user neo", with: With::Nothing, stage: "m.login.dummy", credential: None },
    MidFlow {
        line: "reset --email alice@example.org",
        with: With::Nothing,
        stage: "m.login.dummy",
        credential: None,
    },
];

const fn by_password(line: &'static str) -> MidFlow {
    MidFlow { line, with: With::AccessToken, stage: "m.login.password", credential: Some("wonderland") }
}

/// The other output mode: the same decisions, in words.
#[test]
fn c07_every_odd_answer_is_told_in_words_too() {
    let odd = odd_answers::all();
    let lines = ["register --user neo", "login --user alice", "whoami", "delete-devices A B --user alice"];
    let commands = COMMANDS.iter().filter(|(line, ..)| lines.contains(line)).collect::<Vec<_>>();
    assert_eq!(commands.len(), lines.len());
    let cases = odd.iter().flat_map(|odd| commands.iter().map(move |command| (odd, *command))).collect();
    in_parallel(cases, |(odd, (line, with, _)): (&Odd, &(&str, With, bool))| {
        let bytes = odd.bytes.clone();
        let fake = Fake::new(move |_, _| bytes.clone());
        let at = format!("{}, {line}", odd.name);
        let ended = run_as(Run::at(fake.address, line).args(&["--non-interactive"]), *with, None);
        nothing_unseen(&ended, &at);
        let (status, words) = match odd.refusal(*with) {
            None => (4, ""),
            Some((code, _)) => (1, code.unwrap_or_default()),
        };
        assert_eq!(ended.status, status, "{at}: {ended:?}");
        assert_eq!(ended.stdout, "", "there is no answer: {at}: {ended:?}");
        assert!(!ended.stderr.is_empty() && ended.stderr.contains(words), "{at}: {ended:?}");
        assert!((1..=5).contains(&fake.asked().len()), "{at}");
    });
}

#[test]
fn c07_every_odd_answer_in_mid_flow_gets_one_credential_and_keeps_the_progress() {
    let odd = odd_answers::all();
    let cases = odd.iter().flat_map(|odd| MID_FLOW.iter().map(move |command| (odd, command))).collect();
    in_parallel(cases, |(odd, MidFlow { line, with, stage, credential }): (&Odd, &MidFlow)| {
        let bytes = odd.bytes.clone();
        let challenge = format!(r#"{{"flows":[{{"stages":["{stage}"]}}],"params":{{}},"session":"s"}}"#);
        let fake = Fake::new(move |number, _| match number {
            0 => response(401, "", challenge.as_bytes()),
            _ => bytes.clone(),
        });
        let dir = Scratch::new();
        let file = dir.path().join("progress");
        let at = format!("{}, {line}", odd.name);
        let ended = run(fake.address, line, *with, Some(&file));
        said(&ended, odd, *with, &at);
        let asked = fake.asked();
        if let Some(credential) = credential {
            assert_eq!(count(&asked, credential), 1, "{at}: {asked:?}");
        }
        assert!(asked.len() <= 6, "{at}: {asked:?}");
        assert!(odd.refusal(*with).is_some() || file.exists(), "{at}: the progress is lost");
        // The same file, and a server that is well again.
        if odd.refusal(*with).is_none() {
            let made = br#"{"user_id":"@neo:h","access_token":"mua_t","device_id":"D"}"#;
            let well =
                Fake::new(|_, path| response(200, "", if path.ends_with("register") { made } else { b"{}" }));
            let text = std::fs::read_to_string(&file).unwrap();
            let moved = text.replace(&fake.address.to_string(), &well.address.to_string());
            std::fs::write(&file, moved).unwrap();
            run(well.address, line, *with, Some(&file)).ok();
            assert!(!file.exists(), "{at}");
        }
    });
}

#[test]
fn lesson_76_a_fresh_session_in_every_answer_gets_one_password_of_a_program() {
    for error in ["", r#","errcode":"M_UNKNOWN","error":"no""#, r#","errcode":"M_FORBIDDEN","error":"no""#] {
        for line in ["password --user alice", "deactivate --user alice", "delete-devices A --user alice"] {
            let fake = Fake::new(move |number, _| {
                let challenge = format!(
                    r#"{{"flows":[{{"stages":["m.login.password"]}}],"session":"s{number}"{error}}}"#
                );
                response(401, "", challenge.as_bytes())
            });
            let ended = run(fake.address, line, With::AccessToken, None);
            assert_eq!(ended.status, 1, "{ended:?}");
            assert_eq!(count(&fake.asked(), "wonderland"), 1);
        }
    }
    // Without a credential it is bounded all the same.
    let fake = Fake::new(|number, _| {
        let challenge = format!(
            r#"{{"flows":[{{"stages":["m.login.terms"]}}],"session":"s{number}","params":{{"m.login.terms":{{"policies":{{}}}}}}}}"#
        );
        response(401, "", challenge.as_bytes())
    });
    let ended = run(fake.address, "register --user neo --accept-terms", With::Nothing, None);
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(fake.asked().len() <= 8);
}

#[test]
fn lesson_95_a_message_that_was_not_asked_for_in_so_many_words_is_none() {
    const CHALLENGE: &str = r#"{"flows":[{"stages":["m.login.email.identity"]}],"params":{},"session":"s"}"#;
    for (body, status) in [(r#"{"errcode":"M_THREEPID_DENIED","error":"no"}"#, 1), ("{}", 4), ("<html>", 4)] {
        let fake = Fake::new(move |_, path| match path.ends_with("requestToken") {
            true => response(200, "", body.as_bytes()),
            false => response(401, "", CHALLENGE.as_bytes()),
        });
        let dir = Scratch::new();
        let file = dir.path().join("progress");
        let ended = run(fake.address, "reset --email a@example.org", With::Nothing, Some(&file));
        assert_eq!(ended.status, status, "{body}: {ended:?}");
        assert!(file.exists(), "{body}: what was begun is not decided by a message");
    }
}

#[test]
fn lesson_95_a_login_without_a_device_is_told_as_no_answer() {
    for line in ["login --user alice", "login --token t"] {
        let fake = Fake::new(|_, _| response(200, "", br#"{"user_id":"@alice:h","access_token":"mua_t"}"#));
        run(fake.address, line, With::Nothing, None).network();
        assert_eq!(fake.asked().len(), 1);
    }
}
