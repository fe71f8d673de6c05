//! The example homeserver as a program. All of it is in the library beside this file.

fn main() -> std::process::ExitCode {
    matrix_uia_homeserver::run()
}
