//! One run of the client.

use crate::support::program;
use serde_json::Value;
use std::fmt::Display;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How long anything of the client's may take, on a machine with too much to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command line, and what stands in the environment.
pub struct Run {
    command: Command,
    secrets: Vec<String>,
    input: String,
}

impl Run {
    /// `line` as a shell would split it, at that server.
    pub fn at(server: impl Display, line: &str) -> Self {
        Self::bare()
            .args(&["--homeserver", &format!("http://{server}")])
            .args(&line.split(' ').collect::<Vec<_>>())
    }

    /// Without any argument.
    pub fn bare() -> Self {
        let mut command = Command::new(program::client());
        for name in [
            "MATRIX_PASSWORD",
            "MATRIX_NEW_PASSWORD",
            "MATRIX_ACCESS_TOKEN",
            "MATRIX_REFRESH_TOKEN",
            "LC_ALL",
            "LC_MESSAGES",
        ] {
            command.env_remove(name);
        }
        command.env("LANG", "C.UTF-8");
        Self { command, secrets: Vec::new(), input: String::new() }
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// As a program runs it.
    pub fn json(self) -> Self {
        self.args(&["--json", "--non-interactive"])
    }

    /// With a secret in the environment, which is not to be seen anywhere.
    pub fn env(mut self, name: &str, secret: &str) -> Self {
        self.command.env(name, secret);
        self.secrets.push(secret.to_owned());
        self
    }

    pub fn language(mut self, language: &str) -> Self {
        self.command.env("LANG", language);
        self
    }

    /// With these lines typed.
    pub fn typing(mut self, input: &str) -> Self {
        self.input = input.to_owned();
        self
    }

    #[track_caller]
    pub fn run(self) -> Ended {
        self.start().end()
    }

    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the client can be run");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.input.as_bytes()).unwrap();
        let (stdout, stdout_end) = collect(child.stdout.take().unwrap());
        let (stderr, stderr_end) = collect(child.stderr.take().unwrap());
        let seen = Seen { stdout, stderr, ends: [stdout_end, stderr_end] };
        Running { child, stdin: Some(stdin), seen, secrets: self.secrets }
    }
}

/// What a pipe has brought so far.
fn collect(mut pipe: impl std::io::Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let collected = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&collected);
    let end = std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(read @ 1..) = pipe.by_ref().read(&mut bytes) {
            into.lock().unwrap().extend_from_slice(&bytes[..read]);
        }
    });
    (collected, end)
}

struct Seen {
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    ends: [JoinHandle<()>; 2],
}

/// A client that runs.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    seen: Seen,
    secrets: Vec<String>,
}

impl Running {
    pub fn stderr(&self) -> String {
        String::from_utf8(self.seen.stderr.lock().unwrap().clone()).unwrap()
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub fn says(&mut self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let stderr = self.stderr();
            if stderr.contains(words) {
                return stderr;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?} without {words:?}: {stderr}");
            sleep(Duration::from_millis(5));
        }
    }

    pub fn has_ended(&self) -> bool {
        self.seen.ends.iter().all(JoinHandle::is_finished)
    }

    pub fn type_in(&mut self, line: &str) {
        self.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Nothing more is typed; waits until it has ended.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code().expect("no signal ended it"),
                None if begun.elapsed() > PATIENCE => {
                    self.child.kill().unwrap();
                    panic!("it doesn't end: {}", self.stderr());
                }
                None => sleep(Duration::from_millis(5)),
            }
        };
        let Seen { stdout, stderr, ends } = self.seen;
        ends.into_iter().for_each(|end| end.join().unwrap());
        let text = |of: Arc<Mutex<Vec<u8>>>| String::from_utf8(of.lock().unwrap().clone()).unwrap();
        let ended = Ended { status, stdout: text(stdout), stderr: text(stderr) };
        for secret in &self.secrets {
            assert!(
                !ended.stdout.contains(secret) && !ended.stderr.contains(secret),
                "{secret} in {ended:?}"
            );
        }
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    fn line(&self, status: i32) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("a line: {self:?}"));
        assert!(!line.contains('\n'), "one line: {self:?}");
        serde_json::from_str(line).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    /// The answer.
    #[track_caller]
    pub fn ok(&self) -> Value {
        let body = self.line(0);
        assert!(body.is_object() && body.get("error").is_none(), "{self:?}");
        body
    }

    #[track_caller]
    fn error(&self, status: i32, keys: &[&str]) -> Value {
        let body = self.line(status);
        assert_eq!(body.as_object().unwrap().len(), 1, "{self:?}");
        let error = body["error"].clone();
        let found: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(found, keys, "{self:?}");
        error
    }

    /// The server said no.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str, meaning: &str) {
        let error = self.error(1, &["errcode", "error", "meaning", "status"]);
        let found = (error["status"].as_u64(), error["errcode"].as_str(), error["meaning"].as_str());
        assert_eq!(found, (Some(status.into()), Some(code), Some(meaning)), "{self:?}");
        assert!(error["error"].is_string(), "{self:?}");
    }

    /// It ended so, with an error that isn't the server's own.
    #[track_caller]
    pub fn status_is(&self, status: i32) {
        let error = self.error(status, &["errcode", "error", "meaning", "status"]);
        assert_eq!(error["meaning"], "keep");
    }

    /// These would have to be answered.
    #[track_caller]
    pub fn missing(&self, stages: &[&str]) {
        let error = self.error(3, &["meaning", "missing"]);
        assert_eq!(
            (error["meaning"].as_str(), &error["missing"]),
            (Some("no_flow"), &stages.into()),
            "{self:?}"
        );
    }

    #[track_caller]
    pub fn network(&self) {
        let error = self.error(4, &["errcode", "error", "meaning", "status"]);
        assert_eq!(error["meaning"], "network");
        assert!(error["status"].is_null() && error["errcode"].is_null() && error["error"].is_string());
    }

    /// Wrong usage: there is no answer, and standard error says what to mend.
    #[track_caller]
    pub fn usage(&self, words: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{self:?}");
        assert!(self.stderr.contains(words), "{self:?}");
    }
}
