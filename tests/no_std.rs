//! The proof that the crate needs no `std`, and without features no heap: a static library
//! with a panic handler of its own, which doesn't build as soon as `std` is linked.

use std::path::Path;
use std::process::Command;

/// Builds `no_std_proof` with `features`; the output, if that fails.
fn build(features: &str) -> Result<(), String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/no_std_proof/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // Its own lock file names the versions that the crate itself is tested with, which
        // are here already: no network.
        .args(["build", "--quiet", "--locked", "--offline", "--features", features, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std_proof"))
        // What a coverage or sanitizer run asks for holds for this build, not for that one.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn without_features_it_builds_with_core_alone() {
    build("").unwrap_or_else(|error| panic!("{error}"));
}

/// Only where the main build has `alloc`, and so has downloaded what it needs.
#[cfg(feature = "alloc")]
#[test]
fn with_alloc_it_builds_without_std() {
    build("alloc").unwrap_or_else(|error| panic!("{error}"));
}

/// Else the proof would be about other dependencies, and not build without a network.
#[test]
fn the_proof_has_the_versions_of_the_crate() {
    let packages = |lock: &'static str| {
        lock.split("[[package]]").skip(1).map(|package| {
            let field = |name: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
                line.unwrap_or_default().trim_matches('"').to_owned()
            };
            (field("name"), field("version"))
        })
    };
    let ours: Vec<_> = packages(include_str!("../Cargo.lock")).collect();
    for package in packages(include_str!("no_std_proof/Cargo.lock")) {
        assert!(
            package.0 == "no_std_proof" || ours.contains(&package),
            "run cargo update there: {package:?}"
        );
    }
}
