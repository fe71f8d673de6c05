//! Redis and PostgreSQL as Debian has them, each on a port and in a directory of its own.

use super::{Scratch, available};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Postgres,
}

/// A server that runs. Killed when dropped.
#[derive(Debug)]
pub struct Database {
    kind: Kind,
    dir: Scratch,
    port: u16,
    /// How the programs are run: not as root, which one of them refuses.
    runner: Runner,
    child: Option<Child>,
}

#[derive(Debug, Clone)]
struct Runner {
    bin: PathBuf,
    as_postgres: bool,
}

impl Runner {
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if !self.as_postgres {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    }
}

/// What is run as Redis: `REDIS_SERVER`, such as `valkey-server`.
fn redis_server() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Where the programs of that server are, if it is installed.
fn find(kind: Kind) -> Option<Runner> {
    if kind == Kind::Redis {
        let found = Path::new(&redis_server()).is_file() || available(&redis_server());
        return found.then(|| Runner { bin: PathBuf::new(), as_postgres: false });
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut bins: Vec<_> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    bins.sort();
    let bin = bins.into_iter().rev().find(|bin| bin.join("initdb").is_file())?;
    let runner = Runner { bin, as_postgres: is_root() };
    let runs = runner.command("initdb").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    runs.is_ok_and(|status| status.success()).then_some(runner)
}

impl Database {
    /// Starts one; `None`, and it is said, where there is none to be had.
    pub fn start(kind: Kind) -> Option<Self> {
        let Some(runner) = find(kind) else {
            println!("SKIPPED: {kind:?} is not installed; .ci/stores installs it");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut database = Self { kind, dir: Scratch::new(), port, runner, child: None };
        if kind == Kind::Postgres {
            database.prepare();
        }
        database.go_on();
        Some(database)
    }

    fn prepare(&self) {
        if self.runner.as_postgres {
            let owned = Command::new("chown").arg("postgres:").arg(self.dir.path()).status().unwrap();
            assert!(owned.success());
        }
        let mut initdb = self.runner.command("initdb");
        initdb.arg("-D").arg(self.files()).args(["-U", "uia", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        let made = initdb.current_dir(self.dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// What `--sessions` is to say.
    pub fn url(&self) -> &'static str {
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{}", self.port).leak(),
            Kind::Postgres => format!("postgres://uia@127.0.0.1:{}/postgres", self.port).leak(),
        }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn files(&self) -> PathBuf {
        match self.kind {
            Kind::Redis => self.dir.path().to_owned(),
            Kind::Postgres => self.dir.path().join("data"),
        }
    }

    /// Starts it, on what it has kept, and waits until it answers. Where it ends again, because one that was killed
    /// has processes that have not noticed yet, it is started once more.
    pub fn go_on(&mut self) {
        let begun = Instant::now();
        self.child = Some(self.start_process());
        while !self.answers() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?} doesn't start", self.kind);
            sleep(Duration::from_millis(50));
            let ended = self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|it| it.is_some()));
            if ended {
                self.child = Some(self.start_process());
            }
        }
    }

    fn start_process(&self) -> Child {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Redis => {
                let mut command = self.runner.command(&redis_server());
                command.args(["--port", &port, "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""]);
                command.arg("--dir").arg(self.dir.path());
                command
            }
            Kind::Postgres => {
                let mut command = self.runner.command("postgres");
                command.arg("-D").arg(self.files()).args(["-p", &port, "-c", "listen_addresses=127.0.0.1"]);
                command.arg("-k").arg(self.dir.path());
                command
            }
        };
        let said = std::fs::File::create(std::env::temp_dir().join(format!("matrix-uia-store-{port}.log")));
        let said = said.map_or_else(|_| Stdio::null(), Stdio::from);
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        command.spawn().unwrap()
    }

    fn answers(&self) -> bool {
        let (port, host) = (self.port.to_string(), ["-h", "127.0.0.1", "-p"]);
        if self.kind == Kind::Postgres {
            let mut command = self.runner.command("pg_isready");
            let ready = command.args(host).arg(&port).stdout(Stdio::null()).stderr(Stdio::null()).status();
            return ready.is_ok_and(|status| status.success());
        }
        let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut pong = [0; 5];
        let asked = connection.write_all(b"PING\r\n").and_then(|()| connection.read_exact(&mut pong));
        asked.is_ok() && &pong == b"+PONG"
    }

    /// Stops all its processes where they are: it takes connections, and says nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.signal("KILL");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    fn signal(&self, signal: &str) {
        let Some(child) = &self.child else { return };
        let pids = std::iter::once(child.id()).chain(children(child.id())).map(|pid| pid.to_string());
        let _ = Command::new("kill").args(["-s", signal]).args(pids).stderr(Stdio::null()).status();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.kill();
        let _ =
            std::fs::remove_file(std::env::temp_dir().join(format!("matrix-uia-store-{}.log", self.port)));
    }
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<u32> {
    let stat = |dir: &Path| {
        let stat = std::fs::read_to_string(dir.join("stat")).ok()?;
        // pid (name) state parent; the name may have anything in it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        Some((dir.file_name()?.to_str()?.parse::<u32>().ok()?, parent))
    };
    let all = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    all.filter_map(|entry| stat(&entry.path())).filter(|(_, of)| *of == parent).map(|(pid, _)| pid).collect()
}
