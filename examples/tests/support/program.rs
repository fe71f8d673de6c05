//! The built examples.
//!
//! Plain `cargo test` builds them beside the tests. `cargo test --test http` does not, and would test what was
//! built some other time: then it is built here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

static HOMESERVER: LazyLock<PathBuf> = LazyLock::new(|| find("homeserver"));
static CLIENT: LazyLock<PathBuf> = LazyLock::new(|| find("client"));

/// Where the homeserver is.
pub fn homeserver() -> &'static Path {
    &HOMESERVER
}

/// Where the client is.
pub fn client() -> &'static Path {
    &CLIENT
}

fn find(name: &str) -> PathBuf {
    // target/[triple/]profile/deps/http-0123456789abcdef
    let exe = std::env::current_exe().unwrap();
    let profile_dir = exe.parent().and_then(Path::parent).unwrap();
    let program = profile_dir.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !is_fresh(&program) {
        build(profile_dir, name);
    }
    assert!(program.is_file(), "{} is missing; `cargo build --example {name}` makes it", program.display());
    program
}

/// Whether it is newer than every file that cargo says it was made of.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let Some(built) = modified(program) else { return false };
    let Ok(dep_info) = std::fs::read_to_string(program.with_extension("d")) else { return false };
    let Some((_, sources)) = dep_info.split_once(": ") else { return false };
    // A space in a path is escaped, which no other character is.
    let sources = sources.replace("\\ ", "\0");
    let older = |source: &str| {
        modified(Path::new(&source.replace('\0', " "))).is_some_and(|changed: SystemTime| changed <= built)
    };
    sources.split_whitespace().all(older)
}

fn build(profile_dir: &Path, name: &str) {
    let named = |dir: &Path| dir.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let profile = match named(profile_dir).as_str() {
        "debug" => "dev".to_owned(),
        other => other.to_owned(),
    };
    let above = profile_dir.parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--example", name, "--profile", &profile]);
    // A target triple is the one directory name there with dashes in it that has no cache tag of its own.
    if named(above).matches('-').count() >= 2
        && above.parent().is_some_and(|dir| dir.join("CACHEDIR.TAG").exists())
    {
        command.args(["--target", &named(above)]).arg("--target-dir").arg(above.parent().unwrap());
    } else {
        command.arg("--target-dir").arg(above);
    }
    let status = command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "the example can't be built");
}
