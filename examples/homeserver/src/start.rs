//! From the command line to a server that serves.

use crate::app::App;
use crate::args::Args;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, trouble};
use crate::http::{BoundedListener, Ended, Served, Stopping};
use crate::log_writer::{Log, LogWriter};
use crate::password::Passwords;
use crate::secrets::ServerKey;
use crate::{
    accounts, background, deactivations, descriptors, endpoints, fault, http, log_line, server_key, welcome,
};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing_subscriber::fmt::format::debug_fn;

/// How long the work that nobody waits for any more has to end.
const AT_END: Duration = Duration::from_secs(2);

/// Runs the server as the command line says, until it is told to end.
///
/// The exit status is 0 if it served, and 1 if it was told to end at once. It is 2 if it could not start; one line on
/// standard error says why.
pub fn run() -> ExitCode {
    let log = match LogWriter::begin(std::io::stderr()) {
        Ok(log) => log,
        Err(error) => return refused(&no_threads(error)),
    };
    let lines = tracing_subscriber::fmt().with_timer(log_line::Utc).fmt_fields(debug_fn(log_line::field));
    lines.with_writer(Arc::clone(&log)).with_ansi(false).with_target(false).init();
    let served = Runtime::new().map_err(no_threads).and_then(|runtime| {
        let served = runtime.block_on(serve(Arc::clone(&log)));
        match served {
            // The database is closed, which empties its journal.
            Ok(Ended::Finished) => runtime.shutdown_timeout(AT_END),
            // Whatever somebody still waits for: they have been waited for long enough.
            Ok(Ended::CutShort) | Err(_) => runtime.shutdown_background(),
        }
        served
    });
    log.write_out();
    match served {
        Ok(Ended::Finished) => ExitCode::SUCCESS,
        Ok(Ended::CutShort) => ExitCode::FAILURE,
        Err(line) => refused(&line),
    }
}

fn no_threads(error: std::io::Error) -> String {
    format!("threads: {error}; give it some")
}

fn refused(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::from(2)
}

/// Starts and serves. Whatever keeps the server from starting comes back as one line, which names what to
/// mend and how.
///
/// Signals are caught before anything that may take long: one that comes while the server waits for a locked database,
/// or finishes what a crash left, ends it like any other.
async fn serve(log: Log) -> Result<Ended, String> {
    let args = Args::from_command_line()?;
    fault::arm()?;
    let mut signals =
        http::signals().map_err(|error| format!("signals: {error}; run it where it may catch them"))?;
    // A task of its own: some of a start blocks its thread.
    let started = tokio::spawn(start(args, signals.stopping(), log));
    let (listener, router) = tokio::select! {
        started = started => started.map_err(|error| format!("start: {error}; report it"))??,
        () = signals.first() => return Ok(Ended::Finished),
    };
    Ok(http::serve(listener, router, signals).await)
}

/// Comes to listening, and says so.
async fn start(args: Args, stopping: Stopping, log: Log) -> Result<(BoundedListener, Served), String> {
    let config = match &args.config {
        Some(file) => Config::read(file).map_err(|error| error.to_string())?,
        None => Config::without_file(),
    };
    let in_data = |line: String| {
        let dir = args.data.as_deref().unwrap_or("(memory)".as_ref());
        format!("--data: {}: {line}", dir.display())
    };
    let in_db = |error: rusqlite::Error| in_data(trouble::explain(&error));
    let (db, key) = match &args.data {
        Some(dir) => (Db::in_dir(dir).map_err(in_data)?, server_key::get_or_make(dir).map_err(in_data)?),
        None => (Db::in_memory().map_err(in_db)?, ServerKey::generate()),
    };
    let passwords = Passwords::new(config.edges.hash_queue);
    let clock = Clock::system();
    accounts::create_missing(&db, &config.users, &passwords, clock.now_ms()).await.map_err(in_db)?;
    let app = App::new(config, &args.sessions, db, &key, passwords, clock).await?;
    // What a crash left half-done is finished before anybody is let in.
    deactivations::finish_at_start(&app).await;
    background::begin(&app);

    let in_listen = |error| format!("--listen: {}: {error}; give another address, or port 0", args.listen);
    let listener = TcpListener::bind(args.listen).await.map_err(in_listen)?;
    let address = listener.local_addr().map_err(in_listen)?;
    // Nobody is served before.
    let _ = app.origin.set(format!("http://{address}"));
    if args.config.is_none() {
        welcome::print(address);
    }
    // Whoever waits for this line may close the pipe once it has it.
    let _ =
        writeln!(std::io::stdout(), "listening on http://{address}").and_then(|()| std::io::stdout().flush());

    let mut edges = app.config.edges;
    edges.connections = descriptors::room_for(edges.connections);
    let listener = BoundedListener::new(listener, &edges, app.config.trusted_proxies.clone());
    let router = http::finish(endpoints::routes(app), &edges, &stopping, Some(log));
    Ok((listener, router))
}
