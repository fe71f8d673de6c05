//! From the command line to a server that serves.

use crate::app::App;
use crate::args::Args;
use crate::config::Config;
use crate::db::{Db, server_key};
use crate::http::BoundedListener;
use crate::password::Passwords;
use crate::{accounts, clock, deactivations, endpoints, fault, http, welcome};
use std::io::Write as _;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Runs the server as the command line says, until it is told to end.
///
/// The exit status is 0 if it served. It is 2 if it could not start; one line on standard error says why.
#[tokio::main]
pub async fn run() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("{line}");
            ExitCode::from(2)
        }
    }
}

/// Starts and serves. Whatever keeps the server from starting comes back as one line, which names what to
/// mend and how.
async fn serve() -> Result<(), String> {
    let args = Args::from_command_line()?;
    fault::arm()?;
    let config = match &args.config {
        Some(file) => Config::read(file).map_err(|error| error.to_string())?,
        None => Config::without_file(),
    };
    let in_data = |error: &dyn std::error::Error| {
        let dir = args.data.as_deref().unwrap_or("(memory)".as_ref());
        format!("--data: {}: {error}; give a directory that this server may write to", dir.display())
    };
    let db = match &args.data {
        Some(dir) => Db::in_dir(dir).map_err(|error| in_data(&error))?,
        None => Db::in_memory().map_err(|error| in_data(&error))?,
    };
    let passwords = Passwords::new(config.edges.hash_queue);
    accounts::create_missing(&db, &config.users, &passwords, clock::now_ms())
        .await
        .map_err(|error| in_data(&error))?;
    let key = db.transaction(server_key::get_or_make).await.map_err(|error| in_data(&error))?;
    let app = App::new(config, args.sessions, db, key, passwords)?;
    // What a crash left half-done is finished before anybody is let in.
    deactivations::finish_all(&app).await.map_err(|error| in_data(&error))?;

    let stop =
        http::stop_signal().map_err(|error| format!("signals: {error}; run it where it may catch them"))?;
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

    let edges = app.config.edges;
    let listener = BoundedListener::new(listener, &edges, app.config.trusted_proxies.clone());
    let router = http::finish(endpoints::routes(app), &edges);
    http::serve(listener, router, stop).await.map_err(|error| format!("--listen: {error}; start it again"))
}
