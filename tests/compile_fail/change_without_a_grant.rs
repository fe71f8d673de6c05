use matrix_uia::endpoint::password::PasswordChange;
use matrix_uia::server::reference::UserRef;

fn handler(user: UserRef) -> PasswordChange<String> {
    PasswordChange { user, hash: String::new(), logout: None }
}

fn main() {}
