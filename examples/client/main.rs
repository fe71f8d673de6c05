//! The example client as a program. All of it is in the library beside this file.

fn main() -> std::process::ExitCode {
    matrix_uia_client_example::run()
}
