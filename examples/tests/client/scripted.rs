//! A server that says what the test wants it to say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

/// What was asked.
#[derive(Debug)]
pub struct Asked {
    pub head: String,
    pub body: String,
}

/// It answers as often as there are answers, and is no more then.
pub struct Scripted {
    pub address: SocketAddr,
    thread: JoinHandle<Vec<Asked>>,
}

impl Scripted {
    /// Each answer is a status, further headers, and a body.
    pub fn new(answers: &[(u16, &str, &str)]) -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)), answers)
    }

    /// The same at that address.
    pub fn on(address: SocketAddr, answers: &[(u16, &str, &str)]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = |(status, headers, body): &(u16, &str, &str)| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        };
        let answers: Vec<String> = answers.iter().map(answer).collect();
        let thread =
            std::thread::spawn(move || answers.iter().map(|answer| serve(&listener, answer)).collect());
        Self { address, thread }
    }

    /// Everything that was asked; all answers have been fetched.
    pub fn asked(self) -> Vec<Asked> {
        self.thread.join().unwrap()
    }
}

fn serve(listener: &TcpListener, answer: &str) -> Asked {
    let (connection, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    reader.into_inner().write_all(answer.as_bytes()).unwrap();
    Asked { head, body: String::from_utf8(body).unwrap() }
}
