//! What somebody who has just started the server can do with it.

use std::net::SocketAddr;

/// Three lines for a shell: a password change of alice's is challenged, tried with a wrong password, and
/// carried out. Each fetches the access token it needs, so that they need no editing and work in any order;
/// and the new password is the old one, so that they work as often as one likes.
pub fn lines(address: SocketAddr) -> [String; 3] {
    let client = format!("http://{address}/_matrix/client/v3");
    let alice = r#""type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"}"#;
    let login = format!(r#"curl -s {client}/login -d '{{{alice},"password":"wonderland"}}'"#);
    let token = format!(r#"$({login} | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"#);
    let change = |auth: String| {
        format!(
            r#"curl -s -w '\n%{{http_code}}\n' {client}/account/password -H "Authorization: Bearer {token}" -d '{{"new_password":"wonderland"{auth}}}'"#
        )
    };
    let with = |password: &str| change(format!(r#","auth":{{{alice},"password":"{password}"}}"#));
    [change(String::new()), with("white-rabbit"), with("wonderland")]
}

/// Prints them, on standard error: standard output has one line only.
pub fn print(address: SocketAddr) {
    let [challenge, wrong, right] = lines(address);
    eprintln!("\nTry it: change the password of alice (to the one she has).");
    eprintln!("\nWhat must she do?\n\n{challenge}");
    eprintln!("\nA wrong password:\n\n{wrong}");
    eprintln!("\nThe right one:\n\n{right}\n");
}
