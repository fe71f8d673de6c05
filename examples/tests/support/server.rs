//! One server process.

use super::client::Client;
use super::{Message, Scratch, program, round_robin, times};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How long anything of the server's may take, on a machine with too much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is started. May be started any number of times, on the same data.
#[derive(Debug)]
pub struct Setup {
    dir: Scratch,
    config: Value,
    pub data: bool,
    pub sessions: Option<&'static str>,
    pub fault: Option<String>,
}

impl Setup {
    /// With this config, over one in which alice and bob are users.
    pub fn new(config: Value) -> Self {
        let mut merged = json!({ "users": [
            { "localpart": "alice", "password": "wonderland" },
            { "localpart": "bob", "password": "builder-bob" },
        ] });
        for (key, value) in config.as_object().unwrap() {
            merged[key] = value.clone();
        }
        Self { dir: Scratch::new(), config: merged, data: false, sessions: None, fault: None }
    }

    /// The same, keeping its data.
    pub fn kept(config: Value) -> Self {
        Self { data: true, ..Self::new(config) }
    }

    /// The same, with a way to send.
    pub fn sending(config: Value) -> Self {
        let mut setup = Self::new(config);
        setup.config["outbox"] = setup.outbox_dir().to_str().into();
        setup
    }

    /// Everything that was sent, in order.
    pub fn outbox(&self) -> Vec<Message> {
        Message::all(&self.outbox_dir())
    }

    fn outbox_dir(&self) -> PathBuf {
        self.dir.path().join("outbox")
    }

    /// What was sent last.
    #[track_caller]
    pub fn last_message(&self) -> Message {
        Message::newest(&self.outbox_dir()).next().expect("something has been sent")
    }

    /// What was sent with this `sid`.
    #[track_caller]
    pub fn message(&self, sid: &str) -> Message {
        let found = Message::newest(&self.outbox_dir()).find(|message| message.0["sid"] == sid);
        found.unwrap_or_else(|| panic!("nothing was sent for {sid}"))
    }

    pub fn config(&mut self) -> &mut Value {
        &mut self.config
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, data: bool) -> Command {
        let config = self.dir.path().join("config.json");
        let mut text = self.config.clone();
        // All tests that don't say it themselves can be run with session IDs that are sealed.
        if ids_are_sealed() && text["uia"]["sealed"].is_null() {
            text["uia"]["sealed"] = true.into();
        }
        std::fs::write(&config, text.to_string()).unwrap();
        let mut command = bare();
        command.args(["--listen", "127.0.0.1:0"]).arg("--config").arg(config);
        if data {
            command.arg("--data").arg(self.data_dir());
        }
        // All tests that don't ask for a place themselves can be run with sessions in another.
        if let Some(sessions) = self.sessions.map(str::to_owned).or_else(elsewhere) {
            command.args(["--sessions", &sessions]);
        }
        if let Some(fault) = &self.fault {
            command.env("MATRIX_UIA_FAULT", fault);
        }
        command
    }

    /// Starts it, and waits until it serves.
    #[track_caller]
    pub fn start(&self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(ended) => panic!("the server ended: {ended:?}"),
        }
    }

    /// Starts it; how it ended if it doesn't come to serving.
    pub fn try_start(&self) -> Result<Server, Ended> {
        // All tests that don't ask for a place themselves can be run with several processes that share one: in the
        // data that they share, unless it is elsewhere.
        let processes = times("HOMESERVER_PROCESSES", 1);
        if processes == 1 || self.sessions.is_some() {
            return Server::spawn(self.command(self.data));
        }
        if !self.data {
            // Nothing is left of a start before.
            let _ = std::fs::remove_dir_all(self.data_dir());
        }
        let mut server = Server::spawn(self.command(true))?;
        server.others =
            (1..processes).map(|_| Server::spawn(self.command(true))).collect::<Result<_, _>>()?;
        let all = server.others.iter().map(|other| other.address);
        server.address = round_robin::before(std::iter::once(server.address).chain(all).collect());
        Ok(server)
    }
}

/// Whether the tests that don't say it themselves are run with session IDs that are sealed.
pub fn ids_are_sealed() -> bool {
    std::env::var_os("HOMESERVER_SEALED").is_some()
}

/// Whether the tests that don't say it themselves are run with sessions in a database of their own.
pub fn sessions_are_elsewhere() -> bool {
    elsewhere().is_some_and(|sessions| sessions.contains("://"))
}

/// Where the sessions of all tests live that don't say it themselves.
fn elsewhere() -> Option<String> {
    std::env::var("HOMESERVER_SESSIONS").ok().filter(|url| !url.is_empty())
}

/// The program without any argument, and without what the environment might say.
pub fn bare() -> Command {
    let mut command = Command::new(program::homeserver());
    command.env_remove("MATRIX_UIA_FAULT").stdin(Stdio::null());
    command
}

/// How a server that is no more ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
}

/// A server that serves. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    _log_dir: Scratch,
    /// What comes on standard output after the first line.
    rest: Option<JoinHandle<String>>,
    dying: bool,
    /// Those that serve the same data at the same address.
    others: Vec<Self>,
}

impl Server {
    /// With the built-in config.
    #[track_caller]
    pub fn without_config() -> Self {
        let mut command = bare();
        command.args(["--listen", "127.0.0.1:0"]);
        Self::spawn(command).expect("the server starts without a config")
    }

    pub fn spawn(mut command: Command) -> Result<Self, Ended> {
        let dir = Scratch::new();
        let log = dir.path().join("log");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().expect("the example can be run");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        let rest = std::thread::spawn(move || {
            let (mut line, mut rest) = (String::new(), String::new());
            let _ = stdout.read_line(&mut line);
            let _ = say.send(line);
            let _ = stdout.read_to_string(&mut rest);
            rest
        });
        let Ok(line) = said.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the server doesn't come to serving: {}", std::fs::read_to_string(&log).unwrap());
        };
        if line.is_empty() {
            let status = child.wait().unwrap();
            return Err(Ended { status, log: std::fs::read_to_string(&log).unwrap() });
        }
        let address = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('\n'));
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not the line that was promised: {line:?}"));
        Ok(Self { child, address, log, _log_dir: dir, rest: Some(rest), dying: false, others: Vec::new() })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many processes serve there.
    pub const fn processes(&self) -> usize {
        1 + self.others.len()
    }

    pub const fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Everything it has said on standard error.
    pub fn log(&self) -> String {
        let own = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned();
        self.others.iter().fold(own, |log, other| log + &other.log())
    }

    /// The memory it has now.
    #[cfg(target_os = "linux")]
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        resident.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Asks it to end, by a signal such as `TERM`.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success());
        self.others.iter().for_each(|other| other.signal(signal));
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        std::mem::take(&mut self.others).into_iter().for_each(Self::kill);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended of its own accord.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        self.dying = true;
        self.others.iter_mut().for_each(|other| other.dying = true);
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if begun.elapsed() > PATIENCE => panic!("the server doesn't end"),
                None => sleep(Duration::from_millis(5)),
            }
        };
        Ended { status, log: self.log() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let rest = self.rest.take().and_then(|rest| rest.join().ok()).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
            return;
        }
        assert_eq!(rest, "", "standard output has one line only");
        let log = self.log();
        for trouble in ["panicked", "the database failed"] {
            assert!(self.dying || !log.contains(trouble), "{log}");
        }
    }
}

/// Runs a program that is expected to end by itself.
#[track_caller]
pub fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    // Nothing that is run here says more than a pipe holds.
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} doesn't end: {:?}", child.wait_with_output().unwrap());
        }
        sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Whether there is such a program on this machine.
pub fn available(program: &str) -> bool {
    let found = |dir: &Path| dir.join(program).is_file();
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| found(&dir)))
}
