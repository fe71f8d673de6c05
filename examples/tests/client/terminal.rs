//! At a terminal, which `script` (util-linux) makes.

use crate::support::{Setup, available, program};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Reads until there is `words` once more, or the end.
fn until(out: &mut impl std::io::Read, seen: &mut String, words: &str) {
    let mut byte = [0];
    while out.read(&mut byte).unwrap_or(0) == 1 {
        seen.push(char::from(byte[0]));
        if seen.ends_with(words) {
            break;
        }
    }
    assert!(seen.ends_with(words), "no {words:?} in {seen}");
}

/// Waits until the terminal that `script` has made shows nothing of what is typed.
fn echo_is_off(script: u32) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(120) {
        let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children"));
        let terminals = children.iter().flat_map(|children| children.split_whitespace());
        for terminal in terminals.filter_map(|child| std::fs::read_link(format!("/proc/{child}/fd/0")).ok()) {
            let stty = Command::new("stty").arg("-F").arg(&terminal).arg("-a").output().unwrap();
            if String::from_utf8_lossy(&stty.stdout).split([' ', ';', '\n']).any(|word| word == "-echo") {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the echo stays on");
}

#[test]
fn what_is_typed_at_a_hidden_prompt_is_not_seen() {
    if cfg!(not(target_os = "linux")) || !available("script") {
        eprintln!("skipped: no `script` here");
        return;
    }
    let server = Setup::new(json!({})).start();
    let token = server.client().token("alice", "wonderland");
    let line = format!(
        "{} --homeserver http://{} --json deactivate --user alice",
        program::client().display(),
        server.address()
    );
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env_remove("MATRIX_PASSWORD").env("MATRIX_ACCESS_TOKEN", &token);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = String::new();
    for typed in ["white-rabbit\n", "wonderland\n"] {
        until(&mut stdout, &mut seen, "Password of alice: ");
        echo_is_off(child.id());
        stdin.write_all(typed.as_bytes()).unwrap();
    }
    stdout.read_to_string(&mut seen).unwrap();
    assert!(child.wait().unwrap().success(), "{seen}");
    assert!(
        seen.contains("M_FORBIDDEN") && seen.contains(r#"{"id_server_unbind_result":"success"}"#),
        "{seen}"
    );
    assert!(!seen.contains("rabbit") && !seen.contains("wonderland") && !seen.contains(&token), "{seen}");
}
