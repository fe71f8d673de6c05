//! Several servers at one address: each connection is the next one's.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::spawn;

/// The address, which is there until the process ends.
pub fn before(servers: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        let clients = listener.incoming().map_while(Result::ok);
        for (client, server) in clients.zip(servers.iter().cycle()) {
            // One that is not there hangs up.
            let Ok(server) = TcpStream::connect(server) else { continue };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                let _ = to.set_nodelay(true);
                spawn(move || pass(from, to));
            }
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
